"""The log of one rank: all of its text, up to a limit."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["RankLog"]


class RankLog:
    """Appends a rank's text to a file (0600) until the limit or a full disk; both are announced once.

    Args:
        path: the file.
        limit: bytes.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self._limit = limit
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size
        self._full = False

    def write(self, data: bytes) -> str | None:
        """Append; return one line for people when the log cannot take any more, once."""
        if self._full:
            return None
        try:
            self._size += os.write(self._fd, data[: max(self._limit - self._size, 0)])
        except OSError as error:
            return self._stop(f"{self.path} takes no more text: {error.strerror}; later output is shown, but not kept")
        if self._size >= self._limit:
            limit = f"{self._limit / 1e9:.3g} GB"
            return self._stop(f"{self.path} has reached its limit of {limit}; later output is shown, but not kept")
        return None

    def _stop(self, why: str) -> str:
        self._full = True
        return why

    def tail(self, count: int) -> str:
        """Return the last `count` bytes as text."""
        with self.path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - count))
            return file.read(count).decode("utf-8", "replace")

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
