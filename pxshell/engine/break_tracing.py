"""Breakpoints by trace, for Python 3.11: while there are any, calls are traced, and lines only where they may be."""

from __future__ import annotations

from types import CodeType, FrameType

from pxshell.engine.breakpoints import BreakTable
from pxshell.engine.pausing import Pauser

__all__ = ["TracedBreakpoints"]


class TracedBreakpoints:
    """Keeps the pauser's trace as the table wants it.

    Args:
        table: The breakpoints.
        pauser: Traces and stops.
    """

    def __init__(self, table: BreakTable, pauser: Pauser) -> None:
        self._table = table
        self._pauser = pauser
        table.on_gone = self.apply
        table.can_stop = lambda: pauser.can_stop
        #: Return why to stop before this line. The table's own, for this is asked at every line.
        self.reached = table.reached

    def apply(self) -> None:
        """Take note of a change of the table; any thread."""
        self._pauser.stand_at("breakpoints", self if self._table else None)

    def watches(self, code: CodeType) -> bool:
        """Tell whether there is a breakpoint in this code."""
        return self._table.concerns(code)

    def left(self, frame: FrameType) -> None:
        """Take no note: lines are all that matter."""
