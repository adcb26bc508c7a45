"""Long messages of the control lane in pieces, so that urgent ones need not wait for their end."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pxshell.protocol.message import Buffer
from pxshell.protocol.prefix import LinkError, Part

__all__ = ["PIECE_BYTES", "Joiner", "pieces"]

#: Longest payload of a frame list on the control lane.
PIECE_BYTES = 64 << 10

_COUNT = struct.Struct("<I")

# What a piece counts at least, so that empty ones without end are not free; all but the last are longer.
_LEAST_BYTES = 64


def pieces(frames: Sequence[Buffer], piece_bytes: int = PIECE_BYTES) -> list[tuple[Part, Buffer]]:
    """Cut a message into frames of at most `piece_bytes`, at least two."""
    lengths = [memoryview(frame).nbytes for frame in frames]
    head = _COUNT.pack(len(frames)) + struct.pack(f"<{len(frames)}Q", *lengths)
    whole = memoryview(b"".join([head, *frames]))
    size = min(piece_bytes, (len(whole) + 1) // 2)
    cut = [whole[start : start + size] for start in range(0, len(whole), size)]
    parts = [Part.FIRST, *[Part.MIDDLE] * (len(cut) - 2), Part.LAST]
    return list(zip(parts, cut, strict=True))


class Joiner:
    """Puts pieces together; whole messages that come between them pass."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._pieces: list[bytes] = []
        self._bytes = 0

    def add(self, part: Part, frames: Sequence[Buffer]) -> Sequence[Buffer] | None:
        """Take what arrived; return a message's frames once they are complete.

        A piece whose beginning never came, because it was in an announced gap, is dropped.

        Raises:
            LinkError: no piece, or more than the limit.
        """
        if part is Part.WHOLE:
            return frames
        if len(frames) != 1:
            raise LinkError(f"a piece is one frame, received {len(frames)}")
        if part is Part.FIRST:
            self._pieces, self._bytes = [], 0
        elif not self._pieces:
            return None
        self._bytes += max(len(frames[0]), _LEAST_BYTES)
        if self._bytes > self._limit_bytes:
            raise LinkError(f"a message in pieces is longer than {self._limit_bytes} bytes")
        self._pieces.append(bytes(frames[0]))
        if part is not Part.LAST:
            return None
        whole = b"".join(self._pieces)
        self._pieces, self._bytes = [], 0
        return _split(whole)


def _split(whole: bytes) -> list[Buffer]:
    try:
        (count,) = _COUNT.unpack_from(whole)
        lengths = struct.unpack_from(f"<{count}Q", whole, _COUNT.size)
    except struct.error as error:
        raise LinkError(f"pieces that are no message: {error}") from error
    start = _COUNT.size + 8 * count
    if start + sum(lengths) != len(whole):
        raise LinkError("pieces that are no message: the lengths do not add up")
    frames: list[Buffer] = []
    for length in lengths:
        frames.append(whole[start : start + length])
        start += length
    return frames
