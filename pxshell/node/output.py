"""What a rank writes to its descriptors: two pipes, read in the order that its marks give, as text of cells."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections import deque
from collections.abc import Callable

from pxshell.node.turns import Turns
from pxshell.protocol.marks import MarkReader, Position, Text
from pxshell.transport.base import Timer

__all__ = ["RankOutput", "pipe_size"]

#: Bytes that one wake-up reads of one pipe at most, so that a flood does not keep the node from everything else: of
#: short lines of many ranks, which cost most, some milliseconds of folding.
_READ_AT_ONCE = 1 << 15
#: Bytes of the pipes of all ranks' standard output together, and of one at least and at most. What fits into its pipe
#: a rank prints without a pause: one rank prints on while the node does something else, while 64 at once would leave
#: node and controller no core.
_ALL_PIPES = 4 << 20
_PIPE_SIZES = 1 << 16, 1 << 20
#: Seconds that a partial line waits for its end.
_PARTIAL_LINE = 0.05
#: Linux's F_SETPIPE_SZ; the module names it from 3.10 on, on Linux.
_F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", None)


class _Pipe:
    """One pipe, read and cut into text and positions."""

    def __init__(self, token: str, name: str, size: int) -> None:
        self.read_end, self.write_end = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        os.set_blocking(self.read_end, False)
        if _F_SETPIPE_SZ is not None:
            _resize(self.read_end, size)
        self.reader = MarkReader(token, name)
        self.items: deque[Text | Position] = deque()
        self.is_open = True
        #: Whether the loop reads it.
        self.is_watched = False

    def read(self, limit: int) -> bytes:
        """Read what is there, at most `limit` bytes; b"" when nothing is there or the pipe has ended."""
        if not self.is_open:
            return b""
        try:
            data = os.read(self.read_end, limit)
        except BlockingIOError:
            return b""
        if data:
            self.items.extend(self.reader.feed(data))
        else:
            self.is_open = False
            self.items.extend(self.reader.close())
        return data


def pipe_size(ranks: int) -> int:
    """Return how many bytes each pipe holds on a node with so many ranks, where the system allows."""
    least, most = _PIPE_SIZES
    return min(max(_ALL_PIPES // max(ranks, 1), least), most)


def _resize(fd: int, size: int) -> None:
    try:
        fcntl.fcntl(fd, _F_SETPIPE_SZ, size)  # type: ignore[arg-type]
    except PermissionError:
        return  # over the user's limit of pipe pages: the default size does


class RankOutput:
    """The pipes of one rank.

    Text is handed on whole line by whole line; the rest of a line waits for its end, for other text, for a message
    of the rank, or 50 ms. Text behind a position waits until `advance` has been called for it.

    Args:
        turns: the loop's readers of what ranks print.
        on_text: takes (name, cell, text).
        on_log: takes the text without the marks, for the log.
        ranks: how many ranks the node has.
    """

    def __init__(
        self,
        turns: Turns,
        on_text: Callable[[str, str, str], None],
        on_log: Callable[[str], None],
        ranks: int = 1,
    ) -> None:
        self.token = secrets.token_hex(4)
        self._turns = turns
        self._on_text = on_text
        self._on_log = on_log
        self._pipes = tuple(_Pipe(self.token, name, pipe_size(ranks)) for name in ("stdout", "stderr"))
        self._done = 0
        self._partial: Text | None = None
        self._timer: Timer | None = None
        for pipe in self._pipes:
            self._watch(pipe)

    def _watch(self, pipe: _Pipe) -> None:
        if not pipe.is_watched:
            pipe.is_watched = True
            self._turns.add_reader(pipe.read_end, self._readable, pipe)

    def _ignore(self, pipe: _Pipe) -> None:
        if pipe.is_watched:
            pipe.is_watched = False
            self._turns.remove_reader(pipe.read_end)

    @property
    def write_ends(self) -> tuple[int, int]:
        """The descriptors for the rank; `release` closes ours once it has them."""
        return self._pipes[0].write_end, self._pipes[1].write_end

    def release(self) -> None:
        """Close our copies of the write ends, so that the pipes end with their last writer."""
        for pipe in self._pipes:
            os.close(pipe.write_end)

    def _readable(self, pipe: _Pipe) -> None:
        if pipe.items:
            # More has come behind a message that has not: it waits in the pipe. Not said to the loop before, for mostly
            # nothing comes, and the message is next.
            self._ignore(pipe)
            return
        pipe.read(_READ_AT_ONCE)
        self._process(pipe)
        if not pipe.is_open:
            self._ignore(pipe)
        self._flush_later()

    def _process(self, pipe: _Pipe) -> None:
        """Hand on what does not stand behind a message that has not come."""
        while pipe.items:
            item = pipe.items[0]
            if isinstance(item, Position):
                if item.number > self._done:
                    return
            else:
                self._text(item)
            pipe.items.popleft()

    def advance(self, number: int) -> None:
        """Hand on all text that stands before message `number`; what follows waits until `passed`."""
        for pipe in self._pipes:
            while not self._reached(pipe, number):
                pass
        self.flush()

    def _reached(self, pipe: _Pipe, number: int) -> bool:
        while pipe.items:
            item = pipe.items[0]
            if isinstance(item, Position) and item.number >= number:
                return True
            if isinstance(item, Text):
                self._text(item)
            pipe.items.popleft()
        return not pipe.read(_READ_AT_ONCE) and not pipe.items

    def passed(self, number: int) -> None:
        """Message `number` has been handed on: go on reading."""
        self._done = max(self._done, number)
        for pipe in self._pipes:
            self._process(pipe)
            if pipe.is_open and not pipe.items:
                self._watch(pipe)
        self._flush_later()

    def _text(self, item: Text) -> None:
        self._on_log(item.text)
        held = self._partial
        if held is not None and (held.name, held.cell) != (item.name, item.cell):
            self.flush()
            held = None
        text = item.text if held is None else held.text + item.text
        cut = text.rfind("\n") + 1
        if cut:
            self._on_text(item.name, item.cell, text[:cut])
        self._partial = Text(item.name, item.cell, text[cut:]) if cut < len(text) else None

    def _flush_later(self) -> None:
        if self._partial is not None and self._timer is None:
            self._timer = self._turns.call_later(_PARTIAL_LINE, self.flush)

    def flush(self) -> None:
        """Hand on the partial line, if there is one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._partial is not None:
            item, self._partial = self._partial, None
            self._on_text(item.name, item.cell, item.text)

    def close(self) -> None:
        """The rank has ended: hand on all that is left, and close."""
        for pipe in self._pipes:
            self._done = 1 << 62
            self._process(pipe)
            while pipe.read(_READ_AT_ONCE):
                self._process(pipe)
            self._process(pipe)
            self._ignore(pipe)
            os.close(pipe.read_end)
        self.flush()
