"""One end of a tunnel: a stream of bytes in two directions in messages, with credit, and losses noticed.

The bytes are a debugger's. A chunk says where in its direction it begins and how much of the other direction its sender
has used up; an empty one says only the latter. Nobody sends more than a window ahead of that, so that a debugger that
talks much never fills the control lane, on which pauses and signals travel (P7).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CHUNK_BYTES", "WINDOW_BYTES", "Chunk", "Tunnel", "TunnelError"]

#: Bytes that may be on their way in one direction.
WINDOW_BYTES = 256 << 10
#: Bytes of one message: short beside the 64 KiB of a control frame.
CHUNK_BYTES = 32 << 10


class TunnelError(ValueError):
    """What arrived does not follow what had arrived: bytes were lost, or the other end ignores the window."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one message carries: `data` begins at byte `at`; `taken` bytes of the other direction are used up."""

    at: int
    taken: int
    data: bytes = b""

    def to_content(self) -> dict[str, int]:
        """Return the content of a `px_debug_data` message; `data` is its buffer."""
        return {"at": self.at, "taken": self.taken}


class Tunnel:
    """Bytes in, chunks out, and the reverse. Not thread-safe.

    Args:
        window: Bytes that may be on their way; the same at both ends.
        chunk: Bytes of a chunk, at most.
    """

    def __init__(self, *, window: int = WINDOW_BYTES, chunk: int = CHUNK_BYTES) -> None:
        self._window = window
        self._chunk = chunk
        self._waiting = bytearray()
        self._sent = 0  # bytes that have gone out
        self._used = 0  # of those, used up at the other end
        self._received = 0
        self._taken = 0  # used up here
        self._told = 0  # of those, the other end knows

    @property
    def is_full(self) -> bool:
        """Whether bytes wait for credit: whoever has more should wait too."""
        return bool(self._waiting)

    def send(self, data: bytes) -> list[Chunk]:
        """Take bytes for the other end; return the chunks that may go now."""
        self._waiting += data
        return self._ready()

    def receive(self, chunk: Chunk) -> list[Chunk]:
        """Take a chunk of the other end, whose `data` is the caller's to use; return what may go now.

        Raises:
            TunnelError: something is missing before it, or it comes without credit.
        """
        if chunk.at != self._received:
            raise TunnelError(f"bytes {self._received} to {chunk.at} of the debugger were lost on the way")
        if chunk.at + len(chunk.data) > self._taken + self._window:
            raise TunnelError("the other end of the debugger's tunnel sends more than it may")
        if not self._used <= chunk.taken <= self._sent:
            raise TunnelError(f"{chunk.taken} bytes used up of {self._sent} that were sent")
        self._received += len(chunk.data)
        self._used = chunk.taken
        return self._ready()

    def use(self, count: int) -> list[Chunk]:
        """Say that so many received bytes are used up; return what tells the other end, when it is time to."""
        self._taken += count
        assert self._taken <= self._received, "more was used than had come"
        return [self._make(b"")] if self._taken - self._told >= self._window // 4 else []

    def _ready(self) -> list[Chunk]:
        chunks = []
        while self._waiting and self._sent < self._used + self._window:
            size = min(self._chunk, self._used + self._window - self._sent)
            data = bytes(self._waiting[:size])
            del self._waiting[:size]
            chunks.append(self._make(data))
        return chunks

    def _make(self, data: bytes) -> Chunk:
        chunk = Chunk(self._sent, self._taken, data)
        self._sent += len(data)
        self._told = self._taken
        return chunk
