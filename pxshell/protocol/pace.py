"""How much text a view takes: so many bytes a second, and a good deal at once."""

from __future__ import annotations

__all__ = ["BURST_BYTES", "Pace"]

#: Bytes that go at once after a rest: what a cell prints that is no flood.
BURST_BYTES = 1 << 20
#: Seconds of its rate that a view which was closed saves up before it opens again: no notice for every few lines.
_PAUSE_S = 0.25


class Pace:
    """A budget that fills with time: spent by what is shown, closed when there is none left.

    The last message may be larger than what is left; the view then stays closed until that is made up for.

    Args:
        rate: bytes a second, more than 0.
        burst: bytes that are there after a rest.
    """

    def __init__(self, rate: float, burst: float = BURST_BYTES) -> None:
        self.rate = rate
        self._burst = burst
        self._left = burst
        self._last: float | None = None
        self._is_closed = False

    def is_open(self, now: float) -> bool:
        """Tell whether the next message may go."""
        if self._last is not None:
            self._left = min(self._burst, self._left + max(0.0, now - self._last) * self.rate)
        self._last = now
        if self._left >= min(self._burst, self.rate * _PAUSE_S):
            self._is_closed = False
        return not self._is_closed

    def spend(self, size: int, now: float) -> bool:
        """Let a message of so many bytes go; False while the view is closed, and nothing was spent."""
        if not self.is_open(now):
            return False
        self._left -= size
        self._is_closed = self._left <= 0
        return True

    def opens_in(self, now: float) -> float:
        """Return the seconds until the view is open again if nothing is spent; 0 when it is open."""
        if self.is_open(now):
            return 0.0
        return (min(self._burst, self.rate * _PAUSE_S) - self._left) / self.rate
