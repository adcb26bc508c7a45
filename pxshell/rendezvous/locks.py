"""Lock files: who is first does it, the others learn who that is, and death releases."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

from pxshell.errors import DeadlineError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

__all__ = ["FileLock"]

_PAUSE = 0.02
"""Seconds between two attempts; flock has no deadline of its own."""


class FileLock:
    """An exclusive lock on a file, held until ``release`` or the end of the process.

    The kernel drops the lock with its holder, however that ends, so a lock is never stale. The file stays: removing it
    would let a second process lock a new file of the same name.

    Args:
        path: The lock file, created when missing.
        what: What the lock is for, for messages: ``"start the node of calm-fox"``.
        seconds: How long ``with`` waits for it.
    """

    def __init__(self, path: Path, what: str, seconds: float = 10.0) -> None:
        self._path = path
        self._what = what
        self._seconds = seconds
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def try_acquire(self) -> bool:
        """Take the lock if it is free now, and return whether this object holds it."""
        if self._descriptor is None:
            self._descriptor = self._open_locked()
        return self._descriptor is not None

    def acquire(self, seconds: float | None = None) -> None:
        """Wait for the lock; ``DeadlineError`` says who holds it when that takes too long."""
        patience = self._seconds if seconds is None else seconds
        end = time.monotonic() + patience
        while not self.try_acquire():
            if time.monotonic() >= end:
                raise DeadlineError(f"lock to {self._what}", patience, self.holder())
            time.sleep(_PAUSE)

    def release(self) -> None:
        """Give the lock up; nothing happens when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> str:
        """Return who holds the lock or held it last, in words."""
        try:
            pid = self._path.read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            pid = ""
        return f"process {pid}, which holds {self._path}" if pid else f"the holder of {self._path}"

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def _open_locked(self) -> int | None:
        """Open the file and return its descriptor, or None when somebody else has it locked."""
        # Descriptors of os.open are not inherited by programs that we start: these would keep the lock.
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor
