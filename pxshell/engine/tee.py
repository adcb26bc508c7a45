"""A copy of what Python prints, for ranks whose descriptors stay their own.

The stream objects stay the user's: only their `write` is wrapped, as an attribute of the object, so that references
which loggers took long ago are teed too, and the bytes that the program writes stay what they were. Any thread may
print; the buffer has a lock.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

__all__ = ["Tee"]

#: Characters that are kept at most before they are handed on at once.
_FULL = 1 << 16


class Tee:
    """Python's stdout and stderr, copied while somebody is attached.

    Args:
        emit: Takes (stream name, text, cell).
    """

    def __init__(self, emit: Callable[[str, str, str], None]) -> None:
        self._emit = emit
        #: Asks for a `flush` soon; the owner of the io thread sets it.
        self.request_flush: Callable[[], None] = lambda: None
        self._lock = threading.RLock()
        self._streams: list[tuple[TextIO, str]] = []
        self._pieces: list[str] = []
        self._size = 0
        self._name = ""
        self._cell = ""
        #: Text of a cell goes to whoever sent it, not into the output of the job.
        self._cell_thread = 0

    def start(self) -> None:
        """Begin to copy; harmless when it has begun."""
        with self._lock:
            if not self._streams:
                for stream, name in ((sys.stdout, "stdout"), (sys.stderr, "stderr")):
                    if stream is not None:
                        self._wrap(stream, name)

    def stop(self) -> None:
        """End it: the streams are what they were."""
        self.flush()
        with self._lock:
            streams, self._streams = self._streams, []
            for stream, _ in streams:
                stream.__dict__.pop("write", None)

    def close_in_child(self) -> None:
        """Let a forked child print as the program would; the lock may be held by a thread that is not there."""
        self._lock = threading.RLock()
        self._pieces.clear()
        for stream, _ in self._streams:
            stream.__dict__.pop("write", None)
        self._streams.clear()

    def enter(self, cell: str) -> None:
        """Let text belong to a request from here on."""
        with self._lock:
            self.flush()
            self._cell = cell
            self._cell_thread = threading.main_thread().ident or 0 if cell and cell != "run" else 0

    def flush(self) -> None:
        """Hand on what was copied."""
        with self._lock:
            if self._pieces:
                text, self._pieces, self._size = "".join(self._pieces), [], 0
                self._emit(self._name, text, self._cell)

    def _wrap(self, stream: Any, name: str) -> None:
        original = stream.write

        def write(text: str) -> int:
            """Write to the program's own stream, and keep a copy."""
            count = len(text) if threading.get_ident() == self._cell_thread else original(text)
            self._copy(name, text)
            return int(count)

        try:
            stream.write = write
        except AttributeError:  # an object of the user's without room for it: it is not teed
            return
        self._streams.append((stream, name))

    def _copy(self, name: str, text: str) -> None:
        with self._lock:
            if name != self._name:
                self.flush()
                self._name = name
            self._pieces.append(text)
            self._size += len(text)
            if self._size > _FULL:
                self.flush()
            elif len(self._pieces) == 1:
                self.request_flush()
