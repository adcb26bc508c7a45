"""One connection to a ZeroMQ server: a DEALER, which never connects again by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import zmq

from pxshell.protocol.message import Buffer
from pxshell.transport.base import Proof, Reactor
from pxshell.transport.wire import Wire, WireUser
from pxshell.transport.zmqsocket import LINGER_MS, SocketReader, content_of, monitor, send_frames

__all__ = ["DealerWire"]


class DealerWire(Wire):
    """A wire on a DEALER, which it owns.

    Args:
        user: told what comes.
        reactor: whose thread this runs in.
        sock: not yet connected.
        failed: called when the handshake failed, with whether it is certain that it was for the keys.
    """

    def __init__(
        self,
        user: WireUser,
        reactor: Reactor,
        sock: zmq.Socket[bytes],
        failed: Callable[[DealerWire, bool], None],
    ) -> None:
        super().__init__(user, Proof())
        self._failed = failed
        self._is_secured = False
        events = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        events |= zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
        self._monitor = monitor(reactor, sock, events, self._told)
        self._reader = SocketReader(reactor, sock, self._take)

    def takes_more(self) -> bool:
        """Tell whether it is open: credit is the only bound."""
        return not self.is_closed

    def trust(self) -> None:
        """Change nothing: the server has proved its key."""

    def write(self, frames: Sequence[Buffer], fds: tuple[int, ...] = ()) -> None:
        """Send a frame list; before the connection is up, it waits in the socket."""
        if fds:
            raise ValueError("descriptors do not travel over ZeroMQ")
        if not self.is_closed:
            # Again: the connection is gone, which the monitor will tell, and the link sends anew over the next one.
            with contextlib.suppress(zmq.Again):
                send_frames(self._reader.socket, *frames)

    def flush(self) -> None:
        """Look after the socket, which the sends have used."""
        if not self.is_closed:
            self._reader.check()

    def read_rest(self) -> None:
        """Deliver what has arrived."""
        if not self.is_closed:
            self._reader.drain()

    def close(self) -> None:
        """Release the socket; what was written may still leave, for a short time."""
        if not self.is_closed:
            self.is_closed = True
            self._reader.socket.disable_monitor()
            self._monitor.close()
            self._reader.close(LINGER_MS if self._is_secured else 0)

    def abandon(self) -> None:
        """Use it no more: ZeroMQ's own descriptors are of no use to a child, and it must not touch them."""
        self.is_closed = True

    def _take(self, frames: Sequence[zmq.Frame]) -> None:
        self.user.frames_received(self, [content_of(frame) for frame in frames], ())

    def _told(self, event: int) -> None:
        if self.is_closed:
            return
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._is_secured = True
        elif event in (zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL):
            self._failed(self, True)
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            self._failed(self, False)
        else:
            self._lost()

    def _lost(self) -> None:
        """Deliver the last words, then tell."""
        while not self._reader.drain():
            pass
        if not self.is_closed:
            why = "the connection was closed" if self._is_secured else "nobody listens there"
            self._is_secured = False  # nobody is there to linger for
            self.close()
            self.user.wire_closed(self, why)
