"""KeyboardInterrupt for one cell: raised while that cell is in flight, never in the script behind it."""

from __future__ import annotations

# Twice for each cell: those of `signal` make an enum of each handler, which takes longer than the call.
import _signal  # type: ignore[import-not-found]  # typeshed has only the public one
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Interrupts"]


class Interrupts:
    """Which cell may be interrupted.

    The main thread says which; control interrupts. The lock makes sure that no signal is sent for a cell that has
    ended.
    """

    def __init__(self, main_ident: int) -> None:
        self._main_ident = main_ident
        self._lock = threading.Lock()
        self._cell = ""

    @contextmanager
    def allowed(self, cell: str) -> Iterator[None]:
        """Let this cell be interrupted inside; main thread.

        Our own handler stands in for the program's, which may be none, or not meant for cells. One that the cell itself
        installs is respected, and stays.
        """
        before, saved = self._cell, _signal.getsignal(signal.SIGINT)
        _signal.signal(signal.SIGINT, _interrupt)
        self._set(cell)
        try:
            yield
        finally:
            try:
                self._set(before)
                # A signal that has come is handled here at the latest, before the program's handler is back.
            finally:
                if _signal.getsignal(signal.SIGINT) is _interrupt and saved is not None:
                    _signal.signal(signal.SIGINT, saved)

    def _set(self, cell: str) -> None:
        with self._lock:
            self._cell = cell

    def interrupt(self, cell: str) -> str:
        """Interrupt a cell ("" for whichever is in flight) and return the outcome; control thread."""
        with self._lock:
            if not self._cell or cell not in ("", self._cell):
                return "not running"
            signal.pthread_kill(self._main_ident, signal.SIGINT)
        return "interrupted"


def _interrupt(_signum: int, _frame: Any) -> None:
    raise KeyboardInterrupt
