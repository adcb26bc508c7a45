"""The terminal's screen: what the ranks say goes above the prompt while there is one, and straight out while not."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from prompt_toolkit.renderer import HeightIsUnknownError
from prompt_toolkit.utils import get_cwidth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prompt_toolkit.application import Application
    from prompt_toolkit.output import Output

__all__ = ["Screen", "rows_of"]

#: Between two redraws of the prompt: at most 20 a second, however much the ranks say.
REDRAW_S = 0.05
#: Characters that go out with one redraw, at least and at most. Keystrokes wait for it, so it is what the terminal
#: takes in `_PATIENCE_S` seconds.
SMALL_BATCH = 2 * 1024
BATCH = 16 * 1024
_PATIENCE_S = 0.005
#: Characters that wait for the terminal; beyond, the oldest lines are cut, and a line says so.
LIMIT = 512 * 1024

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_ERASE_LINE = "\r\x1b[2K"


def rows_of(text: str, columns: int) -> int:
    """Return how many rows whole lines take on a terminal of so many columns."""
    lines = _ESCAPES.sub("", text).split("\n")[:-1]
    return sum(max(1, -(-get_cwidth(line.expandtabs()) // max(1, columns))) for line in lines)


class Screen:
    """One terminal, written to by any thread.

    Text waits here for whoever has the terminal: the event loop of the prompt, which shows a batch with each redraw, or
    a thread of our own. So the client's thread never waits for a slow terminal; the thread that made the screen does,
    and what it writes is out when ``write`` returns. ``_changed`` guards all fields.

    Args:
        output: prompt_toolkit's view of the terminal.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._owner = threading.get_ident()
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()
        self._size = 0
        self._cut_lines = 0
        self._cut_size = 0
        self._app: Application[str] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_scheduled = False
        self._last_redraw = 0.0
        self._batch = SMALL_BATCH
        self._progress = ""
        self._shown_progress = ""
        self._is_mid_line = False
        self._is_writing = False
        self._is_closed = False
        self._writer = threading.Thread(target=self._write_out, name="pxshell-screen", daemon=True)
        self._writer.start()

    @property
    def columns(self) -> int:
        """The terminal's width."""
        return self._output.get_size().columns

    def has_room(self, text: str) -> bool:
        """Tell whether all of a text can be seen at once."""
        size = self._output.get_size()
        return rows_of(f"{text}\n", size.columns) < size.rows

    def prompt_begins(self, app: Application[str]) -> None:
        """A prompt is shown from now on; called in its event loop, before it is drawn."""
        with self._changed:
            self._progress = ""
            if self._is_mid_line:
                self._add("\n")
            self._drain()
            self._app, self._loop = app, asyncio.get_running_loop()
            self._is_scheduled = False

    def prompt_ends(self) -> None:
        """No prompt any more: what waits goes out at once."""
        with self._changed:
            self._app = self._loop = None
            self._drain()

    def write(self, text: str) -> None:
        """Show text; any thread."""
        if not text:
            return
        with self._changed:
            if self._loop is not None:
                # A prompt stands on a line of its own: what ends in mid-line is ended above it.
                self._add(text if text.endswith("\n") else f"{text}\n")
                self._schedule()
                return
            self._add(text)
            self._changed.notify_all()
            if threading.get_ident() == self._owner:
                self._drain()

    def progress(self, text: str) -> None:
        """Show a line that the next one replaces and text pushes down; "" removes it. Not while a prompt is shown."""
        with self._changed:
            self._progress = "" if self._loop is not None else _fit(text, self.columns - 1)
            self._changed.notify_all()

    def refresh(self) -> None:
        """Draw prompt and toolbar anew, soon; any thread."""
        with self._changed:
            self._schedule()

    def close(self) -> None:
        """Show what waits, and end the thread."""
        with self._changed:
            self._app = self._loop = None
            self._progress = ""
            self._drain()
            self._is_closed = True
            self._changed.notify_all()
        self._writer.join()

    def _drain(self) -> None:
        self._changed.notify_all()
        self._changed.wait_for(lambda: not self._has_work() and not self._is_writing)

    def _has_work(self) -> bool:
        return self._loop is None and bool(self._waiting or self._cut_lines or self._progress != self._shown_progress)

    def _write_out(self) -> None:
        """Write while there is no prompt: the work of our thread."""
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._is_closed or self._has_work())
                if self._is_closed:
                    return
                text = self._compose()
                self._is_writing = True
            self._raw(text)

    def _compose(self) -> str:
        """Return what goes out next: the progress line gives way to text, and comes back below it."""
        text = self._take(BATCH)
        erase = _ERASE_LINE if self._shown_progress else ""
        if text:
            self._is_mid_line = not text.endswith("\n")
        self._shown_progress = self._progress = "" if self._is_mid_line else self._progress
        return f"{erase}{text}{self._progress}"

    def _raw(self, text: str) -> None:
        self._output.write_raw(text)
        self._output.flush()

    def _add(self, text: str) -> None:
        self._waiting.extend(_chunks(text))
        self._size += len(text)
        while self._size > LIMIT and len(self._waiting) > 1:
            oldest = self._waiting.popleft()
            self._size -= len(oldest)
            self._cut_size += len(oldest)
            self._cut_lines += oldest.count("\n")

    def _take(self, size: int) -> str:
        taken = [self._cut_notice()] if self._cut_lines else []
        total = 0
        while self._waiting and total < size:
            chunk = self._waiting.popleft()
            taken.append(chunk)
            total += len(chunk)
        self._size -= total
        return "".join(taken)

    def _cut_notice(self) -> str:
        lines, size = self._cut_lines, self._cut_size
        self._cut_lines = self._cut_size = 0
        return f"… {lines} lines ({size / 1e6:.1f} MB) cut: faster than this terminal; full text: %pxlog\n"

    def _schedule(self) -> None:
        if self._is_scheduled or self._loop is None:
            return
        self._is_scheduled = True
        try:
            self._loop.call_soon_threadsafe(self._arrange)
        except RuntimeError:  # the loop has closed just now: prompt_ends, or the next prompt, shows what waits
            self._is_scheduled = False

    def _arrange(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(max(0.0, self._last_redraw + REDRAW_S - time.monotonic()), self._redraw)

    def _redraw(self) -> None:
        """Show one batch; in the prompt's event loop."""
        with self._changed:
            self._is_scheduled = False
            app, self._last_redraw = self._app, time.monotonic()
            if app is None or not app.is_running or app.is_done:
                return  # prompt_ends shows what waits
            # An editor has the terminal (F2): what waits goes on waiting.
            text = "" if app._running_in_terminal else self._take(self._batch)  # noqa: SLF001 - there is no public name for it
            if self._waiting:
                self._schedule()
        # Without the lock, or a slow terminal would make those wait who only add text.
        if text:
            self._put_above(app, text)
        app.invalidate()

    def _measure(self, size: int, seconds: float) -> None:
        """Learn from one batch how much the terminal takes at once."""
        if seconds > _PATIENCE_S:
            self._batch = max(SMALL_BATCH, size // 2)
        elif size >= self._batch:
            self._batch = min(BATCH, self._batch * 2)

    def _put_above(self, app: Application[str], text: str) -> None:
        """Write above the prompt; run_in_terminal would leave raw mode meanwhile, and echo the keys typed then."""
        size = self._output.get_size()
        try:
            above: int | None = app.renderer.rows_above_layout
        except HeightIsUnknownError:
            above = None
        app.renderer.erase()
        begin = time.monotonic()
        self._raw(text)
        self._measure(len(text), time.monotonic() - begin)
        if above is not None:
            # We know where the cursor is, so the terminal need not be asked: the toolbar would vanish until it answers.
            app.renderer.report_absolute_cursor_row(min(size.rows, above + 1 + rows_of(text, size.columns)))


def _chunks(text: str) -> Iterator[str]:
    """Cut text into runs of whole lines that one redraw can take."""
    while len(text) > SMALL_BATCH:
        end = text.rfind("\n", 0, SMALL_BATCH) + 1 or text.find("\n") + 1 or len(text)
        yield text[:end]
        text = text[end:]
    if text:
        yield text


def _fit(text: str, columns: int) -> str:
    return text if len(text) <= columns else f"{text[: max(0, columns - 1)]}…"
