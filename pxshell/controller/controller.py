"""The root of one cluster's tree: knows every rank's state, orders and routes requests, serves clients."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pxshell.controller.files import ControllerFile, LaunchFacts
from pxshell.controller.history import History
from pxshell.controller.tunnels import Tunnels
from pxshell.errors import PxshellError
from pxshell.protocol.digest import with_digest
from pxshell.protocol.message import Message
from pxshell.protocol.pending import PendingReplies
from pxshell.protocol.prefix import Hello
from pxshell.protocol.state import Liveness, RankState, StateTable
from pxshell.protocol.types import Lane, Role
from pxshell.ranks import RankSet
from pxshell.transport.base import Peer, Proof, Server
from pxshell.transport.paced import PacedOutlet
from pxshell.transport.upward import Upward

__all__ = ["Controller"]

#: Seconds that a cluster whose ranks have all ended waits for somebody to look.
_LINGER = 1.0
#: Breakpoints that are kept; more only reach the ranks that are there.
_BREAKS = 1000
#: Lines for people that a client that comes later is still told.
_NOTES = 50


_ABSENT = "it has not joined: it is starting, or stopped, or holds the GIL"


class Controller:
    """The controller; handler of its server, all in the loop's thread."""

    server: Server

    def __init__(
        self, loop: asyncio.AbstractEventLoop, file: ControllerFile, launch: LaunchFacts, directory: Path
    ) -> None:
        self.loop = loop
        self.file = file
        self.launch = launch
        self.directory = directory
        self.finished: asyncio.Future[str] = loop.create_future()
        self.states = StateTable()
        self.started = time.time()
        self._pending = PendingReplies()
        self._up = Upward(loop, self._pending, self._to_clients)
        self._nodes: dict[Peer, RankSet] = {}
        #: All ranks of all nodes.
        self._reach = RankSet()
        self._clients: dict[str, tuple[Peer, PacedOutlet]] = {}
        self._staying: set[str] = set()
        #: Clients that only show what is said.
        self._watching: set[str] = set()
        #: Clients for which a rank whose program fails keeps its frames.
        self._holding: set[str] = set()
        #: Bytes a second that clients show which do not want all.
        self._paces: dict[str, float] = {}
        self._descriptions: dict[int, dict[str, Any]] = {}
        #: Why ranks that were never there are not, as far as their node could tell.
        self._absent: dict[int, str] = {}
        self._tunnels = Tunnels()
        self._notes: deque[str] = deque(maxlen=_NOTES)
        self._serial = itertools.count(1)
        self._stopping = ""
        #: What keeps cells and their answers; None keeps none.
        self.history: History | None = None
        #: Breakpoints for ranks that start later, by number.
        self._breaks: dict[int, tuple[RankSet, dict[str, Any]]] = {}
        self._answers: dict[str, Callable[[Peer, Message], None]] = {
            "px_status_request": self._status,
            "px_attend_request": self._attend,
            "px_history_request": self._past,
            "px_restart_request": self._restart,
            "px_pace": self._pace,
            "px_stop_request": self._stop,
        }

    # -- peers ---------------------------------------------------------------------------------------------------------

    def hello_received(self, hello: Hello, proof: Proof) -> str | None:
        """Refuse who is neither node nor client; the key has proved the role already."""
        if proof.role in (Role.NODE, Role.OPERATOR, Role.OBSERVER):
            return None
        return f"a controller takes nodes and clients, not a {hello.role}"

    def peer_joined(self, peer: Peer) -> None:
        """A node or a client has come."""
        if peer.role is Role.NODE:
            self._nodes.setdefault(peer, RankSet())
            return
        outlet = PacedOutlet(self.loop, lambda message: self.server.send(peer, message), self._log_names)
        self._clients[peer.id] = (peer, outlet)
        outlet.deliver(self._message("px_snapshot", self.snapshot()))
        if peer.role is Role.OBSERVER:
            self._watching.add(peer.id)
        self._tell_attendance(self._nodes)

    def peer_left(self, peer: Peer, why: str) -> None:
        """A node is lost with its ranks, or a client has gone."""
        if peer.role is not Role.NODE:
            self._cut_from_client(peer, why)
            held = self._clients.pop(peer.id, None)
            if held is not None:
                held[1].close()
            self._paces.pop(peer.id, None)
            for clients in (self._staying, self._watching, self._holding):
                clients.discard(peer.id)
            self._tell_attendance(self._nodes)
            self._finish_later()
            return
        ranks = self._nodes.pop(peer, RankSet())
        self._reach -= ranks
        self._cut_from_ranks(ranks, f"its node is gone: {why}")
        if self._stopping:
            self._maybe_finish()
            return
        for part, state in list(self.states.among(ranks)):
            if state.is_alive:
                self._lose(part, state, f"its node is gone: {why}")
        self._finish_later()

    def node_died(self, pid: int, why: str) -> None:
        """Our child that was a node is dead: its link, which waits for a reconnect, would never tell."""
        for peer in [one for one in self._nodes if one.hello.pid == pid]:
            self.peer_left(peer, why)

    def _lose(self, ranks: RankSet, state: RankState, why: str) -> None:
        content = {"why": why, "state": "lost"}
        for owed in self._pending.gone(ranks):
            self._up.add(self._own("px_missing", content, owed.ranks, parent=owed.request, origin=owed.origin))
        self._up.settle()
        lost = replace(state, liveness=Liveness.LOST, why=why)
        self.states = self.states.updated(ranks, lost)
        for kind in ("px_state", "px_place"):
            self._up.add(self._own(kind, lost.to_content() | {"counter": 0}, ranks))

    def peer_silent(self, peer: Peer, silent: bool) -> None:
        """A node or client gives no sign of life, or is back."""
        if peer.role is not Role.NODE:
            if silent:
                self._cut_from_client(peer, "its front end does not answer")
            return
        if silent:
            self._cut_from_ranks(self._nodes.get(peer, RankSet()), "its node does not answer")
        liveness = Liveness.UNRESPONSIVE if silent else Liveness.OK
        for part, state in list(self.states.among(self._nodes.get(peer, RankSet()))):
            if state.is_alive and state.liveness is not liveness:
                changed = replace(state, liveness=liveness, why="its node does not answer" if silent else "")
                self.states = self.states.updated(part, changed)
                self._up.add(self._own("px_state", changed.to_content() | {"counter": 0}, part))

    # -- a debugger's tunnels: who stands at a breakpoint is let go when nobody can ------------------------------------

    def _cut_from_client(self, client: Peer, why: str) -> None:
        for tunnel in self._tunnels.cut_from_client(client.id):
            self._hand_down(self._message("px_debug_close", {"why": why}, tunnel.ranks, key=tunnel.key))

    def _cut_from_ranks(self, ranks: RankSet, why: str) -> None:
        for tunnel in self._tunnels.cut_from_ranks(ranks):
            close = self._message("px_debug_close", {"why": why}, tunnel.ranks, key=tunnel.key, origin=tunnel.client)
            self._to_clients(close)
            # For a node that comes back: its ranks learn it then, if not before from the node itself.
            for node, known in self._nodes.items():
                if part := tunnel.ranks & known:
                    self.server.send(node, close.with_ranks(part))

    def lane_drained(self, peer: Peer, lane: Lane) -> None:
        """A client takes messages again."""
        held = self._clients.get(peer.id)
        if held is not None:
            held[1].drained(lane)

    def link_failed(self, error: PxshellError) -> None:
        """A server has no link of its own that could fail."""

    def message_received(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Take a message of a node or a client."""
        del fds  # ZeroMQ brings none
        if peer.role is Role.NODE:
            self._said(peer, message)
        else:
            self._asked(peer, message)

    # -- up: what nodes say --------------------------------------------------------------------------------------------

    def _said(self, node: Peer, message: Message) -> None:
        if message.type == "px_ranks":
            self._ranks(node, message)
            return
        if message.type == "px_notice":
            text = str(message.data().get("text", ""))
            self._notes.append(text)
            # "2: it has not joined: ..." is the answer to whoever asks rank 2.
            self._absent |= {rank: text.removeprefix(f"{message.ranks}: ") for rank in message.ranks}
        elif message.type == "px_state":
            self._learn(message)
        self._tunnels.said(message)
        self._up.add(message)

    def _ranks(self, node: Peer, message: Message) -> None:
        self._nodes[node] = self._nodes.get(node, RankSet()) | message.ranks
        self._reach |= message.ranks
        for description in message.data()["ranks"]:
            self._descriptions[description["rank"]] = description
        self._pending.alive |= message.ranks
        self.states = self.states.updated(message.ranks, RankState())
        self._tell_attendance({node: message.ranks})
        self._tell_breakpoints(node, message.ranks)

    def _learn(self, message: Message) -> None:
        state = RankState.from_content(message.data())
        before = self.states
        self.states = self.states.updated(message.ranks & before.ranks, state)
        if not state.is_alive:
            self._pending.gone(message.ranks)
            self._finish_later()

    def _to_clients(self, message: Message) -> None:
        """Hand a folded message to the client that it is for, or to all."""
        if self.history is not None:
            self.history.said(message)
        origin = message.header.origin
        for name, (_, outlet) in list(self._clients.items()):
            if origin in ("", name):
                outlet.deliver(message)

    # -- down: what clients ask ----------------------------------------------------------------------------------------

    def _asked(self, client: Peer, message: Message) -> None:
        message = message.with_header(origin=client.id)
        self._tunnels.asked(client.id, message)
        if message.type == "px_break_request":
            self._keep_breakpoint(message)
        elif message.type == "px_clear_request":
            self._clear_breakpoints(message)
        answer = self._answers.get(message.type)
        if answer is not None:
            answer(client, message)
        else:
            self._hand_down(message)

    def _hand_down(self, message: Message) -> None:
        """Send a request to each node for its ranks; what comes in first goes down first, to all (P1)."""
        if self.history is not None:
            self.history.asked(message)
        self._pending.begin(message, message.ranks)
        wanted = message.ranks & self._reach
        if message.type != "px_log_request":  # of a rank that has died its node has the log
            wanted &= self._pending.alive
        left = message.ranks - wanted
        for node, ranks in self._nodes.items():
            part = wanted & ranks
            # The very object of the node, where it can be: it knows its form on the wire.
            part = ranks if part == ranks else part
            if part and not self.server.send(node, message if part == message.ranks else message.with_ranks(part)):
                left |= part
        self._say_missing(message, left)

    def _say_missing(self, message: Message, left: RankSet) -> None:
        for part, state in list(self.states.among(left)):
            self._missing(message, part, state.why or f"it is {state.liveness}", str(state.liveness))
            left -= part
        late = left & RankSet.span(0, self.launch.size)
        for rank in late:
            self._missing(message, RankSet.of(rank), self._absent.get(rank, _ABSENT), "unknown")
        if left - late:
            self._missing(message, left - late, "there is no such rank in this cluster", "unknown")

    def _missing(self, request: Message, ranks: RankSet, why: str, state: str) -> None:
        content = {"why": why, "state": state}
        self._up.add(self._own("px_missing", content, ranks, parent=request.id, origin=request.header.origin))

    def _status(self, client: Peer, message: Message) -> None:
        content = self.snapshot() | {"descriptions": [self._descriptions[rank] for rank in sorted(self._descriptions)]}
        self._reply(client, message, "px_status_reply", content)

    def _past(self, client: Peer, message: Message) -> None:
        """A client asks for cells that were run before, by whomever."""

        def answer(content: dict[str, Any]) -> None:
            self._reply(client, message, "px_history_reply", content)

        if self.history is None:
            answer({"status": "error", "why": "this cluster keeps no history"})
        else:
            self.history.ask(message.data(), answer)

    def _attend(self, client: Peer, message: Message) -> None:
        """A client says what it is there for; what it does not name stays as it was."""
        content = message.data()
        for clients, name in ((self._staying, "stay"), (self._watching, "watch"), (self._holding, "hold")):
            if name in content:
                (clients.add if content[name] else clients.discard)(client.id)
        self._tell_attendance(self._nodes)
        self._reply(client, message, "px_attend_reply", {"status": "ok"})

    def _pace(self, client: Peer, message: Message) -> None:
        """A client says how much text and pictures it can show: more is cut, and not even carried here (P7)."""
        held = self._clients.get(client.id)
        if held is not None:
            self._paces[client.id] = rate = max(1.0, float(message.data()["rate"]))
            held[1].set_paces({"": rate, client.id: rate})
            self._tell_attendance(self._nodes)

    def _tell_attendance(self, nodes: Mapping[Peer, RankSet]) -> None:
        """Tell engines whether anybody listens, could resume what has paused, and waits for ends and failures.

        Nodes learn what each client shows of its answers, and what the fastest shows of what goes to all.
        """
        paces = dict(self._paces)
        if paces and paces.keys() == self._clients.keys():
            paces[""] = max(paces.values())
        counts = {"clients": len(self._clients), "watching": len(self._watching), "stay": bool(self._staying)}
        content = {**counts, "hold": bool(self._holding - self._watching), "paces": paces}
        for node, ranks in nodes.items():
            self.server.send(node, self._message("px_attendance", content, ranks))

    # A breakpoint is the ranks' own; what is kept here is for those that are not there yet.

    def _keep_breakpoint(self, message: Message) -> None:
        content = message.data()
        # A watch belongs to a frame that runs.
        if not content.get("watch") and len(self._breaks) < _BREAKS:
            self._breaks[int(content["number"])] = (message.ranks, content)

    def _clear_breakpoints(self, message: Message) -> None:
        for number in message.data()["numbers"] or list(self._breaks):
            self._breaks.pop(int(number), None)

    def _tell_breakpoints(self, node: Peer, ranks: RankSet) -> None:
        for wanted, content in self._breaks.values():
            if part := wanted & ranks:
                self.server.send(node, self._message("px_breakpoints", {"breaks": [content]}, part))

    def _stop(self, client: Peer, message: Message) -> None:
        self._stopping = "stopped"
        self._reply(client, message, "px_stop_reply", {"status": "ok"})
        for node in self._nodes:
            self.server.send(node, message.with_ranks(self._nodes[node]))
        self._maybe_finish()

    def _restart(self, client: Peer, message: Message) -> None:
        """Tell the nodes, whatever their ranks are: a world of which nobody lives is started anew like another."""
        self._pending.begin(message, message.ranks)
        left = message.ranks
        for node, ranks in self._nodes.items():
            if ranks and self.server.send(node, message.with_ranks(ranks)):
                left -= ranks
        self._say_missing(message, left)

    # -- the end -------------------------------------------------------------------------------------------------------

    def _maybe_finish(self) -> None:
        if self._stopping and not self._nodes and not self.finished.done():
            self._up.flush()
            self.finished.set_result(self._stopping)

    def _finish_later(self) -> None:
        """When all ranks have ended and nobody looks, the cluster ends."""
        self.loop.call_later(_LINGER, self._finish_if_over)

    def _finish_if_over(self) -> None:
        if self._clients or self._stopping or not len(self.states) or self.states.alive():
            return
        self._stopping = "ended"
        for node in self._nodes:
            self.server.send(node, self._message("px_stop_request", {"grace": 0.0}, self._nodes[node]))
        self._maybe_finish()

    async def say_goodbye(self, deadline: float) -> None:
        """Wait until clients have what was sent to them, or the deadline (seconds) has passed."""
        until = self.loop.time() + deadline
        while self._is_owing():
            if self.loop.time() >= until:
                return
            await asyncio.sleep(0.01)

    def _is_owing(self) -> bool:
        return any(self.server.queued(peer, lane) for peer, _ in self._clients.values() for lane in Lane)

    # -- words ---------------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return what a client that joins must know."""
        hosts: dict[str, RankSet] = {}
        for rank, description in self._descriptions.items():
            hosts[description["host"]] = hosts.get(description["host"], RankSet()) | RankSet.of(rank)
        return {
            "name": self.file.name,
            "size": self.launch.size,
            "launcher": self.launch.launcher,
            "mpi": self.launch.mpi,
            "script": self.launch.script or "",
            "mesh": self.launch.mesh,
            "started": self.started,
            "ranks": [{"ranks": str(ranks), "state": state.to_content()} for ranks, state in self.states.groups()],
            "hosts": {host: str(ranks) for host, ranks in hosts.items()},
            "notes": list(self._notes),
        }

    def _reply(self, client: Peer, request: Message, kind: str, content: dict[str, Any]) -> None:
        held = self._clients.get(client.id)
        if held is not None:
            held[1].deliver(self._message(kind, content, request.ranks, parent=request.id, origin=client.id))

    def _own(self, kind: str, content: dict[str, Any], ranks: RankSet, **fields: Any) -> Message:
        return with_digest(self._message(kind, content, ranks, **fields))

    def _message(self, kind: str, content: dict[str, Any], ranks: RankSet = RankSet(), **fields: Any) -> Message:  # noqa: B008
        return Message.make(kind, f"c{next(self._serial)}", content, ranks=ranks, **fields)

    def _log_names(self, ranks: RankSet) -> str:
        name = f"rank-{ranks.first}.log" if len(ranks) == 1 else "rank-N.log"
        return str(self.directory / "logs" / name)
