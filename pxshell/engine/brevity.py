"""Work that is done in a moment: nobody is told that it runs, and what it says leaves together with its reply."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["BRIEF_S", "Brevity"]

#: Seconds that work may take without anybody being told that this rank is busy, and that what a cell says may wait for
#: its reply. As long as output may wait on its way (`protocol.flow`); with many ranks on few cores even a small cell
#: takes tens of milliseconds, and telling that each of them is busy, and idle again, would double that.
BRIEF_S = 0.05


class Brevity:
    """Watches, with one timer, whether the newest work is brief; the io thread's, but for `is_watched`.

    Args:
        call_later: Of the io thread's loop.
        is_over: Called in the io thread when work has come and none has for BRIEF_S: others are to know what this rank
            does.
    """

    def __init__(self, call_later: Callable[..., object], is_over: Callable[[], None]) -> None:
        self._call_later = call_later
        self._is_over = is_over
        self._until = 0.0
        #: Whether the loop will wake within BRIEF_S, whatever else happens; any thread may ask.
        self.is_watched = False

    def begin(self, since: float) -> None:
        """Work has come, at this time of the monotonic clock."""
        self._until = since + BRIEF_S
        if not self.is_watched:
            self.is_watched = True
            self._call_later(BRIEF_S, self._look)

    def _look(self) -> None:
        left = self._until - time.monotonic()
        if left > 0:
            self._call_later(left, self._look)
        else:
            self.is_watched = False
            self._is_over()
