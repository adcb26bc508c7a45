"""A node that parents nodes: requests are split among them, answers folded once more, by the controller's code.

Above it looks like any node, with the ranks of all nodes below; below it looks like a controller without clients.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from pxshell.errors import PxshellError
from pxshell.protocol.digest import with_digest
from pxshell.protocol.message import Message
from pxshell.protocol.outlet import Outlet
from pxshell.protocol.pending import PendingReplies
from pxshell.protocol.prefix import Hello
from pxshell.protocol.types import Lane, Role
from pxshell.ranks import EMPTY, RankSet
from pxshell.transport.base import Connector, Peer, Proof, Server
from pxshell.transport.branches import NO_SUCH_RANK, Branches
from pxshell.transport.upward import Upward

__all__ = ["AboveRelay", "BelowRelay", "Relay", "RelayFile"]


class RelayFile(msgspec.Struct, frozen=True):
    """relay.json, beside a node.json: where the nodes below connect, and with which keys."""

    addresses: dict[str, list[str]]
    public: str
    secret: str
    #: Public keys of the nodes that may come in.
    nodes: list[str]


class Relay:
    """What both sides of it share; all in the loop's thread. `server` and `controller` are set by whoever wires it."""

    server: Server
    controller: Connector

    def __init__(self, loop: asyncio.AbstractEventLoop, directory: Path) -> None:
        self.directory = directory
        self.finished: asyncio.Future[None] = loop.create_future()
        pending = PendingReplies()
        self.outlet = Outlet(self._send_up, self._log_names)
        self.up = Upward(loop, pending, self.outlet.deliver)
        self.branches = Branches(self._send_down, pending, self.up, self.message)
        #: What nodes have told of their ranks, for a controller that is new or was restarted.
        self.descriptions: dict[int, dict[str, Any]] = {}
        self.is_stopping = False
        self._serial = itertools.count(1)

    def message(self, kind: str, content: dict[str, Any], ranks: RankSet = EMPTY, **fields: Any) -> Message:
        """Build a message of the relay's own."""
        return Message.make(kind, f"y{os.getpid()}-{next(self._serial)}", content, ranks=ranks, **fields)

    def announce_all(self) -> None:
        """Tell a controller that is new, or was restarted, all that it cannot know."""
        ranks = RankSet(self.descriptions)
        described = [self.descriptions[rank] for rank in ranks]
        self.controller.send(self.message("px_ranks", {"ranks": described}, ranks))
        for part, state in self.branches.states.groups():
            for kind in ("px_state", "px_place"):
                self.up.add(with_digest(self.message(kind, state.to_content() | {"counter": 0}, part)))

    def stop(self, message: Message) -> None:
        """Hand the order to end to all nodes; this one ends with the last of them."""
        self.is_stopping = True
        for node, ranks in self.branches.nodes.items():
            self.server.send(node, message.with_ranks(ranks))
        self.maybe_finish()

    def maybe_finish(self) -> None:
        """End once no node is left."""
        if self.is_stopping and not self.branches.nodes and not self.finished.done():
            self.up.flush()
            self.finished.set_result(None)

    def _send_up(self, message: Message) -> bool:
        return self.controller.send(message)

    def _send_down(self, node: Peer, message: Message) -> bool:
        return self.server.send(node, message)

    def _log_names(self, ranks: RankSet) -> str:
        return f"rank-{ranks.first}.log" if len(ranks) == 1 else "rank-N.log"


class BelowRelay:
    """Handler of the server that nodes connect to."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def hello_received(self, hello: Hello, proof: Proof) -> str | None:
        """Let nodes in, and nobody else; the key has proved the role."""
        return None if proof.role is Role.NODE else f"a node that parents nodes takes nodes only; this is: {hello.role}"

    def peer_joined(self, peer: Peer) -> None:
        """A node has come."""
        self._relay.branches.join(peer)

    def message_received(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Take what ranks say; what nobody can join goes through in its turn."""
        del fds  # ZeroMQ brings none
        relay = self._relay
        if message.type == "px_ranks":
            relay.branches.announce(peer, message.ranks)
            for description in message.data()["ranks"]:
                relay.descriptions[description["rank"]] = description
        elif message.type == "px_state":
            relay.branches.learn(message)
        relay.up.add(message, relay.branches.nodes.get(peer, EMPTY))

    def peer_silent(self, peer: Peer, silent: bool) -> None:
        """A node gives no sign of life, or is back."""
        self._relay.branches.show_silence(peer, silent)

    def peer_left(self, peer: Peer, why: str) -> None:
        """A node is lost with its ranks, or has ended as it was told."""
        ranks = self._relay.branches.leave(peer)
        if self._relay.is_stopping:
            self._relay.maybe_finish()
        else:
            self._relay.branches.lose(ranks, f"its node is gone: {why}")

    def lane_drained(self, peer: Peer, lane: Lane) -> None:
        """Requests that found the link full were answered as missing: nothing waits here."""

    def link_failed(self, error: PxshellError) -> None:
        """A server has no link of its own that could fail."""


class AboveRelay:
    """Handler of the connector to the controller, or to another relay.

    Args:
        lost: called when there will be no controller any more.
    """

    def __init__(self, relay: Relay, lost: Callable[[str], None]) -> None:
        self._relay = relay
        self._lost = lost

    def hello_received(self, hello: Hello, proof: Proof) -> str | None:
        """A connector receives none."""

    def peer_joined(self, peer: Peer) -> None:
        """The controller is there, for the first time or again."""
        self._relay.announce_all()

    def message_received(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Hand an order down."""
        del fds  # the controller sends none
        branches = self._relay.branches
        if message.type == "px_stop_request":
            self._relay.stop(message)
            return
        hand = branches.hand_to_all if message.type == "px_restart_request" else branches.hand_down
        branches.say_missing(message, hand(message), NO_SUCH_RANK, "unknown")

    def peer_silent(self, peer: Peer, silent: bool) -> None:
        """The controller is busy or gone; the connector goes on trying."""

    def peer_left(self, peer: Peer, why: str) -> None:
        """The controller is gone for good."""
        self._lost(why)

    def lane_drained(self, peer: Peer, lane: Lane) -> None:
        """The link takes messages again."""
        self._relay.outlet.drained(lane)

    def link_failed(self, error: PxshellError) -> None:
        """There is no controller."""
        self._lost(str(error))
