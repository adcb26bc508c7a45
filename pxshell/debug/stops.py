"""Stops of many ranks, folded: those that stop together at one place are told as one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from pxshell.debug.conversation import Json
from pxshell.ranks import RankSet

__all__ = ["Stop", "Stops"]


@dataclass(frozen=True, slots=True)
class Stop:
    """One rank's stop.

    Attributes:
        rank: Who.
        thread: The editor's number of the thread that has stopped.
        body: Of debugpy's event.
        place: `sim.py:88`; "" when unknown.
    """

    rank: int
    thread: int
    body: Json
    place: str


class Stops:
    """Stops that have come and have not been told."""

    def __init__(self) -> None:
        self._waiting: list[Stop] = []

    def add(self, stop: Stop) -> bool:
        """Keep a stop; return whether it is the first that waits."""
        self._waiting.append(stop)
        return len(self._waiting) == 1

    def forget(self, rank: int) -> None:
        """The rank has gone on, or is gone."""
        self._waiting = [one for one in self._waiting if one.rank != rank]

    def take(self, everybody: Collection[int]) -> list[dict[str, Any]]:
        """Return the bodies of the `stopped` events to tell, and keep nothing.

        Stops for one reason at one place have one description, and only the first takes the editor's focus; the others
        mark their threads. When all ranks have stopped there, one event says so for all.

        Args:
            everybody: The ranks that are debugged.
        """
        groups: dict[tuple[str, str], list[Stop]] = {}
        for stop in self._waiting:
            groups.setdefault((str(stop.body.get("reason", "")), stop.place), []).append(stop)
        self._waiting = []
        ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[1][0].rank))
        told: list[dict[str, Any]] = []
        for (_, place), stops in ordered:
            ranks = RankSet(stop.rank for stop in stops)
            text = f"{'rank' if len(ranks) == 1 else 'ranks'} {ranks}{f' at {place}' if place else ''}"
            for stop in sorted(stops, key=lambda one: one.rank):
                body = {**stop.body, "threadId": stop.thread, "description": text, "text": text}
                told.append(body | {"allThreadsStopped": False, "preserveFocusHint": bool(told)})
        if len(ordered) == 1 and {stop.rank for stop in ordered[0][1]} == set(everybody):
            hits = {"hitBreakpointIds": found} if (found := _hits(ordered[0][1])) else {}
            return [told[0] | {"allThreadsStopped": True} | hits]
        return told


def _hits(stops: Iterable[Stop]) -> list[int]:
    return sorted({number for stop in stops for number in stop.body.get("hitBreakpointIds") or ()})
