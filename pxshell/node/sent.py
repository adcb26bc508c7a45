"""Signals that end processes, as they were sent: what may explain an end whose status nobody can know."""

from __future__ import annotations

import signal
from collections.abc import Callable

from pxshell.ranks import EMPTY, RankSet

__all__ = ["SentSignals"]

_DEADLY = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGABRT, signal.SIGQUIT, signal.SIGSEGV, signal.SIGINT})
#: Seconds in which an end may come of a signal; mpiexec takes its time to end the rest of a job.
_WINDOW_S = 10.0


class SentSignals:
    """The last deadly signal and its ranks.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._number = 0
        self._ranks = EMPTY
        self._until = 0.0

    def note(self, rank: int, number: int) -> None:
        """A signal has been sent to a rank."""
        if number not in _DEADLY:
            return
        if number != self._number or self._clock() > self._until:
            self._ranks = EMPTY
        self._number, self._ranks, self._until = number, self._ranks | RankSet.of(rank), self._clock() + _WINDOW_S

    @property
    def text(self) -> str:
        """`KILL was sent to 1`; "" when there was none lately."""
        if not self._number or self._clock() > self._until:
            return ""
        return f"{signal.Signals(self._number).name.removeprefix('SIG')} was sent to {self._ranks}"
