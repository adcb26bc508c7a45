"""One lane in one direction: numbers, credit, acknowledgement, and going on after a reconnect."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from pxshell.protocol.message import Buffer
from pxshell.protocol.pieces import PIECE_BYTES, pieces
from pxshell.protocol.prefix import LinkError, Part

__all__ = ["CONTROL_LIMITS", "WORK_LIMITS", "Inbox", "Limits", "Outbox", "Outgoing", "Receipt", "Resumed"]

# What a queued message costs beside its bytes, so that empty ones are not free.
_OVERHEAD_BYTES = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one lane may hold in one direction."""

    #: Credit: sent and not acknowledged.
    window_bytes: int
    window_frames: int
    #: Waiting for credit.
    limit_bytes: int
    #: Longer messages go in pieces of this size; 0 never cuts.
    piece_bytes: int = 0


WORK_LIMITS = Limits(window_bytes=4 << 20, window_frames=1024, limit_bytes=64 << 20)
CONTROL_LIMITS = Limits(window_bytes=1 << 20, window_frames=256, limit_bytes=16 << 20, piece_bytes=PIECE_BYTES)


@dataclass(slots=True, eq=False)
class Outgoing:
    """A frame list on its way; `number` is 0 until it is first taken."""

    frames: Sequence[Buffer]
    size: int
    part: Part = Part.WHOLE
    number: int = 0
    #: The caller's: the descriptors that go along.
    tag: object = None


class Resumed(NamedTuple):
    """What a reconnect means for one lane."""

    #: Frame lists that are sent again.
    replayed: int
    #: Frame lists that the peer does not have and that are not kept any more: the gap.
    missing: int


def _size_of(frames: Sequence[Buffer]) -> int:
    return _OVERHEAD_BYTES + sum([len(frame) if type(frame) is bytes else memoryview(frame).nbytes for frame in frames])


class Outbox:
    """What goes out on a lane: waiting for credit, or sent and not acknowledged.

    Memory is bounded: what waits by `limit_bytes`, what is sent by the window; one message larger than either is
    accepted when there is nothing else, so that size alone never makes a message impossible.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._urgent: deque[Outgoing] = deque()
        self._waiting: deque[Outgoing] = deque()
        self._replay: deque[Outgoing] = deque()
        self._sent: deque[Outgoing] = deque()
        self._sent_bytes = 0
        self._last_number = 0
        self._acknowledged = 0
        #: Bytes that wait for credit.
        self.queued_bytes = 0

    @property
    def unacknowledged_bytes(self) -> int:
        """Bytes that were sent, or are to be sent again."""
        return self._sent_bytes + sum(item.size for item in self._replay)

    @property
    def is_waiting(self) -> bool:
        """Whether something is to be sent, now or again."""
        return bool(self._replay or self._urgent or self._waiting)

    @property
    def is_empty(self) -> bool:
        """Whether everything was acknowledged."""
        return not (self._urgent or self._waiting or self._replay or self._sent)

    def put(self, frames: Sequence[Buffer], *, urgent: bool = False, tag: object = None) -> bool:
        """Queue a message; False at the limit, and nothing was queued.

        Args:
            frames: of one message.
            urgent: overtakes everything that was not yet sent and is not urgent itself, also the rest of a message in
                pieces. A message that is long itself never overtakes.
            tag: returned with the frames, and by `acknowledge`.
        """
        size = _size_of(frames)
        if self.queued_bytes and self.queued_bytes + size > self._limits.limit_bytes:
            return False
        if self._limits.piece_bytes and size > self._limits.piece_bytes:
            self._put_pieces(frames, tag)
        else:
            self.queued_bytes += size
            (self._urgent if urgent else self._waiting).append(Outgoing(frames, size, tag=tag))
        return True

    def _put_pieces(self, frames: Sequence[Buffer], tag: object) -> None:
        cut = pieces(frames, self._limits.piece_bytes)
        for index, (part, piece) in enumerate(cut):
            item = Outgoing([piece], _size_of([piece]), part, tag=tag if index == len(cut) - 1 else None)
            self.queued_bytes += item.size
            self._waiting.append(item)

    def take(self) -> Iterator[Outgoing]:
        """Give what may be sent now; what was given counts as sent."""
        while (queue := self._replay or self._urgent or self._waiting) and self._has_credit(queue[0].size):
            item = queue.popleft()
            if not item.number:
                self._last_number += 1
                item.number = self._last_number
                self.queued_bytes -= item.size
            self._sent.append(item)
            self._sent_bytes += item.size
            yield item

    def _has_credit(self, size: int) -> bool:
        if not self._sent:
            return True
        limits = self._limits
        return self._sent_bytes + size <= limits.window_bytes and len(self._sent) < limits.window_frames

    def acknowledge(self, number: int) -> list[Outgoing]:
        """Release what the peer has; return it.

        Raises:
            LinkError: the peer acknowledges what was never sent.
        """
        if number > self._last_number:
            raise LinkError(f"acknowledged {number}, but only {self._last_number} were sent")
        released: list[Outgoing] = []
        if number <= self._acknowledged:
            return released
        for queue in (self._sent, self._replay):
            while queue and queue[0].number <= number:
                item = queue.popleft()
                if queue is self._sent:
                    self._sent_bytes -= item.size
                released.append(item)
        self._acknowledged = number
        return released

    def resume(self, received: int) -> tuple[Resumed, list[Outgoing]]:
        """Go on after a reconnect with a peer that has `received`; return also what this acknowledges.

        When the peer has less than was released (it is another process now), the rest is numbered anew.

        Raises:
            LinkError: the peer has more than was ever sent, or a number that is none.
        """
        if received < 0:
            raise LinkError(f"it claims to have received {received}")
        missing = max(0, self._acknowledged - received)
        released = [] if missing else self.acknowledge(received)
        self._replay = self._sent + self._replay
        self._sent = deque()
        self._sent_bytes = 0
        if missing:
            self._acknowledged = received
            self._last_number = received + len(self._replay)
            for number, item in enumerate(self._replay, received + 1):
                item.number = number
        return Resumed(len(self._replay), missing), released

    def held(self) -> list[Outgoing]:
        """Return everything that was not acknowledged, in order."""
        return [*self._sent, *self._replay, *self._urgent, *self._waiting]


class Receipt(Enum):
    """What an arrived number means."""

    NEW = "new"
    DUPLICATE = "duplicate"
    GAP = "gap"


class Inbox:
    """What has come in on a lane, and what the peer does not yet know of it."""

    def __init__(self, limits: Limits) -> None:
        # Four acknowledgements a window: the sender never waits for one while it has credit.
        self._due_frames = max(1, limits.window_frames // 4)
        self._due_bytes = limits.window_bytes // 4
        self._told = 0
        self._untold_bytes = 0
        #: The last number received.
        self.received = 0

    def receive(self, number: int, size: int) -> Receipt:
        """Count an arrived frame list; a gap is not counted."""
        if number <= self.received:
            return Receipt.DUPLICATE
        if number > self.received + 1:
            return Receipt.GAP
        self.received = number
        self._untold_bytes += size
        return Receipt.NEW

    @property
    def is_untold(self) -> bool:
        """Whether something was received that no prefix has told the peer yet."""
        return self._told < self.received

    def is_due(self) -> bool:
        """Tell whether the peer should be told now: it may be waiting for credit."""
        return self.received - self._told >= self._due_frames or self._untold_bytes >= self._due_bytes

    def tell(self) -> int:
        """Return the number for a prefix that goes out now."""
        self._told = self.received
        self._untold_bytes = 0
        return self.received
