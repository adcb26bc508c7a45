"""How a server lets a connection in: its hello is checked, and it becomes a lane of a new or known session."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

import msgspec

from pxshell.protocol.message import Buffer
from pxshell.protocol.prefix import Hello, Kind, LinkError, Prefix, Refused
from pxshell.protocol.types import Lane, Role
from pxshell.transport.admission import decode_hello, encode, make_refused, refusal_of
from pxshell.transport.base import Handler, Proof, Reactor, Settings
from pxshell.transport.session import Session, Strangers
from pxshell.transport.wire import Wire

__all__ = ["Admitting"]

_log = logging.getLogger(__name__)


class Admitting(ABC):
    """The lower half of a server.

    Args:
        reactor: whose thread this runs in.
        handler: may refuse a hello.
        hello: what peers are told of us.
        roles: the roles that a hello may claim where the transport proves none.
        settings: limits and times.
    """

    def __init__(
        self, reactor: Reactor, handler: Handler, *, hello: Hello, roles: Collection[Role], settings: Settings
    ) -> None:
        self._reactor = reactor
        self._handler = handler
        self._hello = hello
        self._roles = frozenset(roles)
        self._settings = settings
        self._strangers = Strangers(reactor, settings.join_within)
        self._sessions: dict[str, Session] = {}
        self._wires: dict[Wire, Session] = {}

    @abstractmethod
    def _new_session(self, hello: Hello, proof: Proof) -> Session:
        """Begin a session."""

    @abstractmethod
    def _end_session(self, session: Session, why: str) -> None:
        """End a session."""

    @abstractmethod
    def _heard(self, session: Session) -> None:
        """Take a sign of life."""

    @abstractmethod
    def _open(self, session: Session) -> None:
        """Go on with both lanes up."""

    def _receive_hello(self, wire: Wire, prefix: Prefix, frames: Sequence[Buffer]) -> None:
        if prefix.kind is not Kind.HELLO or not frames:
            raise LinkError(f"{prefix.kind.name} before the hello")
        hello = decode_hello(frames[0])
        lane = Lane(hello.lane)
        refusal = refusal_of(hello, wire.proof, self._roles)
        session = None if refusal else self._session_for(hello, wire.proof)
        if isinstance(session, Session):
            self._strangers.forget(wire)
            self._attach(session, lane, wire, hello)
        else:
            self._refuse(wire, refusal or make_refused(str(session)))

    def _session_for(self, hello: Hello, proof: Proof) -> Session | str:
        """Return the session that a hello belongs to, or why there is none."""
        session = self._sessions.get(hello.id)
        if session is not None:
            if (session.proof.role, session.proof.pid) != (proof.role, proof.pid):
                return "its id belongs to somebody else"
            if hello.link == session.token or not session.has_joined:
                return session
            self._end_session(session, "it has started anew")
        try:
            why = self._handler.hello_received(hello, proof)
        except Exception:  # noqa: BLE001 - the edge of the loop
            _log.exception("the handler failed on a hello")
            why = "it failed on our hello; see its log"
        return why or self._new_session(hello, proof)

    def _refuse(self, wire: Wire, refused: Refused) -> None:
        self._strangers.forget(wire)
        wire.write([Prefix(Kind.REFUSED).pack(), encode(refused)])
        wire.flush()
        wire.close()

    def _attach(self, session: Session, lane: Lane, wire: Wire, hello: Hello) -> None:
        old = session.link.detach(lane)
        if old is not None:
            self._wires.pop(old, None)
            old.close()
        wire.trust()
        self._wires[wire] = session
        # What it received over another link says nothing about this one.
        session.link.attach(lane, wire, hello.received if hello.link == session.token else 0)
        received = session.link.end(lane).inbox.tell()
        welcome = msgspec.structs.replace(self._hello, lane=int(lane), link=session.token, received=received)
        wire.write([Prefix(Kind.WELCOME, received=received).pack(), encode(welcome)])
        wire.flush()
        self._heard(session)
        if session.link.is_up:
            self._open(session)
