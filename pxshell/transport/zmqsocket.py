"""ZeroMQ sockets in a reactor: drained when readable, without a thread; and who may come in (ZAP)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import zmq
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

from pxshell.protocol.message import Buffer
from pxshell.protocol.types import Lane
from pxshell.transport.base import Reactor
from pxshell.transport.keys import Authorized

__all__ = [
    "DOMAIN",
    "LINGER_MS",
    "Context",
    "SocketReader",
    "ZapReader",
    "content_of",
    "make_context",
    "monitor",
    "send_frames",
    "set_common_options",
]

Context = zmq.Context[zmq.Socket[bytes]]


#: The ZAP domain: sockets without it would let everybody in.
DOMAIN = b"pxshell"

#: How long a closed socket may take to send its good-bye; closing blocks no longer than that.
LINGER_MS = 200

#: Messages: some milliseconds of folding, after which the other lane has its turn.
_BATCH = 64
_COPIED_BYTES = 64 << 10

# Integers: pyzmq makes an enum's member of every option that is none, which costs as much as the call.
_NOBLOCK = int(zmq.NOBLOCK)
_SEND_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
_EVENTS = int(zmq.EVENTS)
_POLLIN = int(zmq.POLLIN)


def make_context() -> Context:
    """Make a context with a thread for each lane: encrypting a large message of one must not hold the other up."""
    return zmq.Context(io_threads=len(Lane))


def set_common_options(sock: zmq.Socket[bytes], lane: Lane) -> None:
    """Set what all sockets of links have in common."""
    sock.setsockopt(zmq.AFFINITY, 1 << int(lane))
    # Credit bounds what waits; a ROUTER at its high-water mark would drop silently.
    sock.setsockopt(zmq.SNDHWM, 0)
    sock.setsockopt(zmq.RCVHWM, 0)
    # Cuts connections over which nothing comes, such as after a machine has gone; peers answer from C, busy or not.
    sock.setsockopt(zmq.HEARTBEAT_IVL, 5_000)
    sock.setsockopt(zmq.HEARTBEAT_TIMEOUT, 20_000)


class SocketReader:
    """Owns a socket, hands each message on, until `close`.

    The descriptor of a ZeroMQ socket tells edges, and any call may swallow one: so it is drained whenever it fires, and
    `check` is called after every send.
    """

    def __init__(
        self, reactor: Reactor, sock: zmq.Socket[bytes], take: Callable[[Sequence[zmq.Frame]], object]
    ) -> None:
        self._reactor = reactor
        self.socket = sock
        self._take = take
        self._is_scheduled = False
        self._is_draining = False
        self._fd = int(sock.getsockopt(zmq.FD))
        reactor.add_reader(self._fd, self.drain)
        self._schedule()

    def drain(self) -> bool:
        """Take what there is, but no more than a batch at a time: other sockets have their turn. True: that was all."""
        if self._is_draining:
            return False
        self._is_draining, is_empty = True, False
        try:
            is_empty = self._take_batch()
        finally:
            self._is_draining = False
            if not is_empty:
                self._schedule()
        return is_empty

    def _take_batch(self) -> bool:
        for _ in range(_BATCH):
            if self.socket.closed:
                return True
            try:
                frames = _receive_frames(self.socket)
            except zmq.Again:
                return True
            self._take(frames)
        return False

    def check(self) -> None:
        """Look whether a send has swallowed the edge."""
        if self._is_draining or self._is_scheduled:
            return
        if int(self.socket.getsockopt(_EVENTS)) & _POLLIN:
            self._schedule()

    def close(self, linger_ms: int = 0) -> None:
        """Release the socket."""
        if not self.socket.closed:
            self._reactor.remove_reader(self._fd)
            self.socket.close(linger_ms)

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._reactor.call_soon_threadsafe(self._drain_scheduled)

    def _drain_scheduled(self) -> None:
        self._is_scheduled = False
        if not self.socket.closed:
            self.drain()


def send_frames(sock: zmq.Socket[bytes], *frames: Buffer) -> None:
    """Send a message without blocking; `zmq.ZMQError` as from the socket.

    A quarter of the cost of `send_multipart`: what that asks of each frame is only of use to other types of sockets. It
    copies: sending without would start a thread of pyzmq's that outlives us.
    """
    send = super(zmq.Socket, sock).send
    for frame in frames[:-1]:
        send(frame, _SEND_MORE)
    send(frames[-1], _NOBLOCK)


def _receive_frames(sock: zmq.Socket[bytes]) -> list[zmq.Frame]:
    """Receive a message without blocking; each frame knows whether another follows, so the socket is not asked."""
    frames = [sock.recv(_NOBLOCK, copy=False)]
    while frames[-1].more:
        frames.append(sock.recv(_NOBLOCK, copy=False))
    return frames


def monitor(reactor: Reactor, sock: zmq.Socket[bytes], events: int, told: Callable[[int], object]) -> SocketReader:
    """Report events of a socket; close the reader before the socket."""

    def take(frames: Sequence[zmq.Frame]) -> None:
        told(int(parse_monitor_message([frame.bytes for frame in frames])["event"]))

    return SocketReader(reactor, sock.get_monitor_socket(events), take)


def content_of(frame: zmq.Frame) -> Buffer:
    """Return what a frame holds; large ones are not copied."""
    return frame.bytes if len(frame) <= _COPIED_BYTES else frame.buffer


class ZapReader:
    """Answers the question of ZAP for all sockets of a context (https://rfc.zeromq.org/spec/27/): is this key known?

    The user id of every message of an accepted connection is the role that its key proves.
    """

    def __init__(self, reactor: Reactor, context: Context, authorized: Authorized) -> None:
        self._authorized = authorized
        sock = context.socket(zmq.REP)
        sock.bind("inproc://zeromq.zap.01")
        self._reader = SocketReader(reactor, sock, self._answer)

    def close(self) -> None:
        """Release the socket; nobody comes in any more."""
        self._reader.close()

    def _answer(self, frames: Sequence[zmq.Frame]) -> None:
        request = [frame.bytes for frame in frames]
        user = self._user(request)
        status = [b"200", b"OK"] if user else [b"400", b"this key is not known here"]
        reply: list[Any] = [b"1.0", request[1] if len(request) > 1 else b"", *status, user, b""]
        with contextlib.suppress(zmq.Again):
            self._reader.socket.send_multipart(reply, zmq.NOBLOCK)

    def _user(self, request: Sequence[bytes]) -> bytes:
        # version, request id, domain, address, identity, mechanism, public key
        if len(request) != 7 or request[0] != b"1.0" or request[2] != DOMAIN or request[5] != b"CURVE":
            return b""
        role = self._authorized.get(z85.encode(request[6]).decode())
        return role.value.encode() if role is not None else b""
