"""Breakpoints that many ranks have, each of them one breakpoint in the editor."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pxshell.debug.conversation import Json
from pxshell.ranks import RankSet

__all__ = ["MergedBreakpoints"]


@dataclass(eq=False, slots=True)
class _Breakpoint:
    """One of the editor's.

    Attributes:
        number: The editor's; 0 for one that cannot be spoken of later, since no rank has numbered it.
        asked: The ranks that were asked for it and are still there.
        given: What each rank says of it, with that rank's own number.
        told: What the editor knows.
    """

    number: int
    asked: set[int]
    given: dict[int, Json]
    told: dict[str, Any] = field(default_factory=dict)

    def merged(self) -> dict[str, Any]:
        """Return what all say: it is verified if some rank has it, and says on which if not on all."""
        verified = RankSet(rank for rank, one in self.given.items() if one.get("verified"))
        made = dict(self.given[verified.first if verified else min(self.given)])
        made.pop("id", None)
        if self.number:
            made["id"] = self.number
        if verified and verified != (asked := RankSet(self.asked)):
            made["message"] = f"on {verified} of {asked}"
        return made


class MergedBreakpoints:
    """The breakpoints of one editor.

    debugpy of each rank numbers them from 0, and numbers them anew each time that those of a file are set.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._of: dict[tuple[int, int], _Breakpoint] = {}
        #: Of each file, and of all functions: what the last request about them has set.
        self._set: dict[str, list[_Breakpoint]] = {}
        #: What ranks have said of numbers that are in no answer yet.
        self._early: dict[tuple[int, int], Json] = {}

    def answered(self, request: Json, bodies: Mapping[int, Json]) -> dict[str, Any]:
        """Return the body of the one answer to a request that has set the breakpoints of a file, or of functions."""
        place = _place(request)
        for old in self._set.pop(place, ()):
            self._drop(old)
        answers = {rank: list(body.get("breakpoints") or ()) for rank, body in bodies.items()}
        count = max(map(len, answers.values()), default=0)
        self._set[place] = made = [self._made(answers, index) for index in range(count)]
        return {"breakpoints": [one.told for one in made]}

    def _made(self, answers: Mapping[int, list[Json]], index: int) -> _Breakpoint:
        given = {rank: found[index] for rank, found in answers.items() if index < len(found)}
        is_numbered = any("id" in one for one in given.values())
        made = _Breakpoint(next(self._numbers) if is_numbered else 0, set(answers), given)
        for rank, said in list(given.items()):
            if "id" in said:
                key = rank, int(said["id"])
                self._of[key] = made
                made.given[rank] = self._early.pop(key, said)
                self._early = {one: kept for one, kept in self._early.items() if one[0] != rank or one[1] > key[1]}
        made.told = made.merged()
        return made

    def _drop(self, old: _Breakpoint) -> None:
        self._of = {key: one for key, one in self._of.items() if one is not old}

    def hit(self, rank: int, numbers: Iterable[int]) -> list[int]:
        """Return the editor's numbers for a rank's; those that mean nothing to the editor are left out."""
        found = (self._of.get((rank, int(number))) for number in numbers)
        return [one.number for one in found if one is not None]

    def changed(self, rank: int, body: Json) -> list[dict[str, Any]]:
        """Take a rank's `breakpoint` event; return the bodies of those that the editor is to be told."""
        said: Json = body.get("breakpoint") or {}
        if "id" not in said:
            return []
        key = rank, int(said["id"])
        breakpoint_ = self._of.get(key)
        if breakpoint_ is None:
            if body.get("reason") == "changed":
                self._early[key] = said
            return []
        if body.get("reason") == "removed":
            del self._of[key]
            breakpoint_.given.pop(rank)
        else:
            breakpoint_.given[rank] = said
        return self._retold(breakpoint_)

    def lose(self, rank: int) -> list[dict[str, Any]]:
        """Do without a rank that is gone; return the bodies of `breakpoint` events that are to be told."""
        self._of = {key: one for key, one in self._of.items() if key[0] != rank}
        self._early = {key: one for key, one in self._early.items() if key[0] != rank}
        told: list[dict[str, Any]] = []
        for one in [one for group in self._set.values() for one in group]:
            one.asked.discard(rank)
            if one.given.pop(rank, None) is not None:
                told += self._retold(one)
        return told

    def _retold(self, one: _Breakpoint) -> list[dict[str, Any]]:
        if not one.given:
            return [{"reason": "removed", "breakpoint": {"id": one.number, "verified": False}}] if one.number else []
        before, one.told = one.told, one.merged()
        return [{"reason": "changed", "breakpoint": one.told}] if one.number and one.told != before else []


def _place(request: Json) -> str:
    source: Json = (request.get("arguments") or {}).get("source") or {}
    return str(source.get("path") or source.get("sourceReference") or request.get("command"))
