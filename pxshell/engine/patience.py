"""Waiting in Python for what MPI does in C, so that the main thread can be paused, and can give the call up.

A call that blocks in C lets nobody in: it is held by a pause, and freed by nothing but its peers. This loop asks
instead whether the call is done. It spins for some microseconds, as MPI would, then lets others have the core, then
sleeps.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from pxshell.engine.pausing import Pauser
from pxshell.errors import CallAbortedError

__all__ = ["Patience"]

#: Looks without anything between: a message that is under way comes within some microseconds.
_SPINS = 200
#: Then so many seconds of giving the core to whoever wants it; ranks may be more than cores.
_YIELD_S = 0.002
#: Then sleeps, in seconds: a pause or an end of the call is noticed that much later at most.
_SLEEP_S = 0.0005


class Patience:
    """The waits of the main thread.

    `until` is for the main thread, `give_up` for any other.

    Args:
        pauser: Asked whether somebody wants to pause.
        main_ident: Identifier of the main thread; others wait without being paused or freed.
    """

    def __init__(self, pauser: Pauser, main_ident: int) -> None:
        self._pauser = pauser
        self._main_ident = main_ident
        #: Waits that have been begun, roughly where threads begin them too: another number is another wait.
        self.waits = 0
        self._lock = threading.Lock()  # guards the two below
        self._call = ""
        self._is_given_up = False

    def until(self, is_done: Callable[[], object], call: str) -> None:
        """Wait until a call is done.

        Args:
            is_done: Asked again and again; makes MPI go on.
            call: Its name, for people.

        Raises:
            CallAbortedError: `give_up` was called meanwhile.
        """
        self.waits += 1
        for _ in range(_SPINS):
            if is_done():
                return
        if threading.get_ident() != self._main_ident:
            while not is_done():
                time.sleep(_SLEEP_S)
            return
        self._enter(call)
        try:
            self._wait(is_done, call)
        finally:
            self._enter("")

    def _enter(self, call: str) -> None:
        with self._lock:
            self._call, self._is_given_up = call, False

    def _wait(self, is_done: Callable[[], object], call: str) -> None:
        began = time.monotonic()
        while not is_done():
            if self._is_given_up:
                raise CallAbortedError(call)
            self._pauser.stop_if_asked(sys._getframe())  # noqa: SLF001 - the frame that waits
            time.sleep(0 if time.monotonic() - began < _YIELD_S else _SLEEP_S)

    def give_up(self) -> str:
        """Free the main thread from the call that it waits in; return the call, "" when it waits in none."""
        with self._lock:
            self._is_given_up = bool(self._call)
            return self._call
