"""The same links without sockets, in one process: for simulated engines and for tests, with faults on demand."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Sequence

from pxshell.protocol.message import Buffer
from pxshell.protocol.prefix import Hello
from pxshell.protocol.types import Lane, Role
from pxshell.transport.base import Handler, Proof, Reactor, Settings
from pxshell.transport.connecting import ConnectorCore
from pxshell.transport.lanes import close_all
from pxshell.transport.serving import ServerCore
from pxshell.transport.wire import Wire, WireUser

__all__ = ["InprocessConnector", "InprocessServer"]

# What may be under way in one direction, as in the buffers of a kernel.
_BUFFER_BYTES = 256 << 10

_Parcel = tuple[Sequence[Buffer], tuple[int, ...], int]


class _PairedWire(Wire):
    """One end of a pair, which reaches into the other. Each has its own reactor; both run in the same thread."""

    def __init__(self, user: WireUser, proof: Proof, reactor: Reactor, lane: Lane) -> None:
        super().__init__(user, proof)
        self.lane = lane
        self.reactor = reactor
        self.other: _PairedWire | None = None
        self._written: list[_Parcel] = []
        self._arrived: deque[_Parcel] = deque()
        self.arrived_bytes = 0
        self._is_scheduled = False
        #: A fault: what arrives waits.
        self.is_held = False

    def join(self, other: _PairedWire) -> None:
        """Connect two ends."""
        self.other, other.other = other, self

    def takes_more(self) -> bool:
        """Tell whether there is room on the way."""
        return self.other is not None and not self.is_closed and self.other.arrived_bytes < _BUFFER_BYTES

    def trust(self) -> None:
        """Change nothing: all memory is ours."""

    def write(self, frames: Sequence[Buffer], fds: tuple[int, ...] = ()) -> None:
        """Take a frame list; its descriptors are duplicated, as by the kernel."""
        if not self.is_closed:
            size = sum(memoryview(frame).nbytes for frame in frames)
            self._written.append((frames, tuple(os.dup(fd) for fd in fds), size))

    def flush(self) -> None:
        """Hand over what was written."""
        written, self._written = self._written, []
        for parcel in written:
            if self.other is None:
                close_all(parcel[1])
            else:
                self.other.arrive(parcel)

    def read_rest(self) -> None:
        """Deliver what has arrived."""
        while self._arrived and not self.is_closed:
            self._take_one()

    def close(self) -> None:
        """End both ends; the other one learns it after what it was sent."""
        if self.is_closed:
            return
        self.flush()
        self.end()
        other, self.other = self.other, None
        if other is not None:
            other.other = None
            other.schedule()

    def cut(self) -> None:
        """Fail, as a network does: what is under way is lost, and both ends are told."""
        other = self.other
        for wire in (self, other):
            if wire is not None and not wire.is_closed:
                wire.end()
                wire.other = None
                wire.reactor.call_soon_threadsafe(wire.user.wire_closed, wire, "cut")

    def release(self) -> None:
        """Let what was held arrive."""
        self.is_held = False
        self.schedule()

    def end(self) -> None:
        """Become closed; what is under way is lost."""
        self.is_closed = True
        for _, fds, _ in [*self._arrived, *self._written]:
            close_all(fds)
        self._arrived.clear()
        self._written.clear()
        self.arrived_bytes = 0

    def arrive(self, parcel: _Parcel) -> None:
        """Take what the other end has sent."""
        self._arrived.append(parcel)
        self.arrived_bytes += parcel[2]
        self.schedule()

    def schedule(self) -> None:
        """Deliver soon."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self.reactor.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        """Deliver one frame list at a time: the other lane has its turn in between."""
        self._is_scheduled = False
        if self.is_closed or self.is_held:
            return
        if self._arrived:
            self._take_one()
            if not self.is_closed:
                self.schedule()
        elif self.other is None:
            self.end()
            self.user.wire_closed(self, "the connection was closed")

    def _take_one(self) -> None:
        frames, fds, size = self._arrived.popleft()
        was_full = self.arrived_bytes >= _BUFFER_BYTES
        self.arrived_bytes -= size
        if was_full and self.arrived_bytes < _BUFFER_BYTES and self.other is not None:
            self.other.reactor.call_soon_threadsafe(self.other.user.wire_ready, self.other)
        self.user.frames_received(self, frames, fds)


class InprocessServer(ServerCore):
    """A server whose connectors are in the same process.

    Args:
        reactor: whose thread this runs in.
        handler: told everything.
        hello: what peers are told of us.
        roles: the roles that a hello may claim.
        settings: limits and times.
    """

    def __init__(
        self,
        reactor: Reactor,
        handler: Handler,
        *,
        hello: Hello | None = None,
        roles: Collection[Role] = tuple(Role),
        settings: Settings = Settings(),  # noqa: B008 - an immutable value
    ) -> None:
        super().__init__(reactor, handler, hello=hello, roles=roles, settings=settings)
        #: A fault: False turns new connections away.
        self.is_reachable = True

    def dial(self, user: WireUser, reactor: Reactor, lane: Lane) -> _PairedWire:
        """Return the far end of a new connection."""
        if self._is_closed or not self.is_reachable:
            raise ConnectionRefusedError(111, "nobody listens there")
        near = _PairedWire(self, Proof(), self._reactor, lane)
        far = _PairedWire(user, Proof(), reactor, lane)
        near.join(far)
        self.wire_opened(near)
        return far

    def cut(self, lane: Lane) -> None:
        """Make a fault: all connections of a lane fail."""
        for wire in self._paired_wires(lane):
            wire.cut()

    def hold(self, lane: Lane) -> None:
        """Make a fault: what comes in on a lane waits, until `release`."""
        for wire in self._paired_wires(lane):
            wire.is_held = True

    def release(self, lane: Lane) -> None:
        """Let what was held come in."""
        for wire in self._paired_wires(lane):
            wire.release()

    def _paired_wires(self, lane: Lane) -> list[_PairedWire]:
        return [wire for wire in self._wires if isinstance(wire, _PairedWire) and wire.lane is lane]


class InprocessConnector(ConnectorCore):
    """A connector to an `InprocessServer`.

    Args:
        reactor: whose thread this runs in: the server's thread.
        handler: told everything.
        hello: who we are.
        server: where to.
        keep: connect again whenever the connection is cut.
        settings: limits and times.
    """

    def __init__(
        self,
        reactor: Reactor,
        handler: Handler,
        hello: Hello,
        server: InprocessServer,
        *,
        keep: bool = False,
        settings: Settings = Settings(),  # noqa: B008 - an immutable value
    ) -> None:
        super().__init__(reactor, handler, hello=hello, where="this process", keep=keep, settings=settings)
        #: May be replaced: the next connection goes there.
        self.server = server
        self.start()

    def _open_wire(self, lane: Lane) -> Wire:
        return self.server.dial(self, self._reactor, lane)
