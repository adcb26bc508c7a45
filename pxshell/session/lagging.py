"""Where ranks are that a synchronised pause waits for: what is said of them beside that they are not there."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pxshell.ranks import EMPTY, RankSet, union
from pxshell.session.desk import Desk
from pxshell.session.ports import RequestPort
from pxshell.session.stacktrees import tree_of_request
from pxshell.session.stuck import stack_text
from pxshell.session.sync import ARRIVING, SILENT

__all__ = ["Lagging", "Reasons"]

Reasons = list[tuple[RankSet, str]]
"""Ranks, and why they are waited for."""

#: Seconds in which ranks have to say where they are; a node that reads them from outside takes longer than one.
_LIMIT_S = 2.0
#: Seconds between two looks.
_EVERY_S = 1.0


class Lagging:
    """Looks where they are; for one thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._request: RequestPort | None = None
        self._asked_at = float("-inf")
        self._places: Mapping[str, RankSet] = {}

    def look(self, missing: Reasons) -> Reasons:
        """Return the reasons with the places as they were said last, and ask again now and then; does not wait."""
        if self._request is not None and (self._request.done or time.monotonic() > self._asked_at + _LIMIT_S):
            self._take(self._request)
        if self._request is None and time.monotonic() > self._asked_at + _EVERY_S:
            self._ask(missing)
        return _placed(missing, self._places)

    def told(self, missing: Reasons) -> Reasons:
        """Return the reasons with the places, which are asked for and waited for."""
        self._ask(missing)
        if self._request is not None:
            self._request.wait(_LIMIT_S)
            self._take(self._request)
        return _placed(missing, self._places)

    def _ask(self, missing: Reasons) -> None:
        ranks = union(some for some, why in missing if why in {SILENT, ARRIVING}) & self._desk.client.states.alive()
        if self._request is not None:
            self._request.forget()
        self._asked_at = time.monotonic()
        self._request = self._desk.client.request("px_stacks_request", {"full": False}, ranks) if ranks else None

    def _take(self, request: RequestPort) -> None:
        found: dict[str, RankSet] = {}
        for stack in tree_of_request(request, _LIMIT_S).stacks():
            if text := stack_text(stack):
                found[text] = found.get(text, EMPTY) | stack.ranks
        request.forget()
        self._request, self._places = None, found


def _placed(missing: Reasons, places: Mapping[str, RankSet]) -> Reasons:
    told: Reasons = []
    for ranks, why in missing:
        left = ranks
        for place, there in places.items() if why in {SILENT, ARRIVING} else ():
            if some := ranks & there:
                # One that is silent has not refused to answer: its main thread is in C, and takes no notice yet.
                told.append((some, f"it is {place}" if why == SILENT else f"{why}, it is {place}"))
                left -= some
        if left:
            told.append((left, why))
    return told
