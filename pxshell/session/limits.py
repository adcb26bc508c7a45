"""One line, at the first pause of a session, about what may expire while the program stands."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from pxshell.protocol.message import Message
from pxshell.ranks import RankSet
from pxshell.session.answers import clean
from pxshell.session.desk import Desk
from pxshell.session.ports import RequestPort

__all__ = ["Limits", "limits_text"]

#: Seconds that ranks may take to answer before the prompt comes all the same.
_LIMIT_S = 1.0
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


class Limits:
    """Asks once; from the face's thread, or from the client's io thread when the program pauses itself."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._is_asked = False
        self._request: RequestPort | None = None
        self._is_said = False

    def name(self, ranks: RankSet) -> None:
        """Say it now, for the face's thread."""
        self.ask(ranks)
        if self._request is not None and not self._is_said:
            self._request.wait(_LIMIT_S)
            self._say_when_done()

    def ask(self, ranks: RankSet) -> None:
        """Ask ranks that stand, if none was asked before; the line comes with their answers."""
        with self._lock:
            if self._is_asked or not ranks:
                return
            self._is_asked = True
        self._request = self._desk.client.request("px_limits_request", {}, ranks, on_message=self._answered)
        self._say_when_done()

    def _answered(self, _: Message) -> None:
        self._say_when_done()

    def _say_when_done(self) -> None:
        request = self._request
        if request is None or not request.done:
            return
        told = (one for _, content in request.replies() for one in content.get("limits", ()))
        # With the lock: whoever comes second may leave, and the line would not be shown.
        with self._lock:
            if not self._is_said and (text := limits_text(told, time.time())):
                self._desk.say(text, "warning")
            self._is_said = True


def limits_text(limits: Iterable[Mapping[str, Any]], now: float) -> str:
    """Write what may expire, the nearest limit of each kind; "" when there is none.

    Args:
        limits: `what`, and `seconds` from the pause on, or `end` in seconds of Unix.
        now: The time, in seconds of Unix.
    """
    ends: dict[str, str] = {}
    nearest: dict[str, float] = {}
    for one in limits:
        what, left = clean(str(one["what"])), float(one["seconds"] if "seconds" in one else one["end"] - now)
        if left < nearest.get(what, float("inf")):
            nearest[what] = left
            ends[what] = f"{what} {'after' if 'seconds' in one else 'in'} {_time_text(left)}"
    return f"while it is paused may expire: {'; '.join(ends.values())}" if ends else ""


def _time_text(seconds: float) -> str:
    """Write a time in its two largest units: `3 h 12 min`, `30 min`, `45 s`."""
    left = max(0, int(seconds))
    parts: list[tuple[int, str]] = []
    for size, unit in _UNITS:
        if left >= size or parts:
            parts.append((left // size, unit))
            left %= size
    told = [f"{count} {unit}" for count, unit in parts[:2] if count]
    return " ".join(told) or f"{left} s"
