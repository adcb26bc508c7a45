"""KeyboardInterrupt for one cell: raised while that cell is in flight, never in the script behind it."""

from __future__ import annotations

# Twice for each cell: those of `signal` make an enum of each handler, which takes longer than the call.
import _signal  # type: ignore[import-not-found]  # typeshed has only the public one
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pxshell.engine.threads import start_thread

__all__ = ["Interrupts"]

#: Seconds after which a signal that Python has not handled is sent again. One that comes just before the main thread
#: falls asleep in a system call would be handled when that returns; each new one ends such a call.
_AGAIN_S = (0.02, 0.1, 0.5)
#: Cells that are remembered as interrupted before they began; more than are ever on their way.
_REMEMBERED = 100


@dataclass(slots=True)
class _Sent:
    """An interrupt on its way."""

    cell: str
    is_handled: threading.Event = field(default_factory=threading.Event)
    #: How often it was sent again; each of these may come after the one that has been handled.
    again: int = 0


class Interrupts:
    """Which cell may be interrupted.

    The main thread says which; control interrupts. The lock makes sure that no signal is sent for a cell that has
    ended. It is reentrant for the handler, which runs in the midst of what the main thread does.
    """

    def __init__(self, main_ident: int) -> None:
        self._main_ident = main_ident
        self._lock = threading.RLock()
        self._cell = ""
        #: Cells that are to be interrupted as they begin; in their order, for the oldest to be forgotten.
        self._early: dict[str, None] = {}
        self._sent: _Sent | None = None
        self._handler = self._handle
        #: The program's own, while ours stands in for it.
        self._outside: Any = None

    @contextmanager
    def allowed(self, cell: str) -> Iterator[None]:
        """Let this cell be interrupted inside; main thread.

        Our own handler stands in for the program's, which may be none, or not meant for cells. One that the cell itself
        installs is respected, and stays.

        Raises:
            KeyboardInterrupt: it was interrupted before it began.
        """
        before, saved = self._cell, _signal.getsignal(signal.SIGINT)
        if saved is not self._handler:
            self._outside = saved
        try:
            _signal.signal(signal.SIGINT, self._handler)
            if self._set(cell):
                raise KeyboardInterrupt
            yield
        finally:
            try:
                self._leave(before, saved)
            finally:
                self._leave(before, saved)  # when something was raised in place of the call above

    def _leave(self, before: str, saved: Any) -> None:
        """Allow what was allowed before; what a handler raises meanwhile is raised then. Twice does no harm."""
        raised: BaseException | None = None
        is_left = False
        while not is_left:
            try:
                self._set(before)
                # A signal that has come is handled here at the latest, before the program's handler is back.
                if _signal.getsignal(signal.SIGINT) is self._handler and saved is not None:
                    _signal.signal(signal.SIGINT, saved)
                is_left = True
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised below
                raised = error
        if raised is not None:
            raise raised

    def nothing_runs(self) -> None:
        """Allow nothing: a signal has ended a cell in the middle of what surrounds it."""
        self._set("")

    def _set(self, cell: str) -> bool:
        """Note which cell runs; returns whether it has been interrupted already."""
        with self._lock:
            self._cell, self._sent = cell, None
            return bool(self._early) and self._early.pop(cell, self) is None

    def interrupt(self, cell: str, *, may_come: bool = False) -> str:
        """Interrupt a cell and return the outcome; control thread.

        Args:
            cell: Its id, or "" for whichever is in flight.
            may_come: When it does not run it has not ended, but may begin: it is interrupted then.
        """
        with self._lock:
            if not self._cell or cell not in ("", self._cell):
                if not may_come:
                    return "not running"
                self._early[cell] = None
                if len(self._early) > _REMEMBERED:
                    del self._early[next(iter(self._early))]
                return "pending"
            sent = self._sent = _Sent(self._cell)
            signal.pthread_kill(self._main_ident, signal.SIGINT)
        start_thread(partial(self._send_again, sent), "pxshell-interrupt")
        return "interrupted"

    def _send_again(self, sent: _Sent) -> None:
        for pause in _AGAIN_S:
            if sent.is_handled.wait(pause):
                return
            with self._lock:
                if sent.is_handled.is_set() or self._sent is not sent:
                    return
                sent.again += 1
                signal.pthread_kill(self._main_ident, signal.SIGINT)

    def _handle(self, signum: int, frame: Any) -> None:
        with self._lock:
            if not self._cell:  # on the way into a cell, or out of it: it is the program's
                if callable(self._outside):
                    self._outside(signum, frame)
                return
            sent = self._sent
            if sent is not None:
                if sent.is_handled.is_set() and sent.again:
                    sent.again -= 1
                    return
                sent.is_handled.set()
        raise KeyboardInterrupt
