"""`%pxdiff`: which ranks hold the same value, what differs, and the statistics over the ranks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pxshell.errors import UsageError
from pxshell.ranks import EMPTY, RankSet, union
from pxshell.render.events import Compared, Comparison
from pxshell.session.desk import Desk
from pxshell.session.reference import reference_values
from pxshell.session.sources import Both, OnRanks, Source, Stored
from pxshell.session.surveys import Surveys, check_expression
from pxshell.values.comparing import Comparer, Group, Sample
from pxshell.values.tolerance import Tolerance
from pxshell.values.words import LISTED, difference_lines, sample_text, spread_lines, unseen_text

__all__ = ["Comparing", "Side"]

_MAGIC = "%pxdiff"
#: Groups of which it is said where they differ from the first.
_EXPLAINED = 8


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: an expression on some ranks."""

    expression: str
    ranks: RankSet


class Comparing:
    """Compares values of ranks; arrays stay where they are."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._surveys = Surveys(desk)

    def compare(
        self,
        one: Side,
        other: Side | None,
        tolerance: Tolerance,
        *,
        against: Path | None,
        peek: bool,
        all_groups: bool,
    ) -> Comparison | None:
        """Compare; see `Session.compare`."""
        expression = check_expression(one.expression, _MAGIC)
        mine = self._on_ranks(expression, one.ranks, tolerance, peek=peek)
        if mine is None:
            return None
        if other is not None:
            self._check_pairs(one.ranks, other.ranks)
            theirs = self._on_ranks(check_expression(other.expression, _MAGIC), other.ranks, tolerance, peek=peek)
            if theirs is None:
                return None
            told = self._pairs(mine, theirs, tolerance, _Pairing.between(one.ranks, other.ranks, self._world))
        elif against is not None:
            stored = Stored(reference_values(against, expression, one.ranks), tolerance)
            pairing = _Pairing.between(one.ranks, one.ranks, self._world, against.name)
            told = self._pairs(mine, stored, tolerance, pairing)
        else:
            told = self._groups(mine, tolerance)
        return self._shown(told, all_groups=all_groups)

    @property
    def _world(self) -> int:
        return max(self._desk.client.ranks) + 1

    def _on_ranks(self, expression: str, ranks: RankSet, tolerance: Tolerance, *, peek: bool) -> OnRanks | None:
        subject = self._surveys.subject(expression, ranks, peek=peek, magic=_MAGIC)
        return OnRanks(self._surveys, subject, tolerance) if subject is not None else None

    def _shown(self, told: Comparison, *, all_groups: bool) -> Comparison | None:
        if not told.groups:  # nobody answered, which has been shown
            return None
        shown = Comparison(told.groups, told.notes, all_groups)
        self._desk.show(shown)
        return shown

    # One set of ranks: groups of equals.

    def _groups(self, source: Source, tolerance: Tolerance) -> Comparison:
        samples = source.samples()
        comparer = Comparer(tolerance, source, _firsts(samples))
        groups = comparer.groups(samples)
        letters = self._desk.focus.letter([group.ranks for group in groups])
        odd = self._desk.focus.odd = _odd([group.ranks for group in groups])
        compared = []
        for number, (group, letter) in enumerate(zip(groups, letters, strict=True)):
            lines: list[str] = []
            if 0 < number < _EXPLAINED and (odd or len(groups) == 2 or len(group.leading.leaves) > 1):
                found = comparer.differences(groups[0].leading, group.leading, limit=LISTED)
                lines = difference_lines(found, f"@{letters[0]}")
            is_odd = bool(odd) and group.ranks <= odd
            compared.append(Compared(group.ranks, letter, sample_text(group.leading), is_odd, tuple(lines)))
        spread = spread_lines(groups) if len(groups) > 1 else []
        return Comparison(tuple(compared), (*_sameness(groups, letters, tolerance), *spread))

    # Two sets of ranks, or ranks and a file: pairs.

    @staticmethod
    def _check_pairs(mine: RankSet, theirs: RankSet) -> None:
        if len(mine) != len(theirs) and 1 not in {len(mine), len(theirs)}:
            raise UsageError(
                f"{mine} and {theirs} are {len(mine)} and {len(theirs)} ranks, which make no pairs;"
                " name as many on both sides, or one on one"
            )

    def _pairs(self, mine: Source, theirs: Source, tolerance: Tolerance, pairing: _Pairing) -> Comparison:
        """Fold pairs of ranks by what differs between them."""
        both = Both(mine, theirs, pairing.shift)
        samples = both.samples()
        comparer = Comparer(tolerance, both, _firsts(samples))
        sample_of = {rank: sample for sample in samples for rank in sample.ranks}
        folded: dict[_Told, tuple[RankSet, RankSet]] = {}
        known: dict[tuple[int, int], _Told] = {}
        for rank, partner in pairing:
            one, other = sample_of.get(rank), sample_of.get(partner + pairing.shift)
            if one is None or other is None:  # it has not answered, which has been shown
                continue
            key = (one.first, other.first)
            if key not in known:
                known[key] = _told(comparer, other, one, pairing.name)
            here, there = folded.get(known[key], (EMPTY, EMPTY))
            folded[known[key]] = here | RankSet.of(rank), there | RankSet.of(partner)
        return self._of_pairs(folded, pairing)

    def _of_pairs(self, folded: Mapping[_Told, tuple[RankSet, RankSet]], pairing: _Pairing) -> Comparison:
        order = sorted(folded.items(), key=lambda one: (bool(one[0].lines), -len(one[1][0]), one[1][0].first))
        groups = [here if pairing.name else here | there for _, (here, there) in order]
        letters = self._desk.focus.letter(groups)
        odd = EMPTY
        compared = []
        for (found, (here, there)), group, letter in zip(order, groups, letters, strict=True):
            odd |= group if found.lines else EMPTY
            text = f"{'differs from' if found.lines else 'equal to'} {pairing.name or there}"
            if found.unseen:
                text += " as far as looked"
            compared.append(Compared(here, letter, text, bool(found.lines), found.lines or found.unseen))
        self._desk.focus.odd = odd
        return Comparison(tuple(compared))


@dataclass(frozen=True, slots=True)
class _Pairing:
    """Pairs of ranks: the first with the first, and so on; one rank with each of the others'.

    `shift` keeps the numbers of the two sides apart; `name` is that of a file on the other side, or "".
    """

    mine: tuple[int, ...]
    theirs: tuple[int, ...]
    shift: int
    name: str = ""

    @classmethod
    def between(cls, mine: RankSet, theirs: RankSet, shift: int, name: str = "") -> _Pairing:
        length = max(len(mine), len(theirs))
        stretched = [tuple(ranks) * (length if len(ranks) == 1 else 1) for ranks in (mine, theirs)]
        return cls(stretched[0], stretched[1], shift, name)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.mine, self.theirs, strict=True)


@dataclass(frozen=True, slots=True)
class _Told:
    """What is said of pairs: what differs, or when nothing does, what was not looked at."""

    lines: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


def _told(comparer: Comparer, other: Sample, mine: Sample, name: str) -> _Told:
    """Say what differs between a value and that of its partner; no lines when they are the same."""
    found = comparer.differences(other, mine, limit=LISTED)
    lines = difference_lines(found, name or "there")
    if found and (not lines or not found[0].path):
        lines = [f"{sample_text(mine)}; {name or 'there'} {sample_text(other)}", *lines]
    unseen = "" if found else unseen_text([mine, other])
    return _Told(tuple(lines), (unseen,) if unseen else ())


def _sameness(groups: Sequence[Group], letters: Sequence[str], tolerance: Tolerance) -> list[str]:
    """Say that all agree, which groups do so within the tolerance only, and how far they were looked at."""
    loose = [letter for group, letter in zip(groups, letters, strict=True) if len(group.samples) > 1]
    notes = []
    if loose:
        names = "".join(f"@{letter} " for letter in loose if letter)
        notes.append(f"{names}within {tolerance}, not to the bit")
    unseen = unseen_text(sample for group in groups if len(group.ranks) > 1 for sample in group.samples)
    if unseen:
        return [*notes, f"equal as far as looked: {unseen}"]
    return notes or (["equal on all"] if len(groups) == 1 and len(groups[0].ranks) > 1 else [])


def _odd(groups: Sequence[RankSet]) -> RankSet:
    """Return the ranks outside the group that holds more than half; none when there is none."""
    everyone = union(groups)
    return everyone - groups[0] if groups and 2 * len(groups[0]) > len(everyone) else EMPTY


def _firsts(samples: Iterable[Sample]) -> RankSet:
    """Return one rank of each sample: those that are asked further."""
    return RankSet(sample.first for sample in samples)
