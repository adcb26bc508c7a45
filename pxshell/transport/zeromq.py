"""ZeroMQ with CurveZMQ, over TCP and unix sockets alike: a server of clients and nodes, and its connectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import zmq

from pxshell.errors import AuthenticationError
from pxshell.protocol.prefix import Hello
from pxshell.protocol.types import Lane
from pxshell.transport.base import Handler, Reactor, Settings
from pxshell.transport.connecting import ConnectorCore
from pxshell.transport.dealer import DealerWire
from pxshell.transport.keys import Authorized
from pxshell.transport.router import Router
from pxshell.transport.serving import ServerCore
from pxshell.transport.wire import Wire
from pxshell.transport.zmqsocket import ZapReader, make_context, set_common_options

__all__ = ["LOOPBACK", "ZmqConnector", "ZmqServer"]

#: Where a server listens that is told nothing else: a free port that other machines cannot reach.
LOOPBACK = "tcp://127.0.0.1:*"

# A connection that ends in its handshake without a word has met a wrong key or a dying server; often: a wrong key.
_MUTE_HANDSHAKES = 4

# Longer than any socket here outlives its connection.
_NEVER_MS = 3_600_000


def _key_of(lane: Lane) -> str:
    return lane.name.lower()


class ZmqServer(ServerCore):
    """A server of clients and nodes.

    Args:
        reactor: whose thread this runs in.
        handler: told everything.
        addresses: ZeroMQ endpoints for each lane, "work" and "control"; by default a free port on loopback.
        public: our key, in Z85.
        secret: the other half.
        authorized: the keys that may come in, and their roles; a table that changes is looked at with each connection.
        hello: what peers are told of us.
        settings: limits and times.

    Raises:
        LaunchError: an address cannot be bound.
    """

    def __init__(
        self,
        reactor: Reactor,
        handler: Handler,
        *,
        addresses: Mapping[str, Sequence[str]] | None = None,
        public: str,
        secret: str,
        authorized: Authorized,
        hello: Hello | None = None,
        settings: Settings = Settings(),  # noqa: B008 - an immutable value
    ) -> None:
        super().__init__(reactor, handler, hello=hello, roles=(), settings=settings)
        self.public = public
        # The server's own: two io threads, all its sockets.
        self._context = make_context()
        self._zap = ZapReader(reactor, self._context, authorized)
        self._routers = {lane: Router(self, reactor, self._context, lane, secret) for lane in Lane}
        #: Where we listen, with the ports.
        self.addresses: dict[str, list[str]] = {}
        wanted = addresses or {_key_of(lane): [LOOPBACK] for lane in Lane}
        try:
            for lane, router in self._routers.items():
                self.addresses[_key_of(lane)] = [router.bind(address) for address in wanted[_key_of(lane)]]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Say good-bye to all and release everything, the paths too."""
        if self._context.closed:
            return
        super().close()
        for router in self._routers.values():
            router.close()
        self._zap.close()
        self._context.term()
        for router in self._routers.values():
            router.release_paths()

    def abandon(self) -> None:
        """Close the locks; ZeroMQ's own descriptors are of no use to a child, and it must not touch them."""
        super().abandon()
        for router in self._routers.values():
            router.abandon()


class ZmqConnector(ConnectorCore):
    """A connector to a `ZmqServer`.

    Args:
        reactor: whose thread this runs in.
        handler: told everything.
        hello: who we are.
        addresses: ZeroMQ endpoints for each lane, "work" and "control", tried in turn.
        server_public: the server's key, in Z85.
        public: our key.
        secret: the other half.
        keep: connect again whenever the connection is cut.
        settings: limits and times.
    """

    def __init__(
        self,
        reactor: Reactor,
        handler: Handler,
        hello: Hello,
        *,
        addresses: Mapping[str, Sequence[str]],
        server_public: str,
        public: str,
        secret: str,
        keep: bool = False,
        settings: Settings = Settings(),  # noqa: B008 - an immutable value
    ) -> None:
        where = addresses[_key_of(Lane.CONTROL)][0]
        super().__init__(reactor, handler, hello=hello, where=where, keep=keep, settings=settings)
        self._addresses = {lane: list(addresses[_key_of(lane)]) for lane in Lane}
        self._tried = dict.fromkeys(Lane, 0)
        self._mute_handshakes = 0
        self._options: dict[int, Any] = {
            zmq.CURVE_SERVERKEY: server_public.encode(),
            zmq.CURVE_PUBLICKEY: public.encode(),
            zmq.CURVE_SECRETKEY: secret.encode(),
            # A connection that ends has ended: the link decides what comes next. Not -1, "never": with it, closing a
            # context just when its server closes can hang for good (libzmq 4.3.5).
            zmq.RECONNECT_IVL: _NEVER_MS,
        }
        # The connector's own: two io threads, one socket for each connection.
        self._context = make_context()
        self.start()

    def _open_wire(self, lane: Lane) -> Wire:
        addresses = self._addresses[lane]
        address = addresses[self._tried[lane] % len(addresses)]
        self._tried[lane] += 1
        sock = self._context.socket(zmq.DEALER)
        set_common_options(sock, lane)
        sock.setsockopt(zmq.IPV6, 1)
        for option, value in self._options.items():
            sock.setsockopt(option, value)
        wire = DealerWire(self, self._reactor, sock, self._handshake_failed)
        try:
            sock.connect(address)
        except zmq.ZMQError as error:
            wire.close()
            raise OSError(error.errno, f"{address}: {zmq.strerror(error.errno or 0)}") from error
        return wire

    def _lane_failed(self, lane: Lane, why: str) -> None:
        if self._peer is None and self._tried[lane] < len(self._addresses[lane]):
            self._retry(lane)
        else:
            super()._lane_failed(lane, why)

    def _handshake_failed(self, wire: DealerWire, is_certain: bool) -> None:
        self._mute_handshakes += 1
        if is_certain or self._mute_handshakes >= _MUTE_HANDSHAKES:
            self._fail(AuthenticationError(self._where))
            return
        lane = self._lane_of(wire)
        wire.close()
        if lane is not None:
            self._forget_wire(lane)
            self._retry(lane)

    def _release(self) -> None:
        super()._release()
        if not self._context.closed:
            self._context.term()
