"""The node's upper side: the controller's orders, handed down or carried out here."""

from __future__ import annotations

from collections.abc import Callable

from pxshell.errors import PxshellError
from pxshell.node.node import DEFAULT_GRACE, Node
from pxshell.protocol.message import Message
from pxshell.protocol.prefix import Hello
from pxshell.protocol.types import Lane
from pxshell.ranks import RankSet
from pxshell.transport.base import Peer, Proof

__all__ = ["OrderHandler"]

_FULL = "its queue is full: it takes nothing in; wait, or %pxsignal INT"


class OrderHandler:
    """Handler of the connector to the controller.

    Args:
        lost: called when the controller is gone for good.
    """

    def __init__(self, node: Node, lost: Callable[[str], None]) -> None:
        self._node = node
        self._lost = lost
        self._own: dict[str, Callable[[Message], None]] = {
            "px_signal_request": self._signal,
            "px_log_request": self._log,
            "px_stop_request": self._stop,
            "px_restart_request": self._restart,
            "px_stacks_request": self._stacks,
            "px_attendance": self._attendance,
        }

    def hello_received(self, hello: Hello, proof: Proof) -> str | None:
        """A connector receives none."""

    def peer_joined(self, peer: Peer) -> None:
        """The controller is there, for the first time or again."""
        self._node.announce_all()

    def message_received(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Carry an order out here, or hand it to the engines."""
        del fds  # the controller sends none
        self._own.get(message.type, self._hand_down)(message)

    def _hand_down(self, message: Message) -> None:
        node = self._node
        connected = node.engines.connected()
        if message.type.endswith("_request"):  # others are told, and nobody answers
            node.pending.begin(message, message.ranks & connected)
        full = []
        for rank in message.ranks & connected:
            record = node.engines.of(rank)
            if record is None or record.peer is None or not node.server.send(record.peer, message):
                full.append(rank)
        self._missing(message, RankSet(full), _FULL)
        self._missing(message, message.ranks - connected, "it is not connected")

    def _stacks(self, message: Message) -> None:
        self._hand_down(message)
        self._node.outside.asked(message)

    def _attendance(self, message: Message) -> None:
        """Engines learn who is there, and we how much of their text is looked at."""
        self._node.outlet.set_paces(message.data().get("paces", {}))
        self._hand_down(message)

    def _missing(self, message: Message, ranks: RankSet, why: str) -> None:
        for rank in ranks:
            record = self._node.engines.of(rank)
            line = record.state.why if record is not None and record.state.why else why
            state = str(record.state.liveness) if record is not None else "lost"
            self._node.answer(message, "px_missing", {"why": line, "state": state}, RankSet.of(rank))

    def _signal(self, message: Message) -> None:
        self._node.pending.begin(message, message.ranks)
        number = int(message.data()["signal"])
        for rank in message.ranks:
            record = self._node.engines.of(rank)
            outcome = record.send_signal(number) if record is not None else "not sent: it is not connected"
            if outcome == "sent":
                self._node.sent.note(rank, number)
            self._node.answer(message, "px_signal_reply", {"outcome": outcome}, RankSet.of(rank))

    def _log(self, message: Message) -> None:
        count = int(message.data().get("bytes", 10_000))
        for rank in message.ranks:
            record = self._node.engines.of(rank)
            if record is None:
                self._missing(message, RankSet.of(rank), "it is not connected")
            else:
                content = {"text": record.log.tail(count), "file": str(record.log.path)}
                self._node.answer(message, "px_log_reply", content, RankSet.of(rank))

    def _stop(self, message: Message) -> None:
        self._node.stop(message, float(message.data().get("grace", DEFAULT_GRACE)))

    def _restart(self, message: Message) -> None:
        if self._node.is_owner:
            self._node.answer(message, "px_restart_reply", {"status": "ok"}, message.ranks)
            self._node.restart()
            return
        why = "pxshell did not start this program: start it again yourself, then pxshell attach"
        self._node.answer(message, "px_restart_reply", {"status": "refused", "why": why}, message.ranks)

    def peer_silent(self, peer: Peer, silent: bool) -> None:
        """The controller is busy or gone; the connector goes on trying, but no editor can let a stopped rank go."""
        if silent:
            self._end_debuggers("the node's controller does not answer")

    def _end_debuggers(self, why: str) -> None:
        node = self._node
        close = node.message("px_debug_close", {"why": why}, node.engines.connected())
        for record in node.engines:
            if record.peer is not None:
                node.server.send(record.peer, close)

    def peer_left(self, peer: Peer, why: str) -> None:
        """The controller is gone for good."""
        self._end_debuggers("the cluster's controller is gone")
        self._lost(why)

    def lane_drained(self, peer: Peer, lane: Lane) -> None:
        """The link takes messages again."""
        self._node.outlet.drained(lane)

    def link_failed(self, error: PxshellError) -> None:
        """There is no controller."""
        self._lost(str(error))
