"""Steps that no signal handler of the program can cut short: what is said once is said once, and whole.

Python runs a signal handler in the main thread, between any two bytecodes, and what it raises is raised right there:
`TimeoutError` of an alarm, `SystemExit` of a SIGTERM handler, in the middle of a reply. Nothing in the main thread is
safe from that. A step is therefore done in a thread that no handler enters, while the main thread waits for it; where
no handler is installed, in the main thread itself.
"""

from __future__ import annotations

# For its getsignal: that of `signal` makes an enum of each answer, which takes twenty times as long.
import _signal  # type: ignore[import-not-found]  # typeshed has only the public one
import _thread
import signal
import threading
from collections import deque
from collections.abc import Callable

__all__ = ["Once", "StandIn"]

_NUMBERS = range(1, signal.NSIG)
_RAISES = "pxshell.engine.interrupts"
#: The handlers that were found last where none may raise: mostly they are the same, and one comparison tells.
_harmless: list[object] = []


def _has_handlers() -> bool:
    """Tell whether a handler that is not ours may raise in the main thread."""
    global _harmless  # noqa: PLW0603 - any list that was found harmless will do
    handlers = list(map(_signal.getsignal, _NUMBERS))
    if handlers == _harmless:
        return False
    for handler in handlers:  # a generator would be one more thing that an exception leaves half done
        if callable(handler) and not _is_ours(handler):
            return True
    _harmless = handlers
    return False


def _is_ours(handler: object) -> bool:
    """Tell whether this is a handler of ours that raises nothing: that of an interrupted cell does."""
    module = str(getattr(handler, "__module__", ""))
    return module.startswith("pxshell.") and module != _RAISES


class StandIn:
    """Who stands in for the main thread at the moment; made for one main thread."""

    def __init__(self) -> None:
        self._ident = 0
        #: Called first in a thread that stands in: a debugger that sees every thread leaves it alone.
        self.enters: Callable[[], None] = _nothing

    @property
    def is_here(self) -> bool:
        """Whether this is the main thread, or the one that stands in for it."""
        return threading.get_ident() in (threading.main_thread().ident, self._ident)

    def once(self, function: Callable[[], None]) -> Once:
        """Return a step to be done."""
        return Once(self, function)

    def do(self, function: Callable[[], None]) -> None:
        """Do a step to its end; what a handler has raised meanwhile is raised afterwards."""
        Once(self, function).do()

    def run(self, function: Callable[[], None]) -> None:
        """Run a function in the thread that calls this, in the main thread's place."""
        self._ident = threading.get_ident()
        try:
            if self._ident != threading.main_thread().ident:
                self.enters()
            function()
        finally:
            self._ident = 0


def _nothing() -> None:
    """Do nothing."""


class Once:
    """One step; `do` may be called again when something was raised instead of it."""

    def __init__(self, stand_in: StandIn, function: Callable[[], None]) -> None:
        self._stand_in = stand_in
        self._function = function
        # Whoever takes the token does it: more than one thread may be started for it.
        self._token = deque([True])
        self._finished = _thread.allocate_lock()
        self._finished.acquire()
        self._error: BaseException | None = None
        self._is_done = False

    def is_done(self) -> bool:
        """Tell whether it has been done."""
        return self._is_done

    def do(self) -> None:
        """Do it, unless it is done, to its end; then raise what it raised, or what a handler has raised meanwhile."""
        if self.is_done():
            return
        if not _has_handlers():
            self._do()
        raised: BaseException | None = None
        while not self.is_done():
            try:
                # Not threading.Thread: its start() waits, in the main thread, where the next handler may raise.
                _thread.start_new_thread(self._stand_in.run, (self._do,))
                self._finished.acquire()
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised below
                raised = error
        if self._error is not None:
            raise self._error
        if raised is not None:
            raise raised

    def _do(self) -> None:
        try:
            self._token.pop()
        except IndexError:
            return
        try:
            self._function()
        except BaseException as error:  # noqa: BLE001 - raised in the main thread
            self._error = error
        self._is_done = True
        self._finished.release()
