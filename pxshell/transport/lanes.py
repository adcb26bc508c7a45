"""Both lanes of one link over whatever wires they have now: the pure link of `protocol.link`, moved."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence

from pxshell.protocol.link import Inbox, Outbox, Outgoing, Receipt
from pxshell.protocol.message import Buffer, Message
from pxshell.protocol.pieces import Joiner
from pxshell.protocol.prefix import Kind, LinkError, Prefix
from pxshell.protocol.types import Lane
from pxshell.transport.base import Reactor, Settings, Timer
from pxshell.transport.wire import Wire

__all__ = ["LaneEnd", "Link", "call_safely", "close_all", "open_frames", "watches_closely"]

_log = logging.getLogger(__name__)

# These overtake what waits on the control lane; all are short.
_URGENT = frozenset({"px_pause_request", "px_resume_request", "px_signal_request", "interrupt_request"})


def close_all(fds: Sequence[int]) -> None:
    """Close descriptors that nobody wants."""
    for fd in fds:
        os.close(fd)


def open_frames(frames: Sequence[Buffer], fds: tuple[int, ...]) -> tuple[Prefix, tuple[int, ...]]:
    """Read the prefix of what came, and close the descriptors that came with anything but DATA, the only use of them.

    Raises:
        IndexError, LinkError: it has none; all descriptors are closed.
    """
    kind = None
    try:
        prefix = Prefix.unpack(frames[0])
        kind = prefix.kind
    finally:
        if kind is not Kind.DATA:
            close_all(fds)
    return prefix, fds if kind is Kind.DATA else ()


def watches_closely(prefix: Prefix, frames: Sequence[Buffer]) -> bool:
    """Tell whether a server's ping says that it watches closely, and so should we: its next one comes soon."""
    return prefix.kind is Kind.PING and bool(frames)


def call_safely(method: Callable[..., object], *args: object) -> None:
    """Call a handler: what fails there is logged, and must not take links down."""
    try:
        method(*args)
    except Exception:  # noqa: BLE001 - the edge of the loop
        _log.exception("the handler failed in %s", getattr(method, "__name__", method))


class LaneEnd:
    """Our end of one lane: it outlives its wires."""

    def __init__(self, lane: Lane, settings: Settings) -> None:
        limits = settings.limits(lane)
        self.lane = lane
        self.outbox = Outbox(limits)
        self.inbox = Inbox(limits)
        self.joiner = Joiner(settings.max_message_bytes)
        #: Welcomed, and in use; None while cut.
        self.wire: Wire | None = None
        self.timer: Timer | None = None
        self.low_water = limits.limit_bytes // 4
        self.is_owing_drained = False


class Link:
    """Our end of a link; its owner (a server or a connector) attaches and detaches wires.

    Args:
        reactor: whose thread this runs in.
        settings: limits and times.
        deliver: called with every new message, once and in order per lane, and its descriptors.
        drained: called when a lane's queue is below its low-water mark again.
    """

    def __init__(
        self,
        reactor: Reactor,
        settings: Settings,
        deliver: Callable[[Message, tuple[int, ...]], None],
        drained: Callable[[Lane], None],
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._deliver = deliver
        self._drained = drained
        self._ends = {lane: LaneEnd(lane, settings) for lane in Lane}
        #: Messages go out only when both ends know each other.
        self.is_open = False

    @property
    def is_up(self) -> bool:
        """Whether both lanes have wires."""
        return all(end.wire is not None for end in self._ends.values())

    @property
    def is_acknowledged(self) -> bool:
        """Whether the peer has everything."""
        return all(end.outbox.is_empty for end in self._ends.values())

    def end(self, lane: Lane) -> LaneEnd:
        """Return our end of a lane."""
        return self._ends[lane]

    def lane_of(self, wire: Wire) -> Lane | None:
        """Return the lane that a wire carries."""
        for lane, end in self._ends.items():
            if end.wire is wire:
                return lane
        return None

    def send(self, message: Message, fds: tuple[int, ...] = (), *, more: bool = False) -> bool:
        """Queue a message and send what credit allows; False at the limit.

        Args:
            message: goes at the end of its lane, or ahead if it is urgent.
            fds: descriptors that go along.
            more: another one for this lane follows at once: they are sent together.
        """
        end = self._ends[message.lane]
        own = tuple(os.dup(fd) for fd in fds)
        if not end.outbox.put(message.to_frames(), urgent=message.type in _URGENT, tag=own):
            close_all(own)
            end.is_owing_drained = True
            self.pump(end)
            return False
        if not more:
            self.pump(end)
        if end.outbox.queued_bytes > end.low_water:
            end.is_owing_drained = True
        return True

    def attach(self, lane: Lane, wire: Wire, peer_received: int) -> None:
        """Go on with a lane over a new wire, from what the peer has.

        Raises:
            LinkError: the peer has what was never sent.
        """
        end = self._ends[lane]
        resumed, released = end.outbox.resume(peer_received)
        self._release(released)
        if resumed.missing:
            _log.info("lane %s: %d messages went to the process that was there before", lane.name, resumed.missing)
        end.wire = wire

    def renew(self) -> None:
        """Meet another process at the other end: what comes in is counted from the beginning."""
        self.is_open = False
        for end in self._ends.values():
            end.inbox = Inbox(self._settings.limits(end.lane))
            end.joiner = Joiner(self._settings.max_message_bytes)

    def detach(self, lane: Lane) -> Wire | None:
        """Take a lane's wire out; what was not acknowledged is sent again over the next one."""
        end = self._ends[lane]
        wire, end.wire = end.wire, None
        return wire

    def pump(self, end: LaneEnd) -> None:
        """Send what credit and wire allow."""
        while end.outbox.is_waiting and self._write_some(end):
            pass
        if end.is_owing_drained:
            self._tell_drained(end)

    def _write_some(self, end: LaneEnd) -> bool:
        """Fill the wire and send that; False when credit, wire or messages are used up."""
        wire, count = end.wire, 0
        if wire is None or not self.is_open or not wire.takes_more():
            return False
        for item in end.outbox.take():
            prefix = Prefix(Kind.DATA, item.part, item.number, end.inbox.tell()).pack()
            fds = item.tag if isinstance(item.tag, tuple) else ()
            wire.write([prefix, *item.frames], fds)
            count += 1
            if not wire.takes_more():
                break
        wire.flush()
        return count > 0

    def say(self, lane: Lane, kind: Kind, *frames: Buffer) -> None:
        """Send one of the link's own frames, which need no credit."""
        end = self._ends[lane]
        if end.wire is not None:
            end.wire.write([Prefix(kind, received=end.inbox.tell()).pack(), *frames])
            end.wire.flush()

    def receive(self, lane: Lane, prefix: Prefix, frames: Sequence[Buffer], fds: tuple[int, ...]) -> None:
        """Take a frame list of kind DATA, ACK, PING or PONG.

        Raises:
            LinkError, MessageError: the peer broke the protocol; its descriptors are closed.
        """
        end = self._ends[lane]
        try:
            released = end.outbox.acknowledge(prefix.received)
        except LinkError:
            close_all(fds)
            raise
        if released:
            self._release(released)
        if prefix.kind is Kind.DATA:
            self._receive_data(end, prefix, frames, fds)
        elif prefix.kind is Kind.PING:
            self.say(lane, Kind.PONG)
        self.pump(end)

    def release(self) -> None:
        """Forget everything that was not acknowledged, close its descriptors, stop the timers."""
        for end in self._ends.values():
            self._release(end.outbox.held())
            end.wire = None
            if end.timer is not None:
                end.timer.cancel()

    def _receive_data(self, end: LaneEnd, prefix: Prefix, frames: Sequence[Buffer], fds: tuple[int, ...]) -> None:
        receipt = end.inbox.receive(prefix.number, sum(map(len, frames)))
        if receipt is Receipt.GAP:
            close_all(fds)
            raise LinkError(f"number {prefix.number} after {end.inbox.received} on lane {end.lane.name}")
        if receipt is Receipt.DUPLICATE:
            close_all(fds)
            return
        message = self._joined(end, prefix, frames, fds)
        if message is not None:
            self._deliver(message, fds)
        else:
            close_all(fds)
        self._acknowledge(end, at_once=bool(fds))

    @staticmethod
    def _joined(end: LaneEnd, prefix: Prefix, frames: Sequence[Buffer], fds: tuple[int, ...]) -> Message | None:
        try:
            whole = end.joiner.add(prefix.part, frames)
            return Message.from_frames(whole) if whole is not None else None
        except ValueError:
            close_all(fds)
            raise

    def _acknowledge(self, end: LaneEnd, *, at_once: bool) -> None:
        """Tell the peer what has come: of descriptors at once, for it holds them until then; of others in time."""
        if at_once or end.inbox.is_due():
            self.say(end.lane, Kind.ACK)
        elif end.timer is None and end.inbox.is_untold and end.wire is not None:
            end.timer = self._reactor.call_later(self._settings.acknowledge_after, self._acknowledge_late, end)

    def _acknowledge_late(self, end: LaneEnd) -> None:
        end.timer = None
        if end.inbox.is_untold:
            self.say(end.lane, Kind.ACK)

    def _tell_drained(self, end: LaneEnd) -> None:
        if end.outbox.queued_bytes <= end.low_water:
            end.is_owing_drained = False
            self._drained(end.lane)

    @staticmethod
    def _release(released: Sequence[Outgoing]) -> None:
        for item in released:
            if item.tag:
                assert isinstance(item.tag, tuple)
                close_all(item.tag)
