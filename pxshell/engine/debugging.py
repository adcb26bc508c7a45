"""The debugger's questions that this rank answers beside its main thread: where, source, breakpoints, watches."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from pxshell.engine.break_tracing import TracedBreakpoints
from pxshell.engine.breakpoints import Breakpoint, BreakTable
from pxshell.engine.frame_stack import FrameStack
from pxshell.engine.frames import Place, is_own_code
from pxshell.engine.outbox import Request
from pxshell.engine.pausing import Pauser
from pxshell.engine.sources import source_line, source_lines
from pxshell.engine.stacks import running_frame, stack_of
from pxshell.engine.watching import Watches
from pxshell.errors import UsageError
from pxshell.protocol.message import Message
from pxshell.protocol.stacks import Frame

__all__ = ["Debugging", "make_backend"]


class Debugging:
    """Handlers for the control thread; those of `where` and `source`, which read files, may run at its side.

    Args:
        rank: This rank's number.
        pauser: Stops the main thread.
        say: Takes a line for people.
    """

    def __init__(self, rank: int, pauser: Pauser, say: Callable[[str], None]) -> None:
        self._pauser = pauser
        self._table = BreakTable(rank)
        self._watches = Watches(rank, pauser, say)
        self._backend: Any = make_backend(self._table, pauser)

    # -- looking -------------------------------------------------------------------------------------------------------

    def where(self, message: Message, request: Request) -> dict[str, Any]:
        """Return the stack of the pause with its selected frame, or that of what runs."""
        del request
        full = bool(message.data().get("full"))
        paused = self._pauser.paused
        try:
            entries, selected = _paused_entries(paused.stack, full=full) if paused is not None else self._running(full)
        except RuntimeError:  # it has ended meanwhile
            entries, selected = self._running(full)
        rows = [[one.file, one.line, one.function, one.is_user, source_line(one.file, one.line)] for one in entries]
        return {"status": "ok", "entries": rows, "selected": selected}

    def _running(self, full: bool) -> tuple[list[Frame], int]:
        entries = list(stack_of(running_frame(self._pauser.main_ident), full=full))
        if not full:
            while entries and is_own_code(entries[-1].file):  # the idle loop
                entries.pop()
        return entries, max((i for i, one in enumerate(entries) if one.is_user), default=len(entries) - 1)

    def source(self, message: Message, request: Request) -> dict[str, Any]:
        """Return lines of a file of this rank's machine."""
        del request
        content = message.data()
        first, lines = source_lines(str(content["file"]), int(content["first"]), int(content["count"]))
        if not lines:
            return {"status": "error", "why": f"there is no source of {content['file']} from line {first} on"}
        return {"status": "ok", "first": first, "lines": lines}

    # -- breakpoints ---------------------------------------------------------------------------------------------------

    def add(self, message: Message, request: Request) -> dict[str, Any]:
        """Set a breakpoint or a watch."""
        del request
        content = message.data()
        try:
            if content.get("watch"):
                place, cost = self._watches.add(int(content["number"]), str(content["watch"]), self._selected())
                return {"status": "ok", "cost": cost, **_told(place)}
            return {"status": "ok", **_told(self._add(Breakpoint.from_content(content)))}
        except UsageError as error:
            return {"status": "error", "why": str(error)}

    def _selected(self) -> FrameType | None:
        paused = self._pauser.paused
        return paused.stack.selected.frame if paused is not None else running_frame(self._pauser.main_ident)

    def _add(self, breakpoint_: Breakpoint) -> Place | None:
        place = self._table.add(breakpoint_)
        try:
            self._backend.apply()
        except UsageError:
            self._table.remove([breakpoint_.number])
            raise
        return place

    def stand(self, message: Message, request: Request) -> None:
        """Take the breakpoints that others of this cluster got before this process was there."""
        del request
        for content in message.data()["breaks"]:
            try:
                self._add(Breakpoint.from_content(content))
            except UsageError:
                continue  # whoever set it has been told by the ranks that were there

    def clear(self, message: Message, request: Request) -> dict[str, Any]:
        """Take breakpoints and watches away; without numbers all of them."""
        del request
        numbers = [int(one) for one in message.data()["numbers"]] or None
        gone = self._table.remove(numbers)
        if gone:
            self._backend.apply()
        return {"status": "ok", "cleared": sorted([*gone, *self._watches.remove(numbers)])}

    def listed(self, message: Message, request: Request) -> dict[str, Any]:
        """Return all of them."""
        del message, request
        rows = [*self._table.listed(), *self._watches.listed()]
        return {"status": "ok", "breaks": sorted(rows, key=lambda row: int(row["number"]))}


def _paused_entries(stack: FrameStack, *, full: bool) -> tuple[list[Frame], int]:
    selected = stack.index
    places = [(index, one) for index, one in enumerate(stack.frames) if full or one.is_user or index == selected]
    entries = [Frame(one.place.file, one.place.line, one.place.function, one.is_user) for _, one in places]
    return entries, [index for index, _ in places].index(selected)


def _told(place: Place | None) -> dict[str, Any]:
    if place is None:
        return {"file": "", "line": 0, "function": ""}
    return {"file": place.file, "line": place.line, "function": place.function}


def make_backend(table: BreakTable, pauser: Pauser) -> Any:
    """Return what keeps the stops of this Python as the table wants them."""
    if hasattr(sys, "monitoring"):  # Python 3.12
        from pxshell.engine.break_monitoring import MonitoredBreakpoints

        return MonitoredBreakpoints(table, pauser)
    return TracedBreakpoints(table, pauser)
