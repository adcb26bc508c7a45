"""The node's lower side: engines come, speak and end."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from pxshell.node.engines import EngineRecord
from pxshell.node.logs import RankLog
from pxshell.node.node import Node
from pxshell.node.output import RankOutput
from pxshell.node.remains import status_of_remains
from pxshell.node.watch import ProcessWatch
from pxshell.protocol.endings import end_line
from pxshell.protocol.marks import Scope
from pxshell.protocol.message import Message
from pxshell.protocol.prefix import Hello
from pxshell.protocol.state import RESTART, Activity, Liveness, RankState
from pxshell.protocol.types import Lane, Role
from pxshell.ranks import RankSet
from pxshell.transport.base import Peer, Proof

__all__ = ["EngineHandler"]

#: Seconds that a link may be down before its rank is called lost; its process usually ends meanwhile.
_AFTERLIFE = 0.3
#: Seconds that the last messages of a process that has ended may take to arrive, and its exit status.
_LAST_WORDS = 0.5


class EngineHandler:
    """Handler of the server that engines connect to."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def hello_received(self, hello: Hello, proof: Proof) -> str | None:
        """Decide about an engine that says who it is; return why not, or None."""
        node = self._node
        if hello.role != Role.ENGINE.value:
            return f"a node takes engines only, not a {hello.role}"
        if hello.rank is None or not 0 <= hello.rank < node.file.size:
            return f"rank {hello.rank} is none of this cluster's {node.file.size} ranks"
        if hello.size != node.file.size:
            return self._wrong_size(hello)
        if hello.epoch < node.launch.epoch:
            return f"rank {hello.rank} was restarted since; this process (epoch {hello.epoch}) goes on alone"
        if node.world and hello.world != node.world:
            ours = f"this cluster's, which is {node.world}"
            return f"world {hello.world} is not {ours}; reach it by itself: pxshell attach"
        held = node.engines.of(hello.rank)
        if held is not None and held.is_alive and held.pid != proof.pid and held.epoch == hello.epoch:
            return f"rank {hello.rank} is taken by process {held.pid}; a rank has one process"
        return None

    def _wrong_size(self, hello: Hello) -> str:
        line = f"{self._node.file.size} ranks were asked for, but this process sees a world of {hello.size}"
        if hello.size == 1:
            line += ": mpiexec and mpi4py's MPI library are of different makes, or the launcher started no MPI world"
        self._node.notice(line, "error")
        return line

    def peer_joined(self, peer: Peer) -> None:
        """An engine is connected on both lanes: it is a rank from now on."""
        node, hello = self._node, peer.hello
        log = RankLog(node.directory / "logs" / f"rank-{hello.rank}.log", node.limits.log)
        assert hello.rank is not None, "hello_received lets nobody in without a rank"
        record = EngineRecord(hello.rank, hello.epoch, peer.pid, log, RankState(), _description(peer), peer)
        try:
            record.watch = ProcessWatch(node.loop, peer.pid, lambda: self._died(record))
        except ProcessLookupError:
            log.close()
            return
        node.world = hello.world
        node.engines.add(record)
        node.pending.alive |= RankSet.of(record.rank)
        self._give_output(record, peer)
        node.welcome(record)

    def _give_output(self, record: EngineRecord, peer: Peer) -> None:
        """Give a rank that we started its two pipes; one that we did not start keeps its own descriptors."""
        node, ranks = self._node, RankSet.of(record.rank)
        if not node.is_owner:
            node.server.send(peer, node.message("px_output", {"token": ""}, ranks))
            return
        output = RankOutput(node.turns, self._text_taker(record), self._log_taker(record), node.launch.size)
        record.output = output
        node.server.send(peer, node.message("px_output", {"token": output.token}, ranks), output.write_ends)
        output.release()

    def _text_taker(self, record: EngineRecord) -> Callable[[str, str, str], None]:
        node, ranks = self._node, RankSet.of(record.rank)

        def take(name: str, cell: str, text: str) -> None:
            scope = Scope.parse(cell)
            if not node.outlet.is_open(scope.origin):
                # Before it is folded, which costs most: what waits for folding goes first, so that the notice stands
                # where the text is missing.
                node.up.flush_lane(Lane.WORK)
                extent = len(text.encode("utf-8", "replace")), text.count("\n")
                node.outlet.cut(node.next_id(), ranks, scope.cell, scope.origin, extent)
                return
            content = {"name": name, "text": text}
            fields: dict[str, Any] = {"parent": scope.cell, "origin": scope.origin, "late": scope.late}
            node.up.add(node.message("stream", content, ranks, epoch=record.epoch, **fields))

        return take

    def _log_taker(self, record: EngineRecord) -> Callable[[str], None]:
        def take(text: str) -> None:
            full = record.log.write(text.encode("utf-8", "replace"))
            if full is not None:
                self._node.notice(full, "warning")

        return take

    def message_received(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Take a message, after the text that stands before it in the pipes."""
        del fds  # engines send none
        record = self._node.engines.of_peer(peer)
        if record is None or record.epoch < self._node.launch.epoch or self._node.last_look.take(message):
            return
        if self._node.outside.is_late(message):
            return
        mark, output = message.header.mark, record.output
        if not mark or output is None:
            self._said(record, message)
            return
        output.advance(mark)
        self._said(record, message.with_header(mark=0))
        output.passed(mark)

    def _said(self, record: EngineRecord, message: Message) -> None:
        if message.type == "px_state":
            record.learn(RankState.from_content(message.data()))
        elif message.type == "stream":
            self._log_taker(record)(str(message.data().get("text", "")))
        self._node.up.add(message)

    def peer_silent(self, peer: Peer, silent: bool) -> None:
        """An engine has stopped answering, or answers again: its process stands, or holds the GIL.

        One that holds the GIL since its cell began could not say that it is busy: we know what it was given.
        """
        record = self._node.engines.of_peer(peer)
        liveness = Liveness.UNRESPONSIVE if silent else Liveness.OK
        if record is None or not record.is_alive or record.state.liveness is liveness:
            return
        facts: dict[str, Any] = {"activity": record.said.activity, "cell": record.said.cell}
        cell = self._node.pending.in_flight(record.rank) if silent and record.said.activity is Activity.IDLE else ""
        if cell:
            facts = {"activity": Activity.BUSY, "cell": cell}
        self._node.report(record, liveness=liveness, **facts)

    def peer_left(self, peer: Peer, why: str) -> None:
        """A link has ended; usually its process ends now."""
        record = self._node.engines.forget_peer(peer)
        if record is not None and record.is_alive:
            self._node.last_look.left(record)
            self._node.loop.call_later(_AFTERLIFE, self._left, record, why)

    def _left(self, record: EngineRecord, why: str) -> None:
        if record.is_alive and record.peer is None and self._node.engines.of(record.rank) is record:
            self._node.settle(record, f"left: {why}")
            # One that has said its last word takes its time to end, as with large libraries: the kernel tells when.
            if record.state.activity is not Activity.ENDED:
                self._node.report(record, liveness=Liveness.LOST, why=f"left: {why}")

    def _died(self, record: EngineRecord) -> None:
        """The kernel says that the process has ended: its last words first."""
        record.watch = None
        record.remains = status_of_remains(record.pid)
        self._node.last_look.left(record)
        self._bury(record, self._node.loop.time() + _LAST_WORDS)

    def _bury(self, record: EngineRecord, patience: float) -> None:
        """Report the end once the link has ended too, which comes after the last message in it, and how it ended."""
        node = self._node
        has_status = record.remains is not None or not node.launch.awaits_status(record.pid)
        if not (has_status and record.peer is None) and node.loop.time() < patience:
            node.loop.call_later(0.002, self._bury, record, patience)
            return
        if record.output is not None:
            record.output.close()
            record.output = None
        if node.engines.of(record.rank) is record:
            known = record.state.exit if record.remains is None else record.remains
            status = node.launch.exit_status(record.pid, known)
            reason = RESTART if node.is_restarting and record.epoch == node.launch.epoch else ""
            facts = {"reason": reason, "why": end_line(status, node.sent.text), **node.last_look.facts(record)}
            node.settle(record, facts["why"])
            node.report(record, liveness=Liveness.DEAD, exit=status, pause="", cell="", **facts)
            node.up.flush()
        record.log.close()
        node.maybe_finish()

    def lane_drained(self, peer: Peer, lane: Lane) -> None:
        """An engine takes messages again; what it could not take was refused, so nothing waits."""

    def link_failed(self, error: Exception) -> None:
        """A server has no link of its own that could fail."""


def _description(peer: Peer) -> dict[str, Any]:
    hello = peer.hello
    return {
        "rank": hello.rank,
        "epoch": hello.epoch,
        "pid": peer.pid,
        "local_rank": hello.local_rank,
        "host": socket.gethostname(),
        "python": hello.python,
        "size": hello.size,
        "world": hello.world,
        "script": hello.script,
    }
