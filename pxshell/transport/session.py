"""What a server keeps of those who connect: strangers until their hello, then sessions."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from pxshell.protocol.heartbeat import Heartbeat
from pxshell.protocol.prefix import Kind
from pxshell.protocol.types import Lane
from pxshell.transport.base import Peer, Proof, Reactor, Timer
from pxshell.transport.lanes import Link
from pxshell.transport.wire import Wire

__all__ = ["Session", "Strangers"]


class Session:
    """One peer, from its first hello until it has left."""

    def __init__(self, peer: Peer, link: Link, proof: Proof, heartbeat: Heartbeat) -> None:
        self.peer = peer
        self.link = link
        self.proof = proof
        self.heartbeat = heartbeat
        self.is_watched_closely = False
        self.token = uuid.uuid4().hex
        self.has_joined = False
        self.is_silent = False
        #: What its good-bye said, on the first lane that brought it.
        self.parting: str | None = None
        #: Ends the session: not both lanes in time, not back in time, or the second good-bye is missing.
        self.timer: Timer | None = None

    def cancel_timer(self) -> None:
        """Let it live on for now."""
        if self.timer is not None:
            self.timer.cancel()

    def say_bye(self, why: str) -> None:
        """Say good-bye on both lanes."""
        for lane in Lane:
            self.link.say(lane, Kind.BYE, why.encode())

    def detach(self, wire: Wire) -> None:
        """Take a wire out of its lane."""
        lane = self.link.lane_of(wire)
        if lane is not None:
            self.link.detach(lane)


class Strangers:
    """Wires that have not said hello, and may not take long."""

    def __init__(self, reactor: Reactor, within: float) -> None:
        self._reactor = reactor
        self._within = within
        self._timers: dict[Wire, Timer] = {}

    def __iter__(self) -> Iterator[Wire]:
        return iter(list(self._timers))

    def __len__(self) -> int:
        return len(self._timers)

    def add(self, wire: Wire) -> None:
        """Wait for its hello."""
        self._timers[wire] = self._reactor.call_later(self._within, self._turn_out, wire)

    def forget(self, wire: Wire) -> None:
        """It has said hello, or is gone."""
        timer = self._timers.pop(wire, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Turn all of them out."""
        for wire in self:
            self._turn_out(wire)

    def _turn_out(self, wire: Wire) -> None:
        self.forget(wire)
        wire.close()
