"""Unix stream sockets: a server and its connectors, whichever of the two listens; the kernel proves uid and pid."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from pxshell.errors import AuthenticationError, LinkLostError, PxshellError
from pxshell.protocol.prefix import Hello, Kind, Prefix
from pxshell.protocol.types import Lane, Role
from pxshell.transport.base import Handler, Proof, Reactor, Settings
from pxshell.transport.connecting import ConnectorCore
from pxshell.transport.serving import ServerCore
from pxshell.transport.socketpath import BoundSocket, prove, socket_address
from pxshell.transport.stream import StreamWire
from pxshell.transport.wire import Wire

__all__ = ["Bound", "UnixConnector", "UnixListener", "UnixServer"]

_log = logging.getLogger(__name__)


def _connect(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Non-blocking: a full queue of the listener is EAGAIN, not a stop of this loop.
        sock.setblocking(False)
        sock.connect(socket_address(path))
    except BaseException:
        sock.close()
        raise
    return sock


class Bound(Protocol):
    """A listening socket that does not block: `BoundSocket`, or what an owner bound for itself."""

    socket: socket.socket

    def close(self) -> None:
        """Close it and remove its path."""

    def abandon(self) -> None:
        """Close it; the path stays."""


class _Acceptor:
    """A bound socket in a reactor: connections of our own user are handed on, those of others closed."""

    def __init__(self, reactor: Reactor, bound: Bound, accepted: Callable[[socket.socket, Proof], None]) -> None:
        self._reactor = reactor
        self._accepted = accepted
        self._bound = bound
        reactor.add_reader(self._bound.socket.fileno(), self._accept)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._bound.socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                _log.warning("could not accept a connection: %s", error)
                return
            proof = prove(sock)
            if proof.uid != os.getuid():
                _log.warning("refused process %s of user %s", proof.pid, proof.uid)
                sock.close()
            else:
                self._accepted(sock, proof)

    def close(self) -> None:
        self._reactor.remove_reader(self._bound.socket.fileno())
        self._bound.close()

    def abandon(self) -> None:
        self._bound.abandon()


class UnixServer(ServerCore):
    """A server on a socket path, and on connections that it makes to engines that listen.

    Args:
        reactor: whose thread this runs in.
        handler: told everything.
        path: bound with mode 0600 and a lock beside it; None listens nowhere.
        hello: what peers are told of us.
        roles: the roles that a hello may claim.
        settings: limits and times.
    """

    def __init__(
        self,
        reactor: Reactor,
        handler: Handler,
        path: Path | None,
        *,
        hello: Hello | None = None,
        roles: Collection[Role] = (Role.ENGINE,),
        settings: Settings = Settings(),  # noqa: B008 - an immutable value
    ) -> None:
        super().__init__(reactor, handler, hello=hello, roles=roles, settings=settings)
        self._acceptor = _Acceptor(reactor, BoundSocket(path), self._accepted) if path is not None else None

    def adopt(self, path: Path) -> bool:
        """Connect to an engine that listens at a path; from then on it is as if the engine had connected.

        Returns:
            Whether somebody listens there; what the engine says comes to the handler.
        """
        socks: list[socket.socket] = []
        try:
            for _ in Lane:
                socks.append(_connect(path))
                self._check(prove(socks[-1]))
        except OSError as error:
            _log.warning("nobody answers at %s: %s", path, error)
            for sock in socks:
                sock.close()
            return False
        for sock in socks:
            self._accepted(sock, prove(sock))
        return True

    @staticmethod
    def _check(proof: Proof) -> None:
        if proof.uid != os.getuid():
            raise PermissionError(f"it belongs to user {proof.uid}")

    def close(self) -> None:
        """Say good-bye to all and release everything, the path too."""
        super().close()
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None

    def abandon(self) -> None:
        """Close descriptors and nothing else; the path stays."""
        super().abandon()
        if self._acceptor is not None:
            self._acceptor.abandon()

    def _accepted(self, sock: socket.socket, proof: Proof) -> None:
        self.wire_opened(StreamWire(self, proof, self._reactor, sock, self._settings.max_message_bytes))


class UnixConnector(ConnectorCore):
    """A connector to a server's path.

    Args:
        reactor: whose thread this runs in.
        handler: told everything.
        hello: who we are.
        path: the server's.
        keep: connect again whenever the connection is cut.
        settings: limits and times.
    """

    def __init__(
        self,
        reactor: Reactor,
        handler: Handler,
        hello: Hello,
        path: Path,
        *,
        keep: bool = False,
        settings: Settings = Settings(),  # noqa: B008 - an immutable value
    ) -> None:
        super().__init__(reactor, handler, hello=hello, where=str(path), keep=keep, settings=settings)
        self._path = path
        self.start()

    def _open_wire(self, lane: Lane) -> Wire:
        sock = _connect(self._path)
        proof = prove(sock)
        if proof.uid != os.getuid():
            sock.close()
            raise AuthenticationError(self._where, f"it belongs to another user ({proof.uid})")
        wire = StreamWire(self, proof, self._reactor, sock, self._settings.max_message_bytes)
        wire.trust()
        return wire


class UnixListener(ConnectorCore):
    """A connector that waits at a path for its server to come (`UnixServer.adopt`), again and again.

    A server that is gone for good leaves the path open for the next one; only `close` ends it.
    """

    def __init__(
        self,
        reactor: Reactor,
        handler: Handler,
        hello: Hello,
        path: Path,
        bound: Bound,
        *,
        keep: bool = False,
        settings: Settings = Settings(),  # noqa: B008 - an immutable value
    ) -> None:
        super().__init__(reactor, handler, hello=hello, where=str(path), keep=keep, settings=settings)
        self._acceptor: _Acceptor | None = _Acceptor(reactor, bound, self._accepted)

    def _accepted(self, sock: socket.socket, proof: Proof) -> None:
        wire = StreamWire(self, proof, self._reactor, sock, self._settings.max_message_bytes)
        lane = self._free_lane()
        if lane is None:
            wire.write([Prefix(Kind.BYE).pack(), f"process {os.getpid()} has joined another cluster".encode()])
            wire.flush()
            wire.close()
            return
        wire.trust()
        self._use(lane, wire)

    def _open_wire(self, lane: Lane) -> Wire:
        raise LinkLostError(self._where, "only its server can open a connection")

    def _retry(self, lane: Lane) -> None:
        """Wait: the server comes to us."""

    def _fail(self, error: PxshellError) -> None:
        if self._lingering is not None:
            super()._fail(error)
            return
        self._leave(error.why if isinstance(error, LinkLostError) else str(error))
        self._start_anew()

    def close(self, linger: float = 0.0, done: Callable[[], None] | None = None) -> None:
        """Say good-bye and release everything, the path too."""
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
        super().close(linger, done)

    def abandon(self) -> None:
        """Close descriptors and nothing else; the path stays."""
        super().abandon()
        if self._acceptor is not None:
            self._acceptor.abandon()
