"""Frame lists as bytes of a stream: length-prefixed, large buffers not copied.

A record is `magic, version, number of descriptors, number of frames` (8 bytes), the lengths of the frames (8 bytes
each), the frames.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate, pairwise

from pxshell.protocol.message import Buffer
from pxshell.protocol.prefix import LinkError

__all__ = ["MAX_FDS", "RecordReader", "encode_record"]

#: Descriptors that go with one record.
MAX_FDS = 16

_HEAD = struct.Struct("<2sBBI")
_MAGIC = b"px"
_VERSION = 1
_MAX_FRAMES = 1 << 16

# Before the hello nobody gets more memory than this.
_STRANGER_BYTES = 64 << 10
_SCRATCH_BYTES = 64 << 10
# What a reader begins with: most of them never see more, and a node has two for each of its ranks.
_FIRST_SCRATCH_BYTES = 4 << 10


def encode_record(frames: Sequence[Buffer], fd_count: int = 0) -> list[memoryview]:
    """Return a record as buffers to be sent one after the other; frames are not copied."""
    if len(frames) > _MAX_FRAMES or fd_count > MAX_FDS:
        raise LinkError(f"{len(frames)} frames and {fd_count} descriptors are too many for one record")
    lengths = [len(frame) if type(frame) is bytes else memoryview(frame).nbytes for frame in frames]
    head = _HEAD.pack(_MAGIC, _VERSION, fd_count, len(frames)) + struct.pack(f"<{len(frames)}Q", *lengths)
    if sum(lengths) <= _SCRATCH_BYTES:
        return [memoryview(b"".join([head, *frames]))]
    views = [memoryview(frame).cast("B") for frame in frames]
    return [memoryview(head), *[view for view in views if view.nbytes]]


class RecordReader:
    """Bytes in, frame lists out. Small records are copied out of one scratch buffer, large ones are received in place.

    Read into `space`, then tell `advance` how much came and take what `records` gives.
    """

    def __init__(self) -> None:
        self._scratch = bytearray(_FIRST_SCRATCH_BYTES)
        self._is_filled = False
        self._start = self._end = 0
        self._large: memoryview | None = None
        self._large_filled = 0
        self._large_lengths: tuple[int, ...] = ()
        self._large_fds = 0
        #: A longer record is an error.
        self.limit = _STRANGER_BYTES

    def space(self) -> memoryview:
        """Return where the next bytes go."""
        if self._large is not None:
            return self._large[self._large_filled :]
        if self._is_filled:
            self._make_room()
        return memoryview(self._scratch)[self._end :]

    def advance(self, count: int) -> None:
        """Count bytes that were put into `space`."""
        if self._large is not None:
            self._large_filled += count
        else:
            self._end += count
            self._is_filled = self._end == len(self._scratch)

    def next_record(self) -> tuple[list[Buffer], int] | None:
        """Return the next complete record, as frames and number of descriptors; None when there is none yet.

        Raises:
            LinkError: these bytes are no record.
        """
        if self._large is not None:
            return self._take_large() if self._large_filled == len(self._large) else None
        have = self._end - self._start
        if have < _HEAD.size:
            return None
        magic, version, fds, count = _HEAD.unpack_from(self._scratch, self._start)
        if magic != _MAGIC or version != _VERSION or not 1 <= count <= _MAX_FRAMES or fds > MAX_FDS:
            raise LinkError("these bytes are no record of pxshell")
        body = _HEAD.size + 8 * count
        if have < body:
            return None
        lengths = struct.unpack_from(f"<{count}Q", self._scratch, self._start + _HEAD.size)
        total = body + sum(lengths)
        if total > self.limit:
            raise LinkError(f"a record of {total} bytes; the limit is {self.limit}")
        if have >= total:
            return self._take_small(body, lengths, fds)
        if total > len(self._scratch):
            self._begin_large(body, lengths, fds)
        return None

    def _take_small(self, body: int, lengths: tuple[int, ...], fds: int) -> tuple[list[Buffer], int]:
        ends = accumulate(lengths, initial=self._start + body)
        frames: list[Buffer] = [bytes(self._scratch[start:end]) for start, end in pairwise(ends)]
        self._start += body + sum(lengths)
        if self._start == self._end:
            self._start = self._end = 0
        return frames, fds

    def _begin_large(self, body: int, lengths: tuple[int, ...], fds: int) -> None:
        try:
            large = memoryview(bytearray(sum(lengths)))
        except MemoryError as error:
            raise LinkError(f"no memory for a record of {sum(lengths)} bytes") from error
        have = self._end - self._start - body
        large[:have] = self._scratch[self._start + body : self._end]
        self._large, self._large_filled = large, have
        self._large_lengths, self._large_fds = lengths, fds
        self._start = self._end = 0

    def _take_large(self) -> tuple[list[Buffer], int]:
        assert self._large is not None
        whole, self._large = self._large, None
        frames: list[Buffer] = [whole[start:end] for start, end in pairwise(accumulate(self._large_lengths, initial=0))]
        return frames, self._large_fds

    def _make_room(self) -> None:
        """Move what is there to the front; grow while reads fill the scratch, and for a long table of lengths."""
        rest = self._scratch[self._start : self._end]
        if len(rest) == len(self._scratch) or len(self._scratch) < _SCRATCH_BYTES:
            self._scratch = bytearray(2 * len(self._scratch))
        self._scratch[: len(rest)] = rest
        self._start, self._end, self._is_filled = 0, len(rest), False
