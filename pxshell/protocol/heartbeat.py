"""Signs of life: when to ask for one, when a peer is unresponsive, when it is lost. Time is an argument."""

from __future__ import annotations

from enum import Enum

__all__ = ["Heartbeat", "Sign"]


class Sign(Enum):
    """What a tick asks its caller to do."""

    PING = "ping"
    SILENT = "silent"
    LOST = "lost"


class Heartbeat:
    """Watches one peer; `tick` it once an interval, tell it everything that is `heard`.

    Args:
        interval: seconds between ticks.
        unresponsive_after: seconds without a sign of life.
        lost_after: the same; None never.
        now: the time of the first sign of life.
    """

    def __init__(self, interval: float, unresponsive_after: float, lost_after: float | None, now: float) -> None:
        self._interval = interval
        self._unresponsive_after = unresponsive_after
        self._lost_after = lost_after
        self._heard = now
        self._ticked = now
        self.is_silent = False
        self._is_lost = False

    def heard(self, now: float) -> bool:
        """Take a sign of life; True when the peer had been silent."""
        was_silent = self.is_silent
        self._heard = now
        self.is_silent = self._is_lost = False
        return was_silent

    def tick(self, now: float) -> list[Sign]:
        """Return what is due; SILENT and LOST once each, until something is heard."""
        self._forgive_own_pause(now)
        signs = [Sign.PING]
        silence = now - self._heard
        if silence >= self._unresponsive_after and not self.is_silent:
            self.is_silent = True
            signs.append(Sign.SILENT)
        if self._lost_after is not None and silence >= self._lost_after and not self._is_lost:
            self._is_lost = True
            signs.append(Sign.LOST)
        return signs

    def _forgive_own_pause(self, now: float) -> None:
        """Not count the time in which we ourselves stood still: stopped, suspended with the machine, or busy."""
        pause = now - self._ticked
        if pause > 2 * self._interval:
            self._heard = min(now, self._heard + pause)
        self._ticked = now
