"""The breakpoints of a rank: what they are about, what they ask of a line, and whether to stop there.

Any thread may change the table; the main thread asks it at lines. Each change makes new mappings, so no lock is held
while user code, a condition, runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from pxshell.engine.code_places import (
    first_line,
    is_at_begin,
    is_file,
    is_function,
    lines_of,
    loaded_file,
    loaded_function,
    place_in_file,
)
from pxshell.engine.conditions import Condition
from pxshell.engine.frames import Place
from pxshell.errors import UsageError

__all__ = ["BreakTable", "Breakpoint"]

#: Codes whose lines are remembered; of dynamic code there may be any number.
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """What is asked for: a line of a file, or the beginning of a function.

    Attributes:
        number: Its name.
        file: A file as the user writes it, "" with a function.
        line: In that file.
        function: A function as the user writes it, "" with a file.
        condition: An expression; "" is always.
        once: It goes away when it has stopped.
        hits: It stops from this time on; 1 is the first.
    """

    number: int
    file: str = ""
    line: int = 0
    function: str = ""
    condition: str = ""
    once: bool = False
    hits: int = 1

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> Breakpoint:
        """Read the content of a `px_break_request`."""
        return cls(
            int(content["number"]),
            str(content.get("file") or ""),
            int(content.get("line") or 0),
            str(content.get("function") or ""),
            str(content.get("condition") or ""),
            bool(content.get("once")),
            int(content.get("hits") or 1),
        )

    def line_in_file(self, filename: str) -> int:
        """Return the line at which it stops in a file; 0 if it is not about that."""
        if not self.file or not is_file(filename, self.file):
            return 0
        place = place_in_file(filename, self.line)
        return self.line if place is None else place.line


@dataclass(slots=True)
class _Standing:
    """A breakpoint with what has happened to it; counted in the main thread."""

    what: Breakpoint
    condition: Condition | None
    reached: int = 0
    stopped: int = 0


@dataclass(slots=True)
class _Found:
    """The breakpoints between two changes, and what has been found out about codes meanwhile.

    Replaced as a whole: what the main thread finds out about the old ones while others come is not taken for theirs.
    """

    all: Mapping[int, _Standing] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    lines: dict[tuple[int, str], tuple[CodeType, Mapping[int, tuple[_Standing, ...]]]] = field(default_factory=dict)
    files: dict[str, dict[int, int]] = field(default_factory=dict)  # file to its breakpoints' numbers and lines
    quick: dict[int, frozenset[int]] = field(default_factory=dict)  # codes to the lines that may be of interest


class BreakTable:
    """All breakpoints of this rank.

    Args:
        rank: What `rank` means in conditions.
    """

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._lock = threading.Lock()  # guards changes; never held while user code runs
        self._found = _Found()
        #: Whether a stop would take effect now.
        self.can_stop: Callable[[], bool] = lambda: True
        #: Called in the main thread, at a line, when one has gone of itself.
        self.on_gone: Callable[[], None] = lambda: None

    def __bool__(self) -> bool:
        return bool(self._found.all)

    @property
    def version(self) -> object:
        """What is another one after every change."""
        return self._found

    # -- any thread ----------------------------------------------------------------------------------------------------

    def add(self, breakpoint_: Breakpoint) -> Place | None:
        """Add a breakpoint; the same number again replaces it.

        Returns:
            Where it stops, None while no module with this file, or no such function, is loaded.

        Raises:
            UsageError: its condition cannot be read, or no line at or after its own runs.
        """
        condition = Condition(breakpoint_.condition, self._rank) if breakpoint_.condition else None
        place = _place(breakpoint_)
        with self._lock:
            before = self._found.all
            known = before.get(breakpoint_.number)
            if known is None or known.what != breakpoint_:
                self._replace({**before, breakpoint_.number: _Standing(breakpoint_, condition)})
        return place

    def remove(self, numbers: Iterable[int] | None = None) -> list[int]:
        """Remove breakpoints, None is all; returns the numbers of those that were there."""
        with self._lock:
            before = self._found.all
            gone = sorted(before if numbers is None else before.keys() & set(numbers))
            if gone:
                self._replace({number: one for number, one in before.items() if number not in gone})
        return gone

    def _replace(self, table: dict[int, _Standing]) -> None:
        names = (one.what.function.rpartition(".")[2] for one in table.values())
        self._found = _Found(table, frozenset(name for name in names if name))

    def listed(self) -> list[dict[str, Any]]:
        """Return each breakpoint as `px_breaks_reply` has it."""
        rows = []
        for one in self._found.all.values():
            what = one.what
            rows.append(
                {
                    "number": what.number,
                    "file": what.file,
                    "line": what.line,
                    "function": what.function,
                    "condition": what.condition,
                    "once": what.once,
                    "hits": what.hits,
                    "stopped": one.stopped,
                }
            )
        return rows

    # -- which lines ---------------------------------------------------------------------------------------------------

    def may_concern(self, code: CodeType) -> bool:
        """Tell quickly whether there may be a breakpoint in this code."""
        found = self._found
        return code.co_name in found.names or bool(_lines_in(found, code.co_filename))

    def concerns(self, code: CodeType) -> bool:
        """Tell whether there is a breakpoint in this code; of functions only as far as its own name tells."""
        return self.may_concern(code) and (code.co_name in self._found.names or bool(self._at(code, "")))

    def has_any_at(self, frame: FrameType) -> bool:
        """Tell whether there is a breakpoint at the line where a frame is."""
        return self.may_concern(frame.f_code) and bool(self._at(frame.f_code, _module(frame)).get(frame.f_lineno or 0))

    def _at(self, code: CodeType, module: str) -> Mapping[int, tuple[_Standing, ...]]:
        found = self._found
        known = found.lines.get((id(code), module))
        if known is not None and known[0] is code:
            return known[1]
        lines: dict[int, tuple[_Standing, ...]] = {}
        in_file = _lines_in(found, code.co_filename)
        own = lines_of(code)
        for number, one in found.all.items():
            line = in_file.get(number, 0)
            if one.what.function and is_function(code, module, one.what.function):
                line = first_line(code)
            if line in own:
                lines[line] = (*lines.get(line, ()), one)
        if len(found.lines) >= _REMEMBERED:
            found.lines.clear()
            found.quick.clear()
        found.lines[id(code), module] = (code, lines)
        found.quick[id(code)] = found.quick.get(id(code), frozenset()) | lines.keys()
        return lines

    # -- main thread: at a line ----------------------------------------------------------------------------------------

    def reached(self, frame: FrameType) -> str:
        """Return why to stop before this line: `breakpoint 2`; "" goes on. Runs conditions."""
        quick = self._found.quick.get(id(frame.f_code))
        if (quick is not None and frame.f_lineno not in quick) or not self.can_stop():
            return ""
        why = ""
        for one in self._at(frame.f_code, _module(frame)).get(frame.f_lineno or 0, ()):
            why = why or self._reached(one, frame)
        return why

    def _reached(self, one: _Standing, frame: FrameType) -> str:
        failure = ""
        if one.what.function and not is_at_begin(frame):
            return ""
        if one.condition is not None:
            holds, failure = one.condition.holds_in(frame)
            if not holds and not failure:
                return ""
        one.reached += 1
        if one.reached < one.what.hits and not failure:
            return ""
        one.stopped += 1
        if one.what.once:
            self.remove([one.what.number])
            self.on_gone()
        return f"breakpoint {one.what.number}{f': {failure}' if failure else ''}"


def _lines_in(found: _Found, filename: str) -> dict[int, int]:
    known = found.files.get(filename)
    if known is None:
        lines = {number: one.what.line_in_file(filename) for number, one in found.all.items()}
        known = found.files[filename] = {number: line for number, line in lines.items() if line}
    return known


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _place(breakpoint_: Breakpoint) -> Place | None:
    if breakpoint_.function:
        code = loaded_function(breakpoint_.function)
        return None if code is None else Place(code.co_filename, first_line(code), code.co_qualname)
    file = loaded_file(breakpoint_.file)
    if not file:
        return None
    place = place_in_file(file, breakpoint_.line)
    if place is None:
        raise UsageError(f"no breakpoint: nothing runs at or after line {breakpoint_.line} of {breakpoint_.file}")
    return place
