"""The connector's logic for all drivers: hello, refusals, coming back; drivers only open wires."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import msgspec

from pxshell.errors import LinkLostError, PxshellError
from pxshell.protocol.heartbeat import Heartbeat, Sign
from pxshell.protocol.message import Buffer, Message
from pxshell.protocol.prefix import Hello, Kind, LinkError, Prefix
from pxshell.protocol.types import Lane
from pxshell.transport.admission import decode_hello, decode_refused, make_peer, refusal_error
from pxshell.transport.base import Connector, Handler, Peer, Reactor, Settings, Timer
from pxshell.transport.dialling import Dialling
from pxshell.transport.lanes import Link, call_safely, close_all, open_frames, watches_closely
from pxshell.transport.wire import Wire

__all__ = ["ConnectorCore"]

_log = logging.getLogger(__name__)


class ConnectorCore(Dialling, Connector):
    """A connector on wires; subclasses add `_open_wire`, and call `start` when they are ready.

    Args:
        reactor: whose thread this runs in.
        handler: told everything.
        hello: who we are.
        where: the server, for people: an address or path.
        keep: connect again whenever the connection is cut; else `peer_left` is final.
        settings: limits and times.
    """

    def __init__(
        self, reactor: Reactor, handler: Handler, *, hello: Hello, where: str, keep: bool, settings: Settings
    ) -> None:
        super().__init__(reactor, settings, Link(reactor, settings, self._deliver, self._drained))
        self._handler = handler
        self._hello = msgspec.structs.replace(hello, keep=keep)
        self._where = where
        self._keep = keep
        self._peer: Peer | None = None
        self._error: PxshellError | None = None
        self._is_silent = False
        # What came on one lane before the other was welcomed. It counts as received only then: until it is acknowledged
        # the server's credit is the bound, however long the other lane takes.
        self._early: list[tuple[Wire, Sequence[Buffer], tuple[int, ...]]] = []
        #: The server watches us closely, and so we it.
        self._is_close = False
        self._heartbeat = self._new_heartbeat()
        self._tick: Timer | None = None
        self._deadline: Timer | None = None
        self._lingering: tuple[Timer, Callable[[], None] | None] | None = None

    def start(self) -> None:
        """Open both lanes."""
        if not self._keep:
            within = self._settings.join_within
            late = LinkLostError(self._where, f"it did not answer within {within:g} s")
            self._deadline = self._reactor.call_later(within, self._fail, late)
        for lane in Lane:
            self._connect(lane)

    # The interface.

    @property
    def peer(self) -> Peer | None:
        """The server, while joined."""
        return self._peer

    @property
    def error(self) -> PxshellError | None:
        """Why there is no link and will be none."""
        return self._error

    def send(self, message: Message, fds: tuple[int, ...] = (), *, more: bool = False) -> bool:
        """Queue a message, also before the link is up. False: over the limit or closed, and nothing was queued."""
        if self._is_closed or self._lingering is not None:
            return False
        return self._link.send(message, fds, more=more)

    def queued(self, lane: Lane) -> int:
        """Return the bytes that wait for credit."""
        return self._link.end(lane).outbox.queued_bytes

    def close(self, linger: float = 0.0, done: Callable[[], None] | None = None) -> None:
        """Say good-bye and release everything; the handler is not called any more."""
        if self._lingering is not None:
            self._lingering[0].cancel()
            self._lingering = None
        if linger and not self._is_closed and not self._link.is_acknowledged:
            self._lingering = self._reactor.call_later(linger, self._finish, done), done
            self._ask_for_acknowledgement()
        else:
            self._finish(done)

    def abandon(self) -> None:
        """Close descriptors and nothing else."""
        self._is_closed = True
        for wire in self._open_wires():
            wire.abandon()

    def _lane_failed(self, lane: Lane, why: str) -> None:
        """Try again after a pause if we keep the link; else this is its end."""
        if not self._keep:
            self._fail(LinkLostError(self._where, why))
            return
        self._show_liveness()
        self._retry(lane)

    # What wires tell.

    def frames_received(self, wire: Wire, frames: Sequence[Buffer], fds: tuple[int, ...]) -> None:
        """Take a frame list; what breaks the protocol closes its wire."""
        lane = self._lane_of(wire)
        if lane is None:
            close_all(fds)
            return
        try:
            prefix, fds = open_frames(frames, fds)
            if prefix.kind is Kind.DATA and self._peer is None and self._attempts[lane].is_welcome:
                self._early.append((wire, frames, fds))
            elif prefix.kind in (Kind.DATA, Kind.ACK, Kind.PING, Kind.PONG):
                self._receive(lane, prefix, frames[1:], fds)
            else:
                close_all(fds)
                self._receive_greeting(lane, wire, prefix, frames[1:])
        except (ValueError, IndexError, RecursionError) as error:
            _log.warning("closed the connection to %s, which broke the protocol: %s", self._where, error)
            wire.close()
            self.wire_closed(wire, f"it broke the protocol: {error}")

    def wire_ready(self, wire: Wire) -> None:
        """Send more."""
        lane = self._link.lane_of(wire)
        if lane is not None:
            self._link.pump(self._link.end(lane))

    def wire_closed(self, wire: Wire, why: str) -> None:
        """Connect anew if we keep the link; else the server is gone."""
        lane = self._lane_of(wire)
        if lane is None:
            return
        self._forget_wire(lane)
        if not self._keep:
            for other in self._open_wires():
                other.read_rest()
        if not self._is_closed:
            self._lane_failed(lane, why)

    def _receive(self, lane: Lane, prefix: Prefix, frames: Sequence[Buffer], fds: tuple[int, ...]) -> None:
        if not self._attempts[lane].is_welcome:
            close_all(fds)
            raise LinkError(f"{prefix.kind.name} before the welcome")
        self._heartbeat.heard(self._reactor.time())
        if self._is_silent:
            self._show_liveness()
        if prefix.kind is Kind.PING:
            self._watch(closely=watches_closely(prefix, frames))
        self._link.receive(lane, prefix, frames, fds)
        if self._lingering is not None and self._link.is_acknowledged:
            timer, done = self._lingering
            timer.cancel()
            self._finish(done)

    def _receive_greeting(self, lane: Lane, wire: Wire, prefix: Prefix, frames: Sequence[Buffer]) -> None:
        if prefix.kind is Kind.WELCOME and frames:
            self._welcomed(lane, wire, decode_hello(frames[0]))
        elif prefix.kind is Kind.REFUSED and frames:
            self._fail(refusal_error(decode_refused(frames[0]), self._where))
        elif prefix.kind is Kind.BYE:
            self._receive_bye(lane, wire, bytes(frames[0]).decode(errors="replace") if frames else "it has ended")
        elif prefix.kind is Kind.AGAIN:
            wire.close()
            self._forget_wire(lane)
            self._lane_failed(lane, "it has forgotten this connection")
        else:
            raise LinkError(f"{prefix.kind.name} from a server")

    def _receive_bye(self, lane: Lane, wire: Wire, why: str) -> None:
        """Leave when both lanes have said it: what is on the way on the other one comes first."""
        self._forget_wire(lane)
        wire.close()
        for other in self._open_wires():
            other.read_rest()
        if self._is_closed:
            return
        if not self._open_wires():
            self._fail(LinkLostError(self._where, why))
        elif self._deadline is None:
            self._deadline = self._reactor.call_later(0.5, self._fail, LinkLostError(self._where, why))

    # Joined.

    def _join(self, welcome: Hello, wire: Wire) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._link.is_open = True
        self._heartbeat.heard(self._reactor.time())
        if self._tick is None:
            self._schedule_tick()
        if self._peer is None:
            self._peer = make_peer(welcome, wire.proof)
            self._call(self._handler.peer_joined, self._peer)
            early, self._early = self._early, []
            for one in early:
                self.frames_received(*one)
        self._show_liveness()
        for lane in Lane:
            self._link.pump(self._link.end(lane))
        if self._lingering is not None:
            self._ask_for_acknowledgement()

    def _deliver(self, message: Message, fds: tuple[int, ...]) -> None:
        if self._is_closed or self._lingering is not None or self._peer is None:
            close_all(fds)
        else:
            self._call(self._handler.message_received, self._peer, message, fds)

    def _drained(self, lane: Lane) -> None:
        if self._peer is not None:
            self._call(self._handler.lane_drained, self._peer, lane)

    def _watch(self, *, closely: bool) -> None:
        """Watch the server as it watches us."""
        if closely is self._is_close:
            return
        self._is_close = closely
        self._heartbeat = self._new_heartbeat()
        if self._tick is not None:
            self._tick.cancel()
        self._schedule_tick()

    def _new_heartbeat(self) -> Heartbeat:
        now, settings = self._reactor.time(), self._settings
        return settings.close_heartbeat(now) if self._is_close else settings.heartbeat(settings.unresponsive_after, now)

    def _schedule_tick(self) -> None:
        interval = self._settings.close_interval if self._is_close else self._settings.unresponsive_after
        self._tick = self._reactor.call_later(interval, self._tick_once)

    def _tick_once(self) -> None:
        self._schedule_tick()
        signs = self._heartbeat.tick(self._reactor.time())
        self._show_liveness()
        if Sign.LOST in signs:
            for wire in self._open_wires():
                wire.close()
                self.wire_closed(wire, f"no sign of life for {self._settings.lost_after:g} s")

    def _show_liveness(self) -> None:
        is_silent = self._heartbeat.is_silent or not self._link.is_up
        if self._peer is not None and is_silent != self._is_silent:
            self._is_silent = is_silent
            self._call(self._handler.peer_silent, self._peer, is_silent)

    # Ends.

    def _leave(self, why: str) -> None:
        peer, self._peer = self._peer, None
        self._is_silent = False
        if peer is not None:
            self._call(self._handler.peer_left, peer, why)

    def _fail(self, error: PxshellError) -> None:
        """Give up for good, and say so once."""
        if self._is_closed:
            return
        self._error = error
        had_peer = self._peer is not None
        self._leave(error.why if isinstance(error, LinkLostError) else str(error))
        if not had_peer:
            self._call(self._handler.link_failed, error)
        self._release()
        if self._lingering is not None and self._lingering[1] is not None:
            self._lingering[1]()

    def _finish(self, done: Callable[[], None] | None) -> None:
        if not self._is_closed:
            for lane in Lane:
                self._link.say(lane, Kind.BYE, b"it has left")
            self._release()
        if done is not None:
            done()

    def _release(self) -> None:
        self._is_closed = True
        self._stop_dialling()
        self._drop_rest()
        self._link.release()

    def _start_anew(self) -> None:
        """Forget the server that there was, as if no link had ever been."""
        self._stop_dialling()
        self._drop_rest()
        self._tick = self._deadline = None
        self._link.release()
        self._link = Link(self._reactor, self._settings, self._deliver, self._drained)
        self._is_close = False
        self._heartbeat = self._new_heartbeat()
        self._token = ""

    def _forget_wire(self, lane: Lane) -> None:
        """Drop what came early, too: it is sent again over the next wire."""
        if (wire := self._attempts[lane].wire) is not None:
            self._drop_early(wire)
        super()._forget_wire(lane)

    def _drop_early(self, wire: Wire | None = None) -> None:
        """Drop what came early over one wire, or over all."""
        early, self._early = self._early, []
        for one in early:
            if wire is None or one[0] is wire:
                close_all(one[2])
            else:
                self._early.append(one)

    def _drop_rest(self) -> None:
        self._drop_early()
        for timer in (self._tick, self._deadline, self._lingering[0] if self._lingering else None):
            if timer is not None:
                timer.cancel()

    def _ask_for_acknowledgement(self) -> None:
        for lane in Lane:
            self._link.say(lane, Kind.PING)

    def _call(self, method: Callable[..., None], *args: object) -> None:
        if not self._is_closed and self._lingering is None:
            call_safely(method, *args)
