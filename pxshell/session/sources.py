"""Where compared values are: on ranks, which are asked about them, or here, read from a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from pxshell.ranks import EMPTY, RankSet
from pxshell.session.surveys import Subject, Surveys
from pxshell.values.blocks import Blocks
from pxshell.values.comparing import Sample
from pxshell.values.survey import Survey, answer, blocks_in, elements_in
from pxshell.values.tolerance import Tolerance

__all__ = ["Both", "OnRanks", "Source", "Stored"]


class Source(Protocol):
    """Values by rank; the other two methods are those of `values.comparing.Asker`."""

    def samples(self) -> list[Sample]:
        """Describe the values: by first rank, each description once."""

    def blocks(self, ranks: RankSet, path: str) -> Mapping[int, Blocks]:
        """Return digests of blocks."""

    def elements(self, ranks: RankSet, path: str, blocks: Sequence[int]) -> Mapping[int, Sequence[float]]:
        """Return elements."""


class OnRanks:
    """An expression's values, on ranks. What cannot be answered is shown, once."""

    def __init__(self, surveys: Surveys, subject: Subject, tolerance: Tolerance) -> None:
        self._surveys = surveys
        self._subject = subject
        self._tolerance = tolerance

    def samples(self) -> list[Sample]:
        """Describe the values."""
        found = self._surveys.ask(self._subject, {"ask": "describe"})
        return sorted((Sample.of(one.ranks, one.content["leaves"]) for one in found), key=lambda one: one.first)

    def blocks(self, ranks: RankSet, path: str) -> Mapping[int, Blocks]:
        """Return digests of blocks."""
        question = {"ask": "blocks", "path": path, **self._tolerance.to_content()}
        found = self._surveys.ask(self._subject, question, ranks, is_quiet=True)
        return {rank: blocks_in(one.content) for one in found for rank in one.ranks}

    def elements(self, ranks: RankSet, path: str, blocks: Sequence[int]) -> Mapping[int, Sequence[float]]:
        """Return elements."""
        question = {"ask": "elements", "path": path, "blocks": list(blocks)}
        found = self._surveys.ask(self._subject, question, ranks, is_quiet=True)
        return {rank: elements_in(one.buffers) for one in found for rank in one.ranks}


class Stored:
    """Values that are here, by rank; the questions are answered by the same code as on ranks."""

    def __init__(self, values: Mapping[int, Any], tolerance: Tolerance) -> None:
        self._values = values
        self._tolerance = tolerance

    def samples(self) -> list[Sample]:
        """Describe the values; one that stands for many ranks is described once."""
        ranks: dict[int, RankSet] = {}
        for rank, value in self._values.items():
            ranks[id(value)] = ranks.get(id(value), EMPTY) | RankSet.of(rank)
        answers = [(held, self._answer(held.first, {"ask": "describe"})) for held in ranks.values()]
        return [Sample.of(held, content["leaves"]) for held, (content, _) in answers]

    def blocks(self, ranks: RankSet, path: str) -> Mapping[int, Blocks]:
        """Return digests of blocks."""
        question = {"ask": "blocks", "path": path, **self._tolerance.to_content()}
        return {rank: blocks_in(content) for rank, (content, _) in self._answers(ranks, question)}

    def elements(self, ranks: RankSet, path: str, blocks: Sequence[int]) -> Mapping[int, Sequence[float]]:
        """Return elements."""
        question = {"ask": "elements", "path": path, "blocks": list(blocks)}
        return {rank: elements_in(buffers) for rank, (_, buffers) in self._answers(ranks, question)}

    def _answers(self, ranks: RankSet, question: Mapping[str, Any]) -> Iterator[tuple[int, Survey]]:
        """Answer of each rank that has an array at the path."""
        for rank in ranks:
            with suppress(LookupError):
                yield rank, self._answer(rank, question)

    def _answer(self, rank: int, question: Mapping[str, Any]) -> Survey:
        return answer({**question, "expression": ""}, lambda _: self._values[rank])


class Both:
    """Two sources as one: the ranks of the second have `shift` added to their numbers, for they may be the same ranks.

    Args:
        one: The first.
        other: The second.
        shift: Above all ranks of the first.
    """

    def __init__(self, one: Source, other: Source, shift: int) -> None:
        self._one = one
        self._other = other
        self._shift = shift

    def samples(self) -> list[Sample]:
        """Describe the values of both."""
        others = [replace(one, ranks=self._shifted(one.ranks, self._shift)) for one in self._other.samples()]
        return [*self._one.samples(), *others]

    def blocks(self, ranks: RankSet, path: str) -> Mapping[int, Blocks]:
        """Return digests of blocks."""
        mine, theirs = self._parted(ranks)
        found = dict(self._one.blocks(mine, path)) if mine else {}
        others = self._other.blocks(theirs, path) if theirs else {}
        return found | {rank + self._shift: blocks for rank, blocks in others.items()}

    def elements(self, ranks: RankSet, path: str, blocks: Sequence[int]) -> Mapping[int, Sequence[float]]:
        """Return elements."""
        mine, theirs = self._parted(ranks)
        found = dict(self._one.elements(mine, path, blocks)) if mine else {}
        others = self._other.elements(theirs, path, blocks) if theirs else {}
        return found | {rank + self._shift: row for rank, row in others.items()}

    def _parted(self, ranks: RankSet) -> tuple[RankSet, RankSet]:
        theirs = RankSet(rank for rank in ranks if rank >= self._shift)
        return ranks - theirs, self._shifted(theirs, -self._shift)

    @staticmethod
    def _shifted(ranks: RankSet, by: int) -> RankSet:
        return RankSet(rank + by for rank in ranks)
