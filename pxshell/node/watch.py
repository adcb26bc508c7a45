"""Notice of a process's end: a pidfd on Linux, a kqueue elsewhere."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable

from pxshell.transport.base import Reactor

__all__ = ["ProcessWatch"]


class ProcessWatch:
    """Calls back once when a process has ended; it need not be our child.

    The descriptor refers to the process, not to its number, so a number that the system gives out again is never
    mistaken for it.

    Args:
        reactor: The loop that calls back.
        pid: The process.
        ended: Called in the loop's thread.

    Raises:
        ProcessLookupError: There is no such process any more.
    """

    def __init__(self, reactor: Reactor, pid: int, ended: Callable[[], None]) -> None:
        self._reactor = reactor
        self._ended = ended
        self._fd = _open(pid)
        reactor.add_reader(self._fd, self._fire)

    def _fire(self) -> None:
        self.close()
        self._ended()

    def send_signal(self, number: int, pid: int) -> None:
        """Send a signal to exactly this process.

        Raises:
            ProcessLookupError: It has ended.
        """
        if self._fd < 0:
            raise ProcessLookupError
        if sys.platform == "linux":
            signal.pidfd_send_signal(self._fd, number)
        else:
            os.kill(pid, number)

    def close(self) -> None:
        """Stop watching."""
        if self._fd >= 0:
            self._reactor.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1


if sys.platform == "linux":

    def _open(pid: int) -> int:
        return os.pidfd_open(pid)

else:

    def _open(pid: int) -> int:
        queue = select.kqueue()
        event = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
        queue.control([event], 0)
        # A duplicate, so that the descriptor's life is ours alone.
        fd = os.dup(queue.fileno())
        queue.close()
        return fd
