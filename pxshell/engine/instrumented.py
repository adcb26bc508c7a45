"""Code objects into which a debugger has put events (PEP 669), so that they can be taken out again.

The interpreter forgets a tool that is given back, but not the events that it has set in single code objects: code that
was once looked at would stay slower for good, ten times so on some versions.
"""

from __future__ import annotations

import sys
from types import CodeType
from typing import Any

__all__ = ["Instrumented"]


class Instrumented:
    """Notes, from `begin` to `end`, where a debugger sets events; Python 3.12 or newer."""

    def __init__(self) -> None:
        # By identity: equal code objects are not the same.
        self._codes: dict[int, CodeType] = {}
        self._set: Any = None

    def begin(self) -> None:
        """Listen to `sys.monitoring.set_local_events`."""
        if self._set is None:
            monitoring = _monitoring()
            self._set = monitoring.set_local_events
            monitoring.set_local_events = self._note

    def _note(self, tool_id: int, code: CodeType, event_set: int, /) -> None:
        if tool_id == _monitoring().DEBUGGER_ID:
            self._codes[id(code)] = code
        self._set(tool_id, code, event_set)

    def end(self) -> None:
        """Take out all events that were set; before the debugger gives its tool back."""
        if self._set is None:
            return
        original, self._set = self._set, None
        monitoring = _monitoring()
        monitoring.set_local_events = original
        while self._codes:
            _, code = self._codes.popitem()
            original(monitoring.DEBUGGER_ID, code, 0)


def _monitoring() -> Any:
    return sys.monitoring  # type: ignore[attr-defined]  # types are checked for Python 3.11, which has none
