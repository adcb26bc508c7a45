"""An exception of a cell as message content: IPython's traceback of the user's frames, and where it happened."""

from __future__ import annotations

import linecache
import traceback as plain
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from pxshell.engine.drawing import quick_drawing
from pxshell.engine.error_text import text_of
from pxshell.engine.frames import is_user_code
from pxshell.engine.interrupts import Interrupts

if TYPE_CHECKING:
    from pxshell.engine.shell import RankShell

__all__ = ["describe"]

_LONGEST_CHAIN = 32
_HANDLER = Interrupts._handle.__code__  # noqa: SLF001 - its frames are ours, wherever it was called


def describe(
    shell: RankShell,
    etype: type[BaseException],
    value: BaseException,
    tb: TracebackType | None,
    *,
    exception_only: bool = False,
) -> dict[str, Any]:
    """Return the content of an `error` message.

    Args:
        shell: Draws the traceback.
        etype: The exception's type.
        value: The exception.
        tb: Its traceback.
        exception_only: Without frames.
    """
    name = getattr(etype, "__name__", str(etype))
    short, full = ([], []) if exception_only else (_user_only(tb), _below_ours(tb))
    drawn = _draw(shell, etype, value, short)
    is_whole = len(short) == len(full) and not _is_chained(value)
    whole = drawn if is_whole else _draw(shell, etype, value, full, whole=True)
    return {"ename": name, "evalue": text_of(value), "traceback": drawn, "full": whole} | _place(shell, value, short)


def _entries(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _user_only(tb: TracebackType | None) -> list[TracebackType]:
    return [entry for entry in _entries(tb) if is_user_code(entry.tb_frame.f_code.co_filename)]


def _below_ours(tb: TracebackType | None) -> list[TracebackType]:
    """Leave out the frames above the cell, ours and IPython's, and that of our handler, which has raised Ctrl-C."""
    entries = [entry for entry in _entries(tb) if entry.tb_frame.f_code is not _HANDLER]
    first = next((i for i, e in enumerate(entries) if is_user_code(e.tb_frame.f_code.co_filename)), 0)
    return entries[first:]


def _linked(entries: list[TracebackType]) -> TracebackType | None:
    linked: TracebackType | None = None
    for entry in reversed(entries):
        # An instruction may have no line: that of a signal's exception, raised before the function's first.
        line = entry.tb_lineno or entry.tb_frame.f_code.co_firstlineno
        linked = TracebackType(linked, entry.tb_frame, entry.tb_lasti, line)
    return linked


def _is_chained(value: BaseException) -> bool:
    return value.__cause__ is not None or (value.__context__ is not None and not value.__suppress_context__)


def _draw(
    shell: RankShell,
    etype: type[BaseException],
    value: BaseException,
    entries: list[TracebackType],
    *,
    whole: bool = False,
) -> list[str]:
    render = getattr(value, "_render_traceback_", None)
    if render is not None:
        return [str(line) for line in render()]
    if isinstance(value, UsageError):
        return [f"UsageError: {value}"]
    if isinstance(value, SyntaxError) and not entries:
        return _lines(shell.SyntaxTB.structured_traceback(etype, value, None))
    linked = _linked(entries)
    files = [entry.tb_frame.f_code.co_filename for entry in entries]
    with _shortened(value, whole=whole), quick_drawing(files):
        if _has_group(value):
            return plain.format_exception(etype, value, linked)
        if linked is None:
            return _lines(shell.InteractiveTB.get_exception_only(etype, value))
        return _lines(shell.InteractiveTB.structured_traceback(etype, value, linked, tb_offset=0))


def _lines(drawn: Any) -> list[str]:
    return [str(line) for line in drawn]


def _has_group(value: BaseException) -> bool:
    return any(isinstance(error, BaseExceptionGroup) for error in _chain(value))


def _chain(value: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    error: BaseException | None = value
    while error is not None and error not in found and len(found) < _LONGEST_CHAIN:
        found.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


@contextmanager
def _shortened(value: BaseException, *, whole: bool) -> Iterator[None]:
    """Let the exceptions behind this one show the user's frames only, while it is drawn."""
    chain = [] if whole else _chain(value)[1:]
    saved = [error.__traceback__ for error in chain]
    for error in chain:
        error.__traceback__ = _linked(_user_only(error.__traceback__))
    try:
        yield
    finally:
        for error, tb in zip(chain, saved, strict=True):
            error.__traceback__ = tb


def _place(shell: RankShell, value: BaseException, entries: list[TracebackType]) -> dict[str, Any]:
    """Return cell, file, line and source of the innermost user frame, or of the place of a syntax error."""
    if isinstance(value, SyntaxError) and value.filename:
        file, line = value.filename, value.lineno or 0
        source = (value.text or linecache.getline(file, line)).strip()
    elif entries:
        file, line = entries[-1].tb_frame.f_code.co_filename, entries[-1].tb_lineno
        source = linecache.getline(file, line, entries[-1].tb_frame.f_globals).strip()
    else:
        file, line, source = "", 0, ""
    return {"cell": shell.cells.cell_number(file), "file": file, "line": line, "source": source}
