"""One lane of a ZeroMQ server: a ROUTER, and a wire for each of its connections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import zmq

from pxshell.errors import LaunchError
from pxshell.protocol.message import Buffer
from pxshell.protocol.prefix import Kind, Prefix
from pxshell.protocol.types import Lane, Role
from pxshell.transport.base import Proof, Reactor
from pxshell.transport.serving import ServerCore
from pxshell.transport.socketpath import PathLock
from pxshell.transport.wire import Wire, WireUser
from pxshell.transport.zmqsocket import (
    DOMAIN,
    LINGER_MS,
    Context,
    SocketReader,
    content_of,
    monitor,
    send_frames,
    set_common_options,
)

__all__ = ["Router"]

_IPC = "ipc://"

# After the server has learned that some connection is gone, it asks which: by then the route has been removed.
_ROLL_CALL_S = 0.02


class _RoutedWire(Wire):
    """One connection of a ROUTER."""

    def __init__(self, user: WireUser, proof: Proof, router: Router, route: bytes) -> None:
        super().__init__(user, proof)
        self._router = router
        self._route = route
        #: It cannot be sent to any more; what came may still be read.
        self.is_lost = False

    def takes_more(self) -> bool:
        """Tell whether it is open: credit is the only bound."""
        return not (self.is_closed or self.is_lost)

    def trust(self) -> None:
        """Change nothing: nobody gets this far without a key."""

    def write(self, frames: Sequence[Buffer], fds: tuple[int, ...] = ()) -> None:
        """Send a frame list."""
        if fds:
            raise ValueError("descriptors do not travel over ZeroMQ")
        if self.takes_more() and not self._router.send(self._route, frames):
            self._router.lost(self)

    def flush(self) -> None:
        """Look after the socket, which the sends have used."""
        self._router.check()

    def read_rest(self) -> None:
        """Change nothing: the ROUTER's other peers have their turn too."""

    def close(self) -> None:
        """Forget the connection; only the other end can close it."""
        self.is_closed = True
        self._router.forget(self._route, self)


class Router:
    """The socket of one lane of a server."""

    def __init__(self, server: ServerCore, reactor: Reactor, context: Context, lane: Lane, secret: str) -> None:
        self._server = server
        self._reactor = reactor
        self._wires: dict[bytes, _RoutedWire] = {}
        self._locks: list[PathLock] = []
        sock = context.socket(zmq.ROUTER)
        set_common_options(sock, lane)
        # An unreachable peer is an error and not silence.
        sock.setsockopt(zmq.ROUTER_MANDATORY, 1)
        sock.setsockopt(zmq.CURVE_SERVER, 1)
        sock.setsockopt(zmq.CURVE_SECRETKEY, secret.encode())
        sock.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
        self._monitor = monitor(reactor, sock, zmq.EVENT_DISCONNECTED, self._some_lost)
        self._reader = SocketReader(reactor, sock, self._take)
        self._is_roll_call_due = False

    def bind(self, address: str) -> str:
        """Listen at an address; return it as it is, with the port."""
        if address.startswith(_IPC):
            path = Path(address.removeprefix(_IPC))
            # ZeroMQ would take the path from whoever listens there.
            self._locks.append(PathLock(path))
            self._bind(address)
            path.chmod(0o600)
            return address
        self._bind(address)
        return self._reader.socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()  # type: ignore[union-attr]

    def _bind(self, address: str) -> None:
        # Not always: an address of IPv4 would come back as one of IPv6.
        self._reader.socket.setsockopt(zmq.IPV6, int("[" in address))
        try:
            self._reader.socket.bind(address)
        except zmq.ZMQError as error:
            why = zmq.strerror(error.errno or 0)
            raise LaunchError(f"cannot listen at {address}: {why}; give another address") from error

    def send(self, route: bytes, frames: Sequence[Buffer]) -> bool:
        """Send to a connection; False when it is gone."""
        try:
            send_frames(self._reader.socket, route, *frames)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                raise
            return False
        return True

    def check(self) -> None:
        """Look whether a send has swallowed the edge."""
        self._reader.check()

    def lost(self, wire: _RoutedWire) -> None:
        """Tell the server, but not now: it may be in the middle of sending, and there may be last words to be read."""
        if not wire.is_lost:
            wire.is_lost = True
            self._reactor.call_soon_threadsafe(self._bury, wire)

    def _bury(self, wire: _RoutedWire) -> None:
        if wire.is_closed or self._reader.socket.closed:
            return
        if not self._reader.drain():
            self._reactor.call_soon_threadsafe(self._bury, wire)
        elif not wire.is_closed:
            wire.close()
            self._server.wire_closed(wire, "the connection was closed")

    def forget(self, route: bytes, wire: _RoutedWire) -> None:
        """Take a connection out."""
        if self._wires.get(route) is wire:
            del self._wires[route]

    def close(self) -> None:
        """Release the socket."""
        self._reader.socket.disable_monitor()
        self._monitor.close()
        self._reader.close(LINGER_MS)

    def release_paths(self) -> None:
        """Remove the paths, once nobody listens there any more."""
        for lock in self._locks:
            lock.release()

    def abandon(self) -> None:
        """Close the locks; the context belongs to the parent."""
        for lock in self._locks:
            lock.abandon()

    def _take(self, frames: Sequence[zmq.Frame]) -> None:
        route, body = frames[0].bytes, [content_of(frame) for frame in frames[1:]]
        # The role of every single message is what the key of its connection proves.
        user = frames[-1].get("User-Id")
        wire = self._wires.get(route)
        if wire is None or wire.proof.role is None or wire.proof.role.value != user:
            wire = self._meet(route, Role(user), body)
        if wire is not None:
            self._server.frames_received(wire, body, ())

    def _meet(self, route: bytes, role: Role, body: Sequence[Buffer]) -> _RoutedWire | None:
        """Take a new connection, if it begins with a hello; else tell its end that we do not know it any more."""
        if not body or bytes(body[0])[:1] != bytes([Kind.HELLO]):
            self.send(route, [Prefix(Kind.AGAIN).pack()])
            return None
        wire = self._wires[route] = _RoutedWire(self._server, Proof(role=role), self, route)
        self._server.wire_opened(wire)
        return wire

    def _some_lost(self, _event: int) -> None:
        if not self._is_roll_call_due:
            self._is_roll_call_due = True
            self._reactor.call_later(_ROLL_CALL_S, self._call_roll)

    def _call_roll(self) -> None:
        """Find out which connections are gone: only sending tells."""
        self._is_roll_call_due = False
        if self._reader.socket.closed:
            return
        for route, wire in list(self._wires.items()):
            if not self.send(route, [Prefix(Kind.ACK).pack()]):
                self.lost(wire)
        self.check()
