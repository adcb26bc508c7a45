"""Output of a rank that pxshell started: its node's two pipes on descriptors 1 and 2, and the marks in them.

Any thread may write marks (the caller orders marks and messages, see `outbox`). The node reads the pipes, never this
process: C code that holds the GIL may print without limit.
"""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from typing import Any

from pxshell.engine.cstdio import CStreams
from pxshell.protocol.marks import Scope, cell_mark, position_mark, stream_mark

__all__ = ["Pipes", "flush_python"]

# A pipe takes a write of at most PIPE_BUF bytes whole: Linux has 4096, POSIX promises 512.
_ATOMIC = 4096 if sys.platform == "linux" else 512


def flush_python() -> None:
    """Flush Python's two streams; what a user's own stream object raises is not ours to report."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # none, broken pipe, closed: plain print would say so
            continue


@dataclass(frozen=True, slots=True)
class _Taken:
    """What is held while the node's pipes are on descriptors 1 and 2."""

    token: str
    #: Our own duplicates of the write ends: they stay when the user puts something else on 1 or 2.
    out: int
    err: int
    #: What 1 and 2 were before.
    originals: tuple[int, int]
    #: Inode of the pipe on descriptor 2, to see whether it is still there.
    err_inode: int


class Pipes:
    """Descriptors 1 and 2 of this process, and the marks written into them."""

    def __init__(self) -> None:
        self._taken: _Taken | None = None
        self._c = CStreams()
        self._number = 0
        self._is_child = False
        self._spare: list[int] = []

    def take(self, token: str, out: int, err: int, scope: Scope) -> None:
        """Put the node's write ends on descriptors 1 and 2; the two given descriptors become ours.

        Args:
            token: Text in the marks.
            out: Write end for stdout and for Python's stderr.
            err: Write end for what C code writes to stderr.
            scope: Request that text belongs to from here on.
        """
        flush_python()
        self._c.flush()
        originals = (os.dup(1), os.dup(2))
        # The read ends stay open here so that no write of the user ever fails when the node dies (see `give_back`).
        self._spare = [fd for fd in map(_read_end, (out, err)) if fd is not None]
        os.dup2(out, 1)
        os.dup2(err, 2)
        self._taken = _Taken(token, out, err, originals, os.fstat(err).st_ino)
        self._c.line_buffered()
        _reconfigure(self)
        self.begin_cell(scope)

    def begin_cell(self, scope: Scope) -> None:
        """Mark that the text from here on belongs to this request."""
        taken = self._taken
        if taken is not None and not self._is_child:
            self._mark(taken, cell_mark(taken.token, scope))

    def position(self, scope: Scope | None = None) -> int:
        """Flush all buffers and mark a message's place in both pipes; return the mark's number, 0 without pipes.

        Args:
            scope: Request that text belongs to from here on, when it changes.
        """
        flush_python()
        taken = self._taken
        if taken is None or self._is_child:
            return 0
        self._c.flush()
        self._number += 1
        number = self._number
        mark = position_mark(taken.token, number)
        self._mark(taken, mark if scope is None else mark + cell_mark(taken.token, scope))
        return number

    def _mark(self, taken: _Taken, mark: bytes) -> None:
        try:
            os.write(taken.out, mark)
            os.write(taken.err, mark)
        except BrokenPipeError:  # the node is dying; its link will tell
            return

    def write_stderr(self, data: bytes) -> int:
        """Write Python's stderr: into the stdout pipe between marks, unless the user put something else on 2."""
        taken = self._taken
        if taken is None or os.fstat(2).st_ino != taken.err_inode:
            return os.write(2, data)
        before, after = stream_mark(taken.token, "stderr"), stream_mark(taken.token, "stdout")
        room = _ATOMIC - len(before) - len(after)
        view = memoryview(data)
        for start in range(0, len(view), room):
            os.write(taken.out, b"".join((before, view[start : start + room], after)))
        return len(view)

    def give_back(self) -> list[tuple[int, int]]:
        """Put the original descriptors back: the node is gone.

        Returns:
            Pairs of descriptors (read end, where it goes): what was left in the pipes, and what children of this
            process that still hold them may write. The caller owns them.
        """
        taken, self._taken = self._taken, None
        if taken is None:
            return []
        os.dup2(taken.originals[0], 1)
        os.dup2(taken.originals[1], 2)
        os.close(taken.out)
        os.close(taken.err)
        spare, self._spare = self._spare, []
        return list(zip(spare, taken.originals, strict=False))

    def close_in_child(self) -> None:
        """Keep a forked child from holding more than its own descriptors 1 and 2 and what its stderr needs.

        It writes no marks: its messages, which they would announce, never come.
        """
        self._is_child = True
        spare, self._spare = self._spare, []
        for fd in spare:
            os.close(fd)


def _read_end(fd: int) -> int | None:
    """Open the read end of a pipe whose write end we have; None where the system has no /proc."""
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None


class _RawStderr(io.RawIOBase):
    """Descriptor 2 as Python code sees it."""

    name = "<stderr>"

    def __init__(self, pipes: Pipes) -> None:
        super().__init__()
        self._pipes = pipes

    def fileno(self) -> int:
        return 2

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._pipes.write_stderr(bytes(data))


def _reconfigure(pipes: Pipes) -> None:
    """Make Python's stdout line-buffered and its stderr write through `pipes`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    old = sys.stderr
    if isinstance(old, io.TextIOWrapper) and isinstance(getattr(old.buffer, "raw", None), _RawStderr):
        return
    if isinstance(old, io.TextIOWrapper) and old.fileno() == 2:
        raw = io.BufferedWriter(_RawStderr(pipes))
        new = io.TextIOWrapper(raw, encoding=old.encoding, errors=old.errors, line_buffering=True)
        sys.stderr = new
        # Some code restores this one; typeshed takes it for constant.
        setattr(sys, "__stderr__", new)  # noqa: B010
