"""Which ranks hold the same value, from descriptions; arrays are asked about again only where these leave it open.

Descriptions prove most differences (type, shape, NaN, extremes) and all equalities to the bit. Between them lie arrays
that are nearly the same: of these the digests of blocks are asked for, and the elements of blocks that still may
differ, until one does or a limit of bytes is reached. No rank sends an array that others have too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pxshell.ranks import EMPTY, RankSet
from pxshell.values.blocks import Blocks, block_length
from pxshell.values.describe import Leaf
from pxshell.values.tolerance import EXACT, Tolerance

__all__ = ["Asker", "Comparer", "Difference", "Group", "Sample", "index_of", "is_same_leaf"]

#: Bytes of elements that one comparison may ask for in all.
LIMIT_BYTES = 64_000_000
_FEW_BLOCKS, _MANY_BLOCKS = 1, 16


class Asker(Protocol):
    """Asks ranks about the arrays in their values."""

    def blocks(self, ranks: RankSet, path: str) -> Mapping[int, Blocks]:
        """Return the digests of blocks of the array at a path, of the ranks that have one there now."""

    def elements(self, ranks: RankSet, path: str, blocks: Sequence[int]) -> Mapping[int, Sequence[float]]:
        """Return the elements of some blocks, one block after the other; a complex one is two numbers."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Ranks whose values have one description; `leaves` by path."""

    ranks: RankSet
    leaves: Mapping[str, Leaf]

    @classmethod
    def of(cls, ranks: RankSet, leaves: Iterable[Leaf]) -> Sample:
        """Make one of what a rank described."""
        return cls(ranks, {str(leaf["path"]): leaf for leaf in leaves})

    @property
    def first(self) -> int:
        """The rank that is asked for all."""
        return self.ranks.first


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs at one path: `here` and `there` are leaves, None where the path is absent.

    `index` is that of the first element that differs, with the elements `values`; None when that is not known. `why`
    says in words why it is not, or that two arrays have not been compared to the end.
    """

    path: str
    here: Leaf | None
    there: Leaf | None
    index: tuple[int, ...] | None = None
    values: tuple[str, str] = ("", "")
    why: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Ranks whose values are all the same as each other's, within the tolerance.

    `samples` are their descriptions, that of most ranks first: one when they are equal to the bit.
    """

    samples: tuple[Sample, ...]

    @property
    def ranks(self) -> RankSet:
        """All ranks of the group."""
        ranks = EMPTY
        for sample in self.samples:
            ranks |= sample.ranks
        return ranks

    @property
    def leading(self) -> Sample:
        """The description of most of them."""
        return self.samples[0]


def is_same_leaf(here: Leaf, there: Leaf, tolerance: Tolerance) -> bool | None:
    """Tell whether two leaves are the same; None when it takes a look at the arrays."""
    if here["kind"] != there["kind"]:
        return False
    match here:
        case {"kind": "array"}:
            return _is_same_array(here, there, tolerance)
        case {"kind": "float", "value": value}:
            return tolerance.is_same(value, there["value"])
        case {"value": [real, imag]}:
            return tolerance.is_same(real, there["value"][0]) and tolerance.is_same(imag, there["value"][1])
        case {"parts": _}:  # that a part is missing is said of the part
            return True
        case _:
            return bool(here.get("text") == there.get("text") and here.get("digest") == there.get("digest"))


def _is_same_array(here: Leaf, there: Leaf, tolerance: Tolerance) -> bool | None:
    if any(here[fact] != there[fact] for fact in ("dtype", "shape", "nan")):
        return False
    if here["digest"] == there["digest"]:
        return True
    if tolerance.is_exact or not here["inexact"] or _are_apart(here, there, tolerance):
        return False
    return None


def _are_apart(here: Leaf, there: Leaf, tolerance: Tolerance) -> bool:
    """Tell whether extremes are too far apart for elements to be the same one by one; sizes of complex prove less."""
    if str(here["dtype"]).startswith("complex") or here["least"] is None:
        return False
    # The element beside an extreme may be a little larger than it, and its tolerance with it.
    slack = 1 / (1 - tolerance.rtol)
    wide = Tolerance(min(tolerance.rtol * slack, 0.999999), tolerance.atol * slack)
    return not all(wide.is_same(here[fact], there[fact]) for fact in ("least", "most")) and tolerance.rtol < 0.5


def index_of(number: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Return the index, in an array of this shape, of an element counted in C order."""
    index: list[int] = []
    for length in reversed(shape):
        number, here = divmod(number, length)
        index.append(here)
    return tuple(reversed(index))


@dataclass(frozen=True, slots=True)
class _Look:
    """What a look at two arrays found: the number of the first element that differs, and both; None when none does."""

    number: int | None = None
    values: tuple[str, str] = ("", "")
    why: str = ""

    @property
    def is_same(self) -> bool:
        return self.number is None and not self.why


class Comparer:
    """Compares samples, and asks what it must; answers are kept, so that nothing is asked twice.

    Args:
        tolerance: When numbers are the same.
        ask: Asks ranks.
        everyone: All ranks that may be asked; what is asked of one is asked of all that lead a sample at once.
    """

    def __init__(self, tolerance: Tolerance, ask: Asker, everyone: RankSet) -> None:
        self._tolerance = tolerance
        self._ask = ask
        self._everyone = everyone
        self._blocks: dict[str, dict[int, Blocks]] = {}
        self._looks: dict[tuple[str, int, int], _Look] = {}
        self._left = LIMIT_BYTES

    def groups(self, samples: Sequence[Sample]) -> list[Group]:
        """Group samples so that any two of a group are the same; the largest group first, then by lowest rank."""
        found: list[list[Sample]] = []
        for sample in sorted(samples, key=lambda one: (-len(one.ranks), one.first)):
            for group in found:
                if all(self.is_same(member, sample) for member in group):
                    group.append(sample)
                    break
            else:
                found.append([sample])
        groups = [Group(tuple(group)) for group in found]
        return sorted(groups, key=lambda group: (-len(group.ranks), group.ranks.first))

    def is_same(self, here: Sample, there: Sample) -> bool:
        """Tell whether two samples are the same."""
        if here.leaves.keys() != there.leaves.keys():
            return False
        told = {path: is_same_leaf(leaf, there.leaves[path], self._tolerance) for path, leaf in here.leaves.items()}
        if not all(one is not False for one in told.values()):
            return False
        return all(self._look(path, here, there).is_same for path, one in told.items() if one is None)

    def differences(self, here: Sample, there: Sample, *, limit: int | None = None) -> list[Difference]:
        """Return what differs between two samples, by path; of the first `limit` (None: all) the place in the array."""
        paths = dict.fromkeys([*here.leaves, *there.leaves])
        found: list[Difference] = []
        for path in paths:
            one, other = here.leaves.get(path), there.leaves.get(path)
            if one is None or other is None:
                if not _is_within(path, [difference.path for difference in found if _is_absent(difference)]):
                    found.append(Difference(path, one, other))
                continue
            told = is_same_leaf(one, other, self._tolerance)
            if told is None and self._look(path, here, there).is_same:
                continue
            if told is not True:
                found.append(self._placed(path, here, there, is_wanted=limit is None or len(found) < limit))
        return found

    def _placed(self, path: str, here: Sample, there: Sample, *, is_wanted: bool) -> Difference:
        one, other = here.leaves[path], there.leaves[path]
        if not is_wanted or not _have_one_form(one, other):
            return Difference(path, one, other)
        look = self._look(path, here, there)
        index = None if look.number is None else index_of(look.number, one["shape"])
        return Difference(path, one, other, index, look.values, look.why)

    # Looking at arrays.

    def _look(self, path: str, here: Sample, there: Sample) -> _Look:
        key = (path, here.first, there.first)
        if key not in self._looks:
            self._looks[key] = self._looked(path, here, there)
        return self._looks[key]

    def _looked(self, path: str, here: Sample, there: Sample) -> _Look:
        both = [self._blocks_of(path).get(one.first) for one in (here, there)]
        one, other = both
        digests = [blocks.whole() if blocks is not None else b"" for blocks in both]
        if one is None or other is None or digests != [one.leaves[path]["digest"] for one in (here, there)]:
            return _Look(why="it changes while it is looked at")
        unlike = one.unlike(other)
        start, count = 0, _FEW_BLOCKS
        while start < len(unlike):
            look = self._looked_at(path, here, there, unlike[start : start + count])
            if look is not None:
                return look
            start, count = start + count, min(4 * count, _MANY_BLOCKS)
        return _Look()

    def _looked_at(self, path: str, here: Sample, there: Sample, blocks: list[int]) -> _Look | None:
        """Compare the elements of some blocks; None when all are the same."""
        leaf = here.leaves[path]
        width = 2 if str(leaf["dtype"]).startswith("complex") else 1
        length = block_length(_size(leaf["shape"]))
        self._left -= 2 * 8 * width * length * len(blocks)
        if self._left < 0:
            return _Look(why="not compared to the end: too much is nearly the same for this tolerance")
        rows = self._ask.elements(RankSet([here.first, there.first]), path, blocks)
        if here.first not in rows or there.first not in rows:
            return _Look(why="it changes while it is looked at")
        pairs = zip(rows[here.first], rows[there.first], strict=False)
        tolerance = self._tolerance if leaf["inexact"] else EXACT
        for number, (one, other) in enumerate(pairs):
            if not tolerance.is_same(one, other):
                block, within = divmod(number // width, length)
                return _Look(blocks[block] * length + within, _written(one, other))
        return None

    def _blocks_of(self, path: str) -> dict[int, Blocks]:
        if path not in self._blocks:
            self._blocks[path] = dict(self._ask.blocks(self._everyone, path))
        return self._blocks[path]


def _written(one: float, other: float) -> tuple[str, str]:
    """Write two numbers with as many digits as it takes to tell them apart."""
    short = f"{one:.6g}", f"{other:.6g}"
    return short if short[0] != short[1] else (repr(float(one)), repr(float(other)))


def _size(shape: Iterable[int]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _have_one_form(here: Leaf, there: Leaf) -> bool:
    """Tell whether two leaves are arrays of numbers whose elements stand at the same places."""
    if here["kind"] != "array" or there["kind"] != "array" or here["shape"] != there["shape"]:
        return False
    return here["dtype"] == there["dtype"] and (here["least"] is not None or here["nan"] > 0)


def _is_absent(difference: Difference) -> bool:
    return difference.here is None or difference.there is None


def _is_within(path: str, parents: Iterable[str]) -> bool:
    return any(path.startswith(parent) for parent in parents)
