"""A tree of three levels: a controller, a node that parents nodes, nodes; all links are real, the ranks are not."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pxshell.controller.controller import Controller
from pxshell.controller.files import ControllerFile, Keys, LaunchFacts
from pxshell.node.serving import serve
from pxshell.protocol.digest import with_digest
from pxshell.protocol.message import Message
from pxshell.protocol.pending import is_reply
from pxshell.protocol.state import Activity, RankState
from pxshell.protocol.types import Role
from pxshell.ranks import RankSet
from pxshell.transport.base import Handler, Peer, Settings, make_hello
from pxshell.transport.keys import make_keys
from pxshell.transport.zeromq import ZmqConnector, ZmqServer


class End(Handler):
    """The lower end of a link: keeps what comes, and tells when it does."""

    link: ZmqConnector

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.changed = asyncio.Event()

    async def wait(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    def of(self, kind: str) -> list[Message]:
        return [message for message in self.messages if message.type == kind]

    def message_received(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> None:
        self.messages.append(message)
        self.changed.set()

    def link_failed(self, error: Exception) -> None:
        raise error


class SimulatedNode(End):
    """A node whose ranks answer every cell but "hang"."""

    def __init__(self, *ranks: int) -> None:
        super().__init__()
        self.ranks = RankSet(ranks)

    def peer_joined(self, peer: Peer) -> None:
        described = [{"rank": rank, "host": f"n{self.ranks.first}"} for rank in self.ranks]
        self.say("px_ranks", {"ranks": described})
        self.say("px_state", RankState(Activity.IDLE).to_content())

    def message_received(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> None:
        super().message_received(peer, message)
        if message.type == "execute_request" and message.data()["code"] != "hang":
            self.say("execute_reply", {"status": "ok"}, parent=message.id, origin=message.header.origin)
        elif message.type == "px_stop_request":
            self.link.close(linger=1.0)

    def say(self, kind: str, content: dict[str, Any], **fields: Any) -> None:
        made = Message.make(kind, f"{kind}-{self.ranks}", content, ranks=self.ranks, **fields)
        self.link.send(with_digest(made))


class Tree:
    """Ranks 0-1 and 2-3 below a relay, 4-5 at the controller itself, and a client."""

    #: Relays, each below the one before.
    relays: ClassVar = ("relay",)
    #: What each node is below.
    places: ClassVar = ("relay", "relay", "root")
    #: Of the controller's links.
    settings: ClassVar = Settings()

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.loop = asyncio.get_running_loop()
        self.keys = {name: make_keys() for name in ("root", *self.relays, "node", "operator")}
        self.addresses = {
            name: {lane: [f"ipc://{directory}/{name}-{lane}"] for lane in ("work", "control")}
            for name in ("root", *self.relays)
        }
        file = ControllerFile("tree", Keys(*self.keys["root"]), {}, self.addresses["root"])
        self.root = Controller(self.loop, file, LaunchFacts("local", 6), directory)
        self.root.server = ZmqServer(
            self.loop,
            self.root,
            addresses=self.addresses["root"],
            public=file.server.public,
            secret=file.server.secret,
            authorized={self.keys["node"][0]: Role.NODE, self.keys["operator"][0]: Role.OPERATOR},
            settings=self.settings,
        )
        for above, name in pairwise(("root", *self.relays)):
            self._write_relay(above, name)
        self.ended = self._start()
        self.nodes = [SimulatedNode(0, 1), SimulatedNode(2, 3), SimulatedNode(4, 5)]
        self.client = End()
        for node, above in zip(self.nodes, self.places, strict=True):
            self._connect(node, above, Role.NODE, "node")
        self._connect(self.client, "root", Role.OPERATOR, "operator")

    def _write_relay(self, above: str, name: str) -> None:
        public, secret = self.keys["node"]
        (self.directory / name).mkdir()
        node = {"addresses": self.addresses[above], "server_public": self.keys[above][0], "node_socket": ""}
        (self.directory / name / "node.json").write_text(json.dumps(node | {"public": public, "secret": secret}))
        own, hidden = self.keys[name]
        relay = {"addresses": self.addresses[name], "public": own, "secret": hidden, "nodes": [public]}
        (self.directory / name / "relay.json").write_text(json.dumps(relay))

    def _start(self) -> Awaitable[object]:
        """Start the relays; return what waits for their end."""
        return asyncio.create_task(serve(self.directory / "relay", None))

    def _connect(self, end: End, above: str, role: Role, key: str) -> None:
        public, secret = self.keys[key]
        end.link = ZmqConnector(
            self.loop,
            end,
            make_hello(role, keep=True),
            addresses=self.addresses[above],
            server_public=self.keys[above][0],
            public=public,
            secret=secret,
            keep=True,
        )

    async def ready(self) -> None:
        """Wait until the root knows all ranks, and so the client can ask them."""
        async with asyncio.timeout(30):
            while self.root.states.where("idle") != RankSet(range(6)):
                await asyncio.sleep(0.005)
        await self.client.wait(lambda: bool(self.client.of("px_snapshot")))

    def ask(self, kind: str, content: dict[str, Any], ranks: RankSet) -> str:
        id_ = f"{kind}-{len(self.client.messages)}"
        self.client.link.send(Message.make(kind, id_, content, ranks=ranks))
        return id_

    def answers(self, request: str) -> dict[str, RankSet]:
        """Return the ranks of each type of reply."""
        found: dict[str, RankSet] = {}
        for message in self.client.messages:
            if message.parent == request and is_reply(message):
                found[message.type] = found.get(message.type, RankSet()) | message.ranks
        return found

    async def close(self) -> None:
        self.ask("px_stop_request", {"grace": 0.0}, RankSet())
        async with asyncio.timeout(30):
            await self.root.finished
            await self.ended
        for end in (*self.nodes, self.client):
            end.link.close()
        self.root.server.close()


class DeepTree(Tree):
    """Ranks 0-1 below a relay below a relay, 2-3 below the upper one, 4-5 at the controller; relays are processes."""

    relays = ("relay", "deep")
    places = ("deep", "relay", "root")
    settings = Settings(keep_for=1.0)

    def _start(self) -> Awaitable[object]:
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "pxshell.node", str(self.directory / name)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for name in self.relays
        ]
        return asyncio.gather(*(asyncio.to_thread(process.wait) for process in self.processes))

    async def close(self) -> None:
        # A relay that has lost its controller waits for it for ever.
        for process in self.processes:
            process.kill()
        await super().close()


OnTree = Callable[..., None]


@pytest.fixture
def on_tree() -> OnTree:
    directory = Path(os.environ["PXSHELL_RUNTIME_DIR"]) / "t"
    directory.mkdir(parents=True)

    def run(test: Callable[[Any], Awaitable[None]], kind: type[Tree] = Tree) -> None:
        async def main() -> None:
            tree = kind(directory)
            try:
                await tree.ready()
                await test(tree)
            finally:
                await tree.close()

        asyncio.run(main())

    return run


def test_a_cell_reaches_every_level_and_its_answers_come_back(on_tree) -> None:
    """P1, P3, P4: each node gets one request for its own ranks; all are accounted for at the client."""

    async def check(tree: Tree) -> None:
        request = tree.ask("execute_request", {"code": "1"}, RankSet([1, 2, 3, 4]))
        await tree.client.wait(lambda: tree.answers(request).get("execute_reply") == RankSet(range(6)))
        got = [[str(message.ranks) for message in node.of("execute_request")] for node in tree.nodes]
        assert got == [["1"], ["2-3"], ["4"]]
        assert tree.root.snapshot()["hosts"] == {"n0": "0-1", "n2": "2-3", "n4": "4-5"}

    on_tree(check)


def test_who_is_told_of_clients_is_every_rank_once_for_each_change(on_tree) -> None:
    """The word that somebody listens goes through all levels."""

    async def check(tree: Tree) -> None:
        far = tree.nodes[0]
        await far.wait(lambda: any(m.data()["clients"] == 1 for m in far.of("px_attendance")))
        assert all(message.ranks == RankSet([0, 1]) for message in far.of("px_attendance"))

    on_tree(check)


def test_the_end_of_a_node_below_a_node_is_told_at_the_top(on_tree) -> None:
    """P3, P8: its ranks are lost and accounted for, with the reason; those of its neighbour are well."""

    async def check(tree: Tree) -> None:
        request = tree.ask("execute_request", {"code": "hang"}, RankSet([0, 1, 2]))
        await tree.nodes[0].wait(lambda: bool(tree.nodes[0].of("execute_request")))
        tree.nodes[0].link.close()
        await tree.client.wait(lambda: tree.answers(request) == {"px_missing": RankSet([0, 1])})
        await tree.client.wait(lambda: tree.root.states.where("lost") == RankSet([0, 1]))
        (why,) = {message.data()["why"] for message in tree.client.of("px_missing")}
        assert why.startswith("its node is gone: ")
        again = tree.ask("execute_request", {"code": "1"}, RankSet(range(4)))
        await tree.client.wait(
            lambda: tree.answers(again) == {"px_missing": RankSet([0, 1]), "execute_reply": RankSet([2, 3])}
        )

    on_tree(check)


@pytest.mark.leaves_files
def test_the_death_of_a_relay_in_the_middle_of_a_cell_accounts_for_all_below_it(on_tree) -> None:
    """P3, P8: ranks two levels down are lost and accounted for, with the reason; those beside the relay are well."""

    async def check(tree: DeepTree) -> None:
        whole = tree.ask("execute_request", {"code": "1"}, RankSet(range(6)))
        await tree.client.wait(lambda: tree.answers(whole) == {"execute_reply": RankSet(range(6))})
        request = tree.ask("execute_request", {"code": "hang"}, RankSet(range(4)))
        for node in tree.nodes[:2]:
            await node.wait(lambda node=node: len(node.of("execute_request")) == 2)
        tree.processes[0].kill()
        await tree.client.wait(lambda: tree.answers(request) == {"px_missing": RankSet(range(4))})
        await tree.client.wait(lambda: tree.root.states.where("lost") == RankSet(range(4)))
        (why,) = {message.data()["why"] for message in tree.client.of("px_missing")}
        assert why.startswith("its node is gone: ")
        again = tree.ask("execute_request", {"code": "1"}, RankSet(range(6)))
        await tree.client.wait(
            lambda: tree.answers(again) == {"px_missing": RankSet(range(4)), "execute_reply": RankSet([4, 5])}
        )

    on_tree(check, DeepTree)


def test_a_node_that_parents_nodes_takes_nobody_else(tmp_path) -> None:
    """P9: a client's key is of no use there."""

    async def main() -> None:
        from pxshell.node.relay import BelowRelay, Relay
        from pxshell.transport.base import Proof

        below = BelowRelay(Relay(asyncio.get_running_loop(), tmp_path))
        assert below.hello_received(make_hello(Role.NODE), Proof(role=Role.NODE)) is None
        refused = below.hello_received(make_hello(Role.OPERATOR), Proof(role=Role.OPERATOR))
        assert refused == "a node that parents nodes takes nodes only; this is: operator"

    asyncio.run(main())
