"""The server's logic for all drivers: who is let in, is there, is silent, has left; drivers only bring wires."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence

from pxshell.protocol.heartbeat import Sign
from pxshell.protocol.message import Buffer, Message
from pxshell.protocol.prefix import Hello, Kind, LinkError, Prefix
from pxshell.protocol.types import Lane, Role
from pxshell.transport.admission import (
    is_allowed,
    make_denied,
    make_peer,
)
from pxshell.transport.admitting import Admitting
from pxshell.transport.base import Handler, Peer, Proof, Reactor, Server, Settings, Timer, make_hello
from pxshell.transport.lanes import Link, call_safely, close_all, open_frames
from pxshell.transport.session import Session
from pxshell.transport.wire import Wire

__all__ = ["ServerCore"]

_log = logging.getLogger(__name__)

# How long the good-bye of one lane waits for that of the other.
_BYE_S = 0.5


class ServerCore(Admitting, Server):
    """A server on wires; subclasses add what opens them.

    Args:
        reactor: whose thread this runs in.
        handler: told everything.
        hello: what peers are told of us.
        roles: the roles that a hello may claim where the transport proves none.
        settings: limits and times.
    """

    def __init__(
        self,
        reactor: Reactor,
        handler: Handler,
        *,
        hello: Hello | None = None,
        roles: Collection[Role],
        settings: Settings,
    ) -> None:
        super().__init__(reactor, handler, hello=hello or make_hello(None), roles=roles, settings=settings)
        self._is_closed = False
        self._tick: Timer | None = None
        self._close_tick: Timer | None = None

    # The interface.

    @property
    def peers(self) -> Collection[Peer]:
        """Those that have joined and not left."""
        return [session.peer for session in self._sessions.values() if session.has_joined]

    def send(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> bool:
        """Queue a message; False: over the limit or no such peer, and nothing was queued."""
        session = self._session_of(peer)
        return session is not None and session.link.send(message, fds)

    def queued(self, peer: Peer, lane: Lane) -> int:
        """Return the bytes that wait for credit."""
        session = self._session_of(peer)
        return session.link.end(lane).outbox.queued_bytes if session is not None else 0

    def watch_closely(self, peer: Peer, *, closely: bool) -> None:
        """Let each end notice within two seconds that the other is silent, or no longer so; any number of times."""
        session = self._session_of(peer)
        if session is None or session.is_watched_closely is closely:
            return
        session.is_watched_closely = closely
        now = self._reactor.time()
        settings = self._settings
        session.heartbeat = (
            settings.close_heartbeat(now) if closely else settings.heartbeat(settings.ping_interval, now)
        )
        self._ping(session)
        self._schedule_tick()

    def drop(self, peer: Peer, why: str) -> None:
        """Say good-bye to a peer, with a reason; `peer_left` is called before this returns."""
        session = self._session_of(peer)
        if session is not None:
            session.say_bye(why)
            self._end_session(session, why)

    def close(self) -> None:
        """Say good-bye to all and release everything."""
        self._is_closed = True
        for session in list(self._sessions.values()):
            session.say_bye("it has ended")
            self._end_session(session, "closed here")
        self._strangers.close()
        for tick in (self._tick, self._close_tick):
            if tick is not None:
                tick.cancel()

    def abandon(self) -> None:
        """Close descriptors and nothing else."""
        self._is_closed = True
        for wire in [*self._strangers, *self._wires]:
            wire.abandon()

    # What wires tell.

    def wire_opened(self, wire: Wire) -> None:
        """Take a new wire: it must say hello before anything else, and soon."""
        if self._is_closed:
            wire.close()
            return
        self._strangers.add(wire)

    def frames_received(self, wire: Wire, frames: Sequence[Buffer], fds: tuple[int, ...]) -> None:
        """Take a frame list; what breaks the protocol closes its wire and nothing else."""
        try:
            prefix, fds = open_frames(frames, fds)
            session = self._wires.get(wire)
            if session is not None:
                self._receive(session, wire, prefix, frames[1:], fds)
            else:
                close_all(fds)
                self._receive_hello(wire, prefix, frames[1:])
        except (ValueError, IndexError, RecursionError) as error:
            _log.warning("closed a connection that broke the protocol: %s", error)
            wire.close()
            self.wire_closed(wire, f"it broke the protocol: {error}")

    def wire_ready(self, wire: Wire) -> None:
        """Send more."""
        session = self._wires.get(wire)
        lane = session.link.lane_of(wire) if session is not None else None
        if session is not None and lane is not None:
            session.link.pump(session.link.end(lane))

    def wire_closed(self, wire: Wire, why: str) -> None:
        """Wait for the peer to come back if it said that it would; else it has left."""
        self._strangers.forget(wire)
        session = self._wires.pop(wire, None)
        if session is None:
            return
        session.detach(wire)
        if session.parting is not None or not session.has_joined or not session.peer.hello.keep:
            # The peer's last words on the other lane are older than its end.
            for other in self._wires_of(session):
                other.read_rest()
            self._end_session(session, session.parting or why)
        else:
            self._show_liveness(session)
            self._end_later(session, self._settings.keep_for, f"{why}, and it did not come back")

    # Joining.

    def _new_session(self, hello: Hello, proof: Proof) -> Session:
        peer = make_peer(hello, proof)
        heartbeat = self._settings.heartbeat(self._settings.ping_interval, self._reactor.time())
        link = Link(
            self._reactor,
            self._settings,
            lambda message, fds: self._deliver(session, message, fds),
            lambda lane: self._call(self._handler.lane_drained, peer, lane),
        )
        session = Session(peer, link, proof, heartbeat)
        self._sessions[peer.id] = session
        self._end_later(session, self._settings.join_within, "its other lane did not come")
        return session

    def _open(self, session: Session) -> None:
        session.cancel_timer()
        session.link.is_open = True
        if not session.has_joined:
            session.has_joined = True
            self._call(self._handler.peer_joined, session.peer)
        self._schedule_tick()
        for lane in Lane:
            session.link.pump(session.link.end(lane))

    # Messages and signs of life.

    def _receive(
        self, session: Session, wire: Wire, prefix: Prefix, frames: Sequence[Buffer], fds: tuple[int, ...]
    ) -> None:
        lane = session.link.lane_of(wire)
        if lane is None:
            close_all(fds)
            return
        if prefix.kind is Kind.DATA and not session.has_joined:
            close_all(fds)
            raise LinkError("DATA before its other lane")
        self._heard(session)
        if prefix.kind in (Kind.DATA, Kind.ACK, Kind.PING, Kind.PONG):
            session.link.receive(lane, prefix, frames, fds)
        elif prefix.kind is Kind.BYE:
            self._receive_bye(session, wire, bytes(frames[0]).decode(errors="replace") if frames else "")
        else:
            raise LinkError(f"{prefix.kind.name} from a peer")

    def _receive_bye(self, session: Session, wire: Wire, why: str) -> None:
        """Leave when both lanes have said it: what is on the way on the other one comes first."""
        session.parting = why
        self._wires.pop(wire, None)
        session.detach(wire)
        wire.close()
        if not self._wires_of(session):
            self._end_session(session, why)
        else:
            self._end_later(session, _BYE_S, why)

    def _deliver(self, session: Session, message: Message, fds: tuple[int, ...]) -> None:
        if is_allowed(session.peer, message):
            self._call(self._handler.message_received, session.peer, message, fds)
        else:
            close_all(fds)
            session.link.send(make_denied(session.peer, message))

    def _heard(self, session: Session) -> None:
        session.heartbeat.heard(self._reactor.time())
        if session.is_silent:
            self._show_liveness(session)

    def _tick_all(self) -> None:
        self._tick = None
        self._tick_those([one for one in self._sessions.values() if not one.is_watched_closely])

    def _tick_close(self) -> None:
        self._close_tick = None
        self._tick_those([one for one in self._sessions.values() if one.is_watched_closely])

    def _tick_those(self, sessions: Collection[Session]) -> None:
        now = self._reactor.time()
        for session in sessions:
            signs = session.heartbeat.tick(now)
            self._ping(session)
            self._show_liveness(session)
            if Sign.LOST in signs:
                for wire in self._wires_of(session):
                    wire.close()
                    self.wire_closed(wire, f"no sign of life for {self._settings.lost_after:g} s")
        self._schedule_tick()

    @staticmethod
    def _ping(session: Session) -> None:
        """Ask for a sign of life, and say whether the other end is to watch closely too (`lanes.watches_closely`)."""
        session.link.say(Lane.CONTROL, Kind.PING, *([b"closely"] if session.is_watched_closely else []))

    def _schedule_tick(self) -> None:
        if self._is_closed:
            return
        if self._sessions and self._tick is None:
            self._tick = self._reactor.call_later(self._settings.ping_interval, self._tick_all)
        if self._close_tick is None and any(one.is_watched_closely for one in self._sessions.values()):
            self._close_tick = self._reactor.call_later(self._settings.close_interval, self._tick_close)

    def _show_liveness(self, session: Session) -> None:
        is_silent = session.heartbeat.is_silent or not session.link.is_up
        if session.has_joined and is_silent != session.is_silent:
            session.is_silent = is_silent
            self._call(self._handler.peer_silent, session.peer, is_silent)

    # Ends.

    def _end_session(self, session: Session, why: str) -> None:
        if self._sessions.get(session.peer.id) is not session:
            return
        del self._sessions[session.peer.id]
        for wire in self._wires_of(session):
            self._wires.pop(wire, None)
            wire.close()
        session.link.release()
        session.cancel_timer()
        if session.has_joined:
            session.has_joined = False
            self._call(self._handler.peer_left, session.peer, why)

    def _wires_of(self, session: Session) -> list[Wire]:
        return [wire for lane in Lane if (wire := session.link.end(lane).wire) is not None and wire in self._wires]

    def _session_of(self, peer: Peer) -> Session | None:
        session = self._sessions.get(peer.id)
        return session if session is not None and session.peer is peer and session.has_joined else None

    def _call(self, method: Callable[..., None], *args: object) -> None:
        if not self._is_closed:
            call_safely(method, *args)

    def _end_later(self, session: Session, delay: float, why: str) -> None:
        session.cancel_timer()
        session.timer = self._reactor.call_later(delay, self._end_session, session, why)
