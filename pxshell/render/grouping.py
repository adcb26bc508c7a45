"""Which ranks said the same: the majority, who differs from it, and which groups are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from pxshell.ranks import EMPTY, RankSet
from pxshell.render.events import Answer, CellAnswers, Failure, Missing, Refusal

__all__ = ["MAX_GROUPS", "SHOWN_GROUPS", "by_majority", "odd_of", "shown_and_rest", "unfolded"]

MAX_GROUPS = 10
"""Up to so many groups all are shown; above, only the largest."""
SHOWN_GROUPS = 8

Said = TypeVar("Said", Answer, Failure, Refusal, Missing)


def by_majority(groups: Iterable[Said]) -> list[Said]:
    """Order groups: the largest first, then by first rank; a rank's own answers stay in their order."""
    return sorted(groups, key=lambda group: (getattr(group, "order", 0), -len(group.ranks), group.ranks.first))


def odd_of(cell: CellAnswers) -> RankSet:
    """Return the ranks outside the majority; empty when all agree, or no group holds more than half."""
    said: list[Answer | Failure] = [*cell.answers, *cell.failures]
    everyone = cell.silent
    for group in said:
        everyone |= group.ranks
    if not everyone:
        return EMPTY
    classes = _classes(said, everyone.last + 1)
    numbers = [classes[rank] for rank in everyone]
    ((majority, size),) = Counter(numbers).most_common(1)
    if 2 * size <= len(numbers):
        return EMPTY
    return RankSet(rank for rank, number in zip(everyone, numbers, strict=True) if number != majority)


def _classes(said: Sequence[Answer | Failure], end: int) -> list[int]:
    """Number the classes of ranks that answered the same in all: for each rank below `end` that of its class."""
    # A class is a node in a tree: the class before the last answer, and that answer. So the cost is that of the
    # answers' ranks, however many different answers there are.
    at, count = [0] * end, 1
    for group in said:
        child: dict[int, int] = {}
        for start, stop in group.ranks.intervals():
            segment = at[start:stop]
            for node in set(segment) - child.keys():
                child[node] = count
                count += 1
            at[start:stop] = map(child.__getitem__, segment)
    return at


def shown_and_rest(cell: CellAnswers) -> tuple[list[Answer], list[Answer]]:
    """Return the answers to show and those that one line stands for; failures are always shown."""
    answers = by_majority(cell.answers)
    if cell.all_groups or len(answers) + len(cell.failures) <= MAX_GROUPS:
        return answers, []
    largest = sorted(answers, key=lambda answer: (-len(answer.ranks), answer.order, answer.ranks.first))
    kept = {id(answer) for answer in largest[:SHOWN_GROUPS]}
    return [one for one in answers if id(one) in kept], [one for one in answers if id(one) not in kept]


def unfolded(cell: CellAnswers) -> CellAnswers:
    """Return the same answers, each rank by itself."""
    return CellAnswers(
        cell.cell,
        tuple(_each(cell.answers)),
        tuple(_each(cell.failures)),
        tuple(_each(cell.refusals)),
        tuple(_each(cell.missing)),
        cell.silent,
        all_groups=True,
    )


def _each(groups: Sequence[Said]) -> list[Said]:
    singles = [replace(group, ranks=RankSet.of(rank)) for group in groups for rank in group.ranks]
    return sorted(singles, key=lambda group: group.ranks.first)
