"""The door of a program that has joined: a listening socket and a thread asleep, until the first visitor.

All else of an engine, which costs time and memory, is loaded when somebody comes. A door has one owner, `join`.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pxshell.engine.threads import start_thread

if TYPE_CHECKING:
    from pxshell.engine.engine import Engine

__all__ = ["Doorway", "ListeningSocket"]

_BACKLOG = 16


class ListeningSocket:
    """A socket at a path that is this process's own: its pid is in it, so no lock is needed.

    Raises:
        OSError: it cannot be bound.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            path.unlink(missing_ok=True)  # of a process that had this pid and was killed
            self.socket.setblocking(False)
            self.socket.bind(str(path))
            # Nobody can connect before listen, so the umask, which belongs to the whole process, can stay as it is.
            path.chmod(0o600)
            self.socket.listen(_BACKLOG)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it and remove the path."""
        self.socket.close()
        self._path.unlink(missing_ok=True)

    def abandon(self) -> None:
        """Close it; the path stays."""
        self.socket.close()


class Doorway:
    """Waits for the first visitor, and makes the engine then.

    Args:
        bound: Where visitors come.
        make: Makes and starts the engine, which takes the socket over; called once, in this object's thread.
    """

    def __init__(self, bound: ListeningSocket, make: Callable[[], Engine]) -> None:
        self._make = make
        self._bound = bound
        #: Guards the making against the end of the process.
        self._lock = threading.Lock()
        self._is_closed = False
        self._engine: Engine | None = None
        self._has_come = threading.Event()
        os.register_at_fork(after_in_child=self._forked)
        start_thread(self._wait, "pxshell-door")

    @property
    def engine(self) -> Engine | None:
        """The engine; None before the first visitor."""
        return self._engine

    def wait_engine(self) -> Engine | None:
        """Wait for the first visitor and return the engine; None when the process ends before."""
        self._has_come.wait()
        return self._engine

    def close(self) -> None:
        """Let nobody in any more, before the process ends."""
        with self._lock:
            self._is_closed = True
            if self._engine is None:
                self._bound.close()
            else:
                self._engine.end()
        self._has_come.set()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._bound.socket, select.POLLIN)
        poll.poll()
        with self._lock:
            if not self._is_closed:
                self._engine = self._make()
        self._has_come.set()

    def _forked(self) -> None:
        """A child is no rank, and holds no socket of ours; the engine, once made, sees to its own."""
        if self._engine is None:
            self._bound.abandon()
            self._lock = threading.Lock()
            self._is_closed = True
