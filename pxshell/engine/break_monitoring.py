"""Breakpoints by `sys.monitoring`, from Python 3.12 on: they cost where they are, and nothing elsewhere.

Each code is looked at when it begins, once, and then no more; line events are on in the codes with breakpoints alone,
and switched off, by their callback, at all lines without one. The callbacks run in whichever thread the code runs in.
"""

from __future__ import annotations

import sys
import threading
from types import CodeType
from typing import Any

from pxshell.engine.arming import call_in_main
from pxshell.engine.breakpoints import BreakTable
from pxshell.engine.code_places import running_codes
from pxshell.engine.pausing import Pauser
from pxshell.errors import UsageError

__all__ = ["MonitoredBreakpoints"]

#: 0 is a debugger's, 1 coverage's, 2 a profiler's, 5 an optimiser's (https://docs.python.org/3/library/sys.monitoring.html).
_TOOLS = (4, 3)


class MonitoredBreakpoints:
    """Keeps line events as the table wants them.

    Args:
        table: The breakpoints.
        pauser: Stops.
    """

    def __init__(self, table: BreakTable, pauser: Pauser) -> None:
        self._table = table
        self._pauser = pauser
        self._monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]  # mypy checks for 3.11
        self._tool: int | None = None
        self._marked: dict[int, CodeType] = {}  # codes with line events
        self._lock = threading.RLock()  # guards the two; reentrant, for our own code begins too
        pauser.is_seen_again = table.has_any_at
        # One that has gone while its line is being called back: the codes are left alone until that is over.
        table.on_gone = self._apply_soon
        table.can_stop = lambda: pauser.can_stop

    def apply(self) -> None:
        """Take note of a change of the table; any thread.

        Raises:
            UsageError: other tools hold all that there are.
        """
        with self._lock:
            if not self._table:
                self._end()
                return
            if self._tool is None:
                self._begin()
            for code in list(self._marked.values()):
                self._monitoring.set_local_events(self._tool, code, 0)
            self._marked.clear()
            for code in running_codes():
                self._mark(code)
            # What begins from now on is looked at again, and lines that were switched off are on.
            self._monitoring.restart_events()

    def _apply_soon(self) -> None:
        call_in_main(lambda _: self.apply())

    def _begin(self) -> None:
        monitoring = self._monitoring
        free = [tool for tool in _TOOLS if monitoring.get_tool(tool) is None]
        if not free:
            raise UsageError("no breakpoint: other tools hold all of sys.monitoring; end one of them")
        self._tool = free[0]
        monitoring.use_tool_id(self._tool, "pxshell")
        events = monitoring.events
        monitoring.register_callback(self._tool, events.PY_START, self._on_start)
        monitoring.register_callback(self._tool, events.PY_RESUME, self._on_start)
        monitoring.register_callback(self._tool, events.LINE, self._on_line)
        monitoring.set_events(self._tool, events.PY_START | events.PY_RESUME)

    def _end(self) -> None:
        if self._tool is None:
            return
        monitoring, events = self._monitoring, self._monitoring.events
        monitoring.set_events(self._tool, 0)
        for code in self._marked.values():
            monitoring.set_local_events(self._tool, code, 0)
        self._marked.clear()
        for event in (events.PY_START, events.PY_RESUME, events.LINE):
            monitoring.register_callback(self._tool, event, None)
        monitoring.free_tool_id(self._tool)
        self._tool = None

    def _mark(self, code: CodeType) -> None:
        if self._table.concerns(code):
            self._marked[id(code)] = code
            self._monitoring.set_local_events(self._tool, code, self._monitoring.events.LINE)

    # -- entered by the interpreter, in any thread ---------------------------------------------------------------------

    def _on_start(self, code: CodeType, _: int) -> object:
        """A code begins, or goes on after a yield, for the first time."""
        if self._table.may_concern(code) and id(code) not in self._marked:
            with self._lock:
                if self._tool is not None:
                    self._mark(code)
        return self._monitoring.DISABLE

    def _on_line(self, code: CodeType, line: int) -> object:
        """A line of a code with breakpoints is about to run."""
        frame = sys._getframe(1)  # noqa: SLF001 - the frame of the line
        version = self._table.version
        if frame.f_code is not code or not self._table.has_any_at(frame):
            # Not when another thread has changed the table since, and switched all lines on: it would be off for good.
            return self._monitoring.DISABLE if version is self._table.version else None
        if threading.get_ident() == self._pauser.main_ident and (why := self._table.reached(frame)):
            self._pauser.stop_at(frame, why)
        return None
