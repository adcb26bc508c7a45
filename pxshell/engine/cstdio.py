"""The C library's stdout and stderr of this process, flushed before what must come after their text.

Only the two output streams are touched: `fflush(NULL)` waits for a thread that reads C's stdin.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["CStreams"]

_IOLBF = 1  # <stdio.h> of glibc, musl and macOS
_NAMES = ("__stdoutp", "__stderrp") if sys.platform == "darwin" else ("stdout", "stderr")


class CStreams:
    """C's stdout and stderr; ctypes is loaded when first needed."""

    def __init__(self) -> None:
        self._libc: Any = None
        self._streams: tuple[Any, ...] = ()

    def _load(self) -> Any:
        if self._libc is None:
            import ctypes

            # CDLL, not PyDLL: a flush that waits for a full pipe must not hold the GIL.
            libc = ctypes.CDLL(None)
            libc.setvbuf.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t]
            libc.fflush.argtypes = [ctypes.c_void_p]
            self._streams = tuple(ctypes.c_void_p.in_dll(libc, name) for name in _NAMES)
            self._libc = libc
        return self._libc

    def line_buffered(self) -> None:
        """Let C code's lines appear when they are printed, as they would in a terminal."""
        self._load().setvbuf(self._streams[0], None, _IOLBF, 0)

    def flush(self) -> None:
        """Write out what C code printed."""
        libc = self._load()
        for stream in self._streams:
            libc.fflush(stream)
