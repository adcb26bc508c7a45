"""Stops that stand until they are taken away, as the pauser asks them: breakpoints on Python 3.11, watches."""

from __future__ import annotations

from types import CodeType, FrameType
from typing import Protocol

__all__ = ["StandingStop"]


class StandingStop(Protocol):
    """Asked in the trace function of the main thread, for every line of the code that it watches, and of other code."""

    def watches(self, code: CodeType) -> bool:
        """Tell whether lines of this code are of interest; asked for each call, so it must be quick."""

    def reached(self, frame: FrameType) -> str:
        """Return why to stop before this line, in a few words; "" goes on."""

    def left(self, frame: FrameType) -> None:
        """Take note that a watched frame has been left for good."""
