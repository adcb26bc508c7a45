"""What is below a relay: its nodes, which ranks each has, in what state they are, and how requests reach them.

The controller is a relay, and so is a node that parents nodes: the same code at every level of the tree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from pxshell.protocol.digest import with_digest
from pxshell.protocol.message import Message
from pxshell.protocol.pending import PendingReplies
from pxshell.protocol.state import Activity, Liveness, RankState, StateTable
from pxshell.ranks import EMPTY, RankSet
from pxshell.transport.base import Peer
from pxshell.transport.upward import Upward

__all__ = ["NO_SUCH_RANK", "Branches", "MakeMessage"]

NO_SUCH_RANK = "there is no such rank in this cluster"


class MakeMessage(Protocol):
    """Builds a message of the relay's own, with a new id."""

    def __call__(self, kind: str, content: dict[str, Any], ranks: RankSet = ..., **fields: Any) -> Message:
        """Return the message."""


class Branches:
    """The nodes of one relay.

    Args:
        send: queues a message to a node; False when its link is full, or it has none.
        pending: the requests in flight below; this keeps its living ranks.
        up: takes what is said in the name of ranks that cannot.
        make: builds messages.
    """

    def __init__(
        self, send: Callable[[Peer, Message], bool], pending: PendingReplies, up: Upward, make: MakeMessage
    ) -> None:
        self._send = send
        self._pending = pending
        self._up = up
        self._make = make
        self.nodes: dict[Peer, RankSet] = {}
        self.states = StateTable()
        #: All ranks of all nodes.
        self._reach = EMPTY

    def join(self, node: Peer) -> None:
        """A node has come; what it has, it says itself."""
        self.nodes.setdefault(node, EMPTY)

    def announce(self, node: Peer, ranks: RankSet) -> None:
        """A node has these ranks, new processes all."""
        self.nodes[node] = self.nodes.get(node, EMPTY) | ranks
        self._reach |= ranks
        self._pending.alive |= ranks
        self.states = self.states.updated(ranks, RankState())

    def learn(self, message: Message) -> bool:
        """Take a `px_state`; tell whether its ranks have ended."""
        state = RankState.from_content(message.data())
        self.states = self.states.updated(message.ranks & self.states.ranks, state)
        if state.is_alive:
            return False
        self._pending.gone(message.ranks)
        return True

    def leave(self, node: Peer) -> RankSet:
        """A node has gone; return the ranks that it had."""
        ranks = self.nodes.pop(node, EMPTY)
        self._reach -= ranks
        return ranks

    def lose(self, ranks: RankSet, why: str) -> None:
        """Account for the living among these ranks, whose node is gone (P3)."""
        for part, state in list(self.states.among(ranks)):
            if state.is_alive:
                self._lose(part, state, why)

    def _lose(self, ranks: RankSet, state: RankState, why: str) -> None:
        content = {"why": why, "state": "lost"}
        for owed in self._pending.gone(ranks):
            self._say("px_missing", content, owed.ranks, parent=owed.request, origin=owed.origin)
        self._up.settle()
        lost = replace(state, liveness=Liveness.LOST, why=why)
        self.states = self.states.updated(ranks, lost)
        for kind in ("px_state", "px_place"):
            self._say(kind, lost.to_content() | {"counter": 0}, ranks)

    def show_silence(self, node: Peer, silent: bool) -> None:
        """A node gives no sign of life, or is back: its ranks with it."""
        liveness = Liveness.UNRESPONSIVE if silent else Liveness.OK
        for part, state in list(self.states.among(self.nodes.get(node, EMPTY))):
            if state.is_alive and state.liveness is not liveness:
                changed = replace(state, liveness=liveness, why="its node does not answer" if silent else "")
                self.states = self.states.updated(part, changed)
                self._say("px_state", changed.to_content() | {"counter": 0}, part)

    def hand_down(self, message: Message) -> RankSet:
        """Send a request to each node for its ranks; what comes in first goes down first, to all (P1).

        Returns the ranks of which nothing is known here; for all others that it did not reach it says why.
        """
        self._pending.begin(message, message.ranks)
        wanted = message.ranks & self._reach
        if message.type != "px_log_request":  # of a rank that has died its node has the log
            wanted &= self._pending.alive
        left = message.ranks - wanted
        for node, ranks in self.nodes.items():
            part = wanted & ranks
            # The very object of the node, where it can be: it knows its form on the wire.
            part = ranks if part == ranks else part
            if part and not self._send(node, message if part == message.ranks else message.with_ranks(part)):
                left |= part
        return self._say_known(message, left)

    def hand_to_all(self, message: Message) -> RankSet:
        """Send a request to each node for all of its ranks, whoever lives; return as `hand_down`."""
        self._pending.begin(message, message.ranks)
        left = message.ranks
        for node, ranks in self.nodes.items():
            if ranks and self._send(node, message.with_ranks(ranks)):
                left -= ranks
        return self._say_known(message, left)

    def _say_known(self, message: Message, left: RankSet) -> RankSet:
        for part, state in list(self.states.among(left)):
            self.say_missing(message, part, state.why or _why_silent(state), str(state.liveness))
            left -= part
        return left

    def say_missing(self, request: Message, ranks: RankSet, why: str, state: str) -> None:
        """Say that ranks will not answer a request; nothing when there are none."""
        content = {"why": why, "state": state}
        if ranks:
            self._say("px_missing", content, ranks, parent=request.id, origin=request.header.origin)

    def _say(self, kind: str, content: dict[str, Any], ranks: RankSet, **fields: Any) -> None:
        self._up.add(with_digest(self._make(kind, content, ranks, **fields)))


def _why_silent(state: RankState) -> str:
    return "it has ended" if state.activity is Activity.ENDED else f"it is {state.liveness}"
