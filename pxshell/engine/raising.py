"""Stops where an exception is raised, before it unwinds the frames: in the innermost user frame that it passes.

From Python 3.12 on `sys.monitoring` tells of raised exceptions and costs nothing where none is raised
(https://docs.python.org/3/library/sys.monitoring.html); before, every call of user code is traced while one is waited
for.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Collection
from types import CodeType, FrameType, TracebackType
from typing import Any

from pxshell.engine.arming import call_in_main
from pxshell.engine.error_text import text_of
from pxshell.engine.frames import is_user_code, user_frames

__all__ = ["RaiseWatch"]

_log = logging.getLogger("pxshell.engine")

#: Stops in a frame; the text says why.
Stop = Callable[[FrameType, str], None]
Told = Callable[[FrameType, BaseException, TracebackType | None], None]


class RaiseWatch:
    """Which exceptions to stop at.

    Args:
        stop: Called in the main thread, in the frame that raises.
        main_ident: Identifier of the main thread; exceptions of others pass.
    """

    def __init__(self, stop: Stop, main_ident: int) -> None:
        self._stop = stop
        self._main_ident = main_ident
        self._names: frozenset[str] = frozenset()
        self._hook: _Hook = _Way(self._raised)

    @property
    def names(self) -> list[str]:
        """The classes that are stopped at."""
        return sorted(self._names)

    def watch(self, names: Collection[str]) -> str:
        """Stop at exceptions of these classes and of those below them; none ends it. Returns why not, or "".

        Args:
            names: Names of classes, with their module or without: `ValueError`, `json.JSONDecodeError`.
        """
        why = self._hook.switch(bool(names))
        if not why:
            self._names = frozenset(names)
        return why

    def _raised(self, frame: FrameType, error: BaseException, traceback: TracebackType | None) -> None:
        """An exception passes a frame."""
        if threading.get_ident() != self._main_ident or not is_user_code(frame.f_code.co_filename):
            return
        if not any(_is_named(kind, self._names) for kind in type(error).__mro__) or _has_passed_user_code(traceback):
            return
        name, text = type(error).__name__, text_of(error).partition("\n")[0]
        self._stop(frame, f"raises {name}: {text}" if text else f"raises {name}")


def _has_passed_user_code(traceback: TracebackType | None) -> bool:
    """Tell whether an exception has left a user frame already: it is told of once more in each frame that it leaves."""
    entry = traceback.tb_next if traceback is not None else None
    while entry is not None:
        if is_user_code(entry.tb_frame.f_code.co_filename):
            return True
        entry = entry.tb_next
    return False


def _is_named(kind: type, names: frozenset[str]) -> bool:
    return kind.__name__ in names or f"{kind.__module__}.{kind.__qualname__}" in names


class _Hook:
    """How the interpreter tells of exceptions.

    Args:
        raised: Told of (frame, exception, traceback), in the thread that raises.
    """

    def __init__(self, raised: Told) -> None:
        self._raised = raised

    def switch(self, on: bool) -> str:
        """Begin or end; return why it cannot begin, or ""."""
        raise NotImplementedError


if sys.version_info >= (3, 12):
    _FREE_TOOLS = (4, 3)

    class _Way(_Hook):
        """By `sys.monitoring`, under a tool id of its own."""

        _tool: int | None = None

        def switch(self, on: bool) -> str:
            """Begin or end."""
            monitoring = sys.monitoring
            if on and self._tool is None:
                tool = next((one for one in _FREE_TOOLS if monitoring.get_tool(one) is None), None)
                if tool is None:
                    return "other tools have taken all of sys.monitoring"
                self._tool = tool
                monitoring.use_tool_id(tool, "pxshell-raise")
                monitoring.register_callback(tool, monitoring.events.RAISE, self._told)
                monitoring.set_events(tool, monitoring.events.RAISE)
            elif not on and self._tool is not None:
                tool, self._tool = self._tool, None
                monitoring.set_events(tool, 0)
                monitoring.free_tool_id(tool)
            return ""

        def _told(self, code: CodeType, _offset: int, error: BaseException) -> None:
            if is_user_code(code.co_filename):
                self._raised(sys._getframe(1), error, error.__traceback__)  # noqa: SLF001 - the frame that raises

else:

    class _Way(_Hook):
        """By `sys.settrace` in the main thread: calls of user code and their exceptions, no lines."""

        _is_on = False

        def switch(self, on: bool) -> str:
            """Begin or end; at the main thread's next bytecode."""
            if on is not self._is_on:
                self._is_on = on
                call_in_main(self._install if on else self._remove)
            return ""

        def _install(self, frame: FrameType | None) -> None:
            if sys.gettrace() is not None:  # known in the main thread alone
                _log.warning("exceptions are not stopped at: another tracer (coverage, a debugger) is at work")
                return
            for one in user_frames(frame):
                if one.f_trace is None:
                    one.f_trace_lines, one.f_trace = False, self._event
            sys.settrace(self._call)

        def _remove(self, frame: FrameType | None) -> None:
            if sys.gettrace() == self._call:
                sys.settrace(None)
            for one in user_frames(frame):
                if one.f_trace == self._event:
                    one.f_trace, one.f_trace_lines = None, True

        def _call(self, frame: FrameType, event: str, _: Any) -> Any:
            if event != "call" or not is_user_code(frame.f_code.co_filename):
                return None
            frame.f_trace_lines = False
            return self._event

        def _event(self, frame: FrameType, event: str, told: Any) -> Any:
            if event == "exception":
                self._raised(frame, told[1], told[2])  # its own __traceback__ is older here
            return self._event
