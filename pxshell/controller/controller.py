"""The root of one cluster's tree: knows every rank's state, orders and routes requests, serves clients."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pxshell.controller.doing import Doing
from pxshell.controller.files import ControllerFile, LaunchFacts
from pxshell.controller.history import History
from pxshell.controller.stops import KeptStops
from pxshell.controller.tunnels import Tunnels
from pxshell.errors import PxshellError
from pxshell.protocol.digest import with_digest
from pxshell.protocol.message import Message
from pxshell.protocol.pending import PendingReplies
from pxshell.protocol.prefix import Hello
from pxshell.protocol.state import StateTable
from pxshell.protocol.types import Lane, Role
from pxshell.ranks import EMPTY, RankSet
from pxshell.transport.base import Peer, Proof, Server
from pxshell.transport.branches import NO_SUCH_RANK, Branches
from pxshell.transport.paced import PacedOutlet
from pxshell.transport.upward import Upward

__all__ = ["Controller"]

#: Seconds that a cluster whose ranks have all ended waits for somebody to look.
_LINGER = 1.0
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
        #: Whether our child that is a node runs; where there is none, nobody can tell.
        self.node_runs = False
        self.started = time.time()
        self._pending = PendingReplies()
        self._up = Upward(loop, self._pending, self._to_clients)
        self._branches = Branches(self._send_to_node, self._pending, self._up, self._message)
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
        self._stops = KeptStops()
        #: What tells `pxshell list` what ranks do; None tells nothing.
        self.doing: Doing | None = None
        self._answers: dict[str, Callable[[Peer, Message], None]] = {
            "px_status_request": self._status,
            "px_attend_request": self._attend,
            "px_history_request": self._past,
            "px_restart_request": self._restart,
            "px_pace": self._pace,
            "px_stop_request": self._stop,
        }

    @property
    def states(self) -> StateTable:
        """The states of all ranks."""
        return self._branches.states

    # -- peers ---------------------------------------------------------------------------------------------------------

    def hello_received(self, hello: Hello, proof: Proof) -> str | None:
        """Refuse who is neither node nor client; the key has proved the role already."""
        if proof.role in (Role.NODE, Role.OPERATOR, Role.OBSERVER):
            return None
        return f"a controller takes nodes and clients, not a {hello.role}"

    def peer_joined(self, peer: Peer) -> None:
        """A node or a client has come."""
        if peer.role is Role.NODE:
            self._branches.join(peer)
            return
        outlet = PacedOutlet(self.loop, lambda message: self.server.send(peer, message), self._log_names)
        self._clients[peer.id] = (peer, outlet)
        outlet.deliver(self._message("px_snapshot", self.snapshot()))
        if peer.role is Role.OBSERVER:
            self._watching.add(peer.id)
        self._tell_attendance(self._branches.nodes)

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
            self._tell_attendance(self._branches.nodes)
            self._finish_later()
            return
        ranks = self._branches.leave(peer)
        self._cut_from_ranks(ranks, f"its node is gone: {why}")
        if self._stopping:
            self._maybe_finish()
            return
        self._branches.lose(ranks, f"its node is gone: {why}")
        self._states_changed()
        self._finish_later()

    def node_ended(self) -> None:
        """Our child that was a node has ended: the ranks that were lost with it do not come back."""
        self.node_runs = False
        self._finish_later()

    def node_died(self, pid: int, why: str) -> None:
        """Our child that was a node is dead: its link, which waits for a reconnect, would never tell."""
        for peer in [one for one in self._branches.nodes if one.hello.pid == pid]:
            self.peer_left(peer, why)

    def peer_silent(self, peer: Peer, silent: bool) -> None:
        """A node or client gives no sign of life, or is back."""
        if peer.role is not Role.NODE:
            if silent:
                self._cut_from_client(peer, "its front end does not answer")
            return
        if silent:
            self._cut_from_ranks(self._branches.nodes.get(peer, RankSet()), "its node does not answer")
        self._branches.show_silence(peer, silent)
        self._states_changed()

    def _states_changed(self) -> None:
        if self.doing is not None:
            self.doing.changed()

    # -- a debugger's tunnels: who stands at a breakpoint is let go when nobody can ------------------------------------

    def _watch_tunnels(self) -> None:
        """Watch the links closely through which tunnels go: an end that is cut off learns it within two seconds."""
        clients, ranks = self._tunnels.clients, self._tunnels.ranks
        for peer, _ in self._clients.values():
            self.server.watch_closely(peer, closely=peer.id in clients)
        for node, known in self._branches.nodes.items():
            self.server.watch_closely(node, closely=bool(known & ranks))

    def _cut_from_client(self, client: Peer, why: str) -> None:
        for tunnel in self._tunnels.cut_from_client(client.id):
            self._hand_down(self._message("px_debug_close", {"why": why}, tunnel.ranks, key=tunnel.key))
        self._watch_tunnels()

    def _cut_from_ranks(self, ranks: RankSet, why: str) -> None:
        for tunnel in self._tunnels.cut_from_ranks(ranks):
            close = self._message("px_debug_close", {"why": why}, tunnel.ranks, key=tunnel.key, origin=tunnel.client)
            self._to_clients(close)
            # For a node that comes back: its ranks learn it then, if not before from the node itself.
            for node, known in self._branches.nodes.items():
                if part := tunnel.ranks & known:
                    self.server.send(node, close.with_ranks(part))
        self._watch_tunnels()

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
            if self._branches.learn(message):
                self._finish_later()
            self._states_changed()
        if self._tunnels.said(message):
            self._watch_tunnels()
        self._up.add(message, self._branches.nodes.get(node, EMPTY))

    def _ranks(self, node: Peer, message: Message) -> None:
        for description in message.data()["ranks"]:
            self._descriptions[description["rank"]] = description
        self._branches.announce(node, message.ranks)
        self._tell_attendance({node: message.ranks})
        self._tell_stops(node, message.ranks)

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
        if self._tunnels.asked(client.id, message):
            self._watch_tunnels()
        self._stops.asked(message)
        answer = self._answers.get(message.type)
        if answer is not None:
            answer(client, message)
        else:
            self._hand_down(message)

    def _hand_down(self, message: Message) -> None:
        """Send a request to each node for its ranks; what comes in first goes down first, to all (P1)."""
        if self.history is not None:
            self.history.asked(message)
        self._say_absent(message, self._branches.hand_down(message))

    def _say_absent(self, message: Message, left: RankSet) -> None:
        late = left & RankSet.span(0, self.launch.size)
        for rank in late:
            self._branches.say_missing(message, RankSet.of(rank), self._absent.get(rank, _ABSENT), "unknown")
        self._branches.say_missing(message, left - late, NO_SUCH_RANK, "unknown")

    def _send_to_node(self, node: Peer, message: Message) -> bool:
        return self.server.send(node, message)

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
        self._tell_attendance(self._branches.nodes)
        self._reply(client, message, "px_attend_reply", {"status": "ok"})

    def _pace(self, client: Peer, message: Message) -> None:
        """A client says how much text and pictures it can show: more is cut, and not even carried here (P7)."""
        held = self._clients.get(client.id)
        if held is not None:
            self._paces[client.id] = rate = max(1.0, float(message.data()["rate"]))
            held[1].set_paces({"": rate, client.id: rate})
            self._tell_attendance(self._branches.nodes)

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

    def _tell_stops(self, node: Peer, ranks: RankSet) -> None:
        for part, content in self._stops.of(ranks):
            self.server.send(node, self._message("px_breakpoints", content, part))

    def _stop(self, client: Peer, message: Message) -> None:
        self._stopping = "stopped"
        self._reply(client, message, "px_stop_reply", {"status": "ok"})
        for node in self._branches.nodes:
            self.server.send(node, message.with_ranks(self._branches.nodes[node]))
        self._maybe_finish()

    def _restart(self, client: Peer, message: Message) -> None:
        """Tell the nodes, whatever their ranks are: a world of which nobody lives is started anew like another."""
        self._say_absent(message, self._branches.hand_to_all(message))

    # -- the end -------------------------------------------------------------------------------------------------------

    def _maybe_finish(self) -> None:
        if self._stopping and not self._branches.nodes and not self.finished.done():
            self._up.flush()
            self.finished.set_result(self._stopping)

    def _finish_later(self) -> None:
        """When all ranks have ended and nobody looks, the cluster ends."""
        self.loop.call_later(_LINGER, self._finish_if_over)

    def _finish_if_over(self) -> None:
        if self._clients or self._stopping or not len(self.states) or self.states.alive():
            return
        if self.node_runs and self.states.where("lost"):
            return  # a node that only stands still: without us nobody could reach its ranks, nor stop them
        self._stopping = "ended"
        for node in self._branches.nodes:
            self.server.send(node, self._message("px_stop_request", {"grace": 0.0}, self._branches.nodes[node]))
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
