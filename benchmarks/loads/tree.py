"""The processes of a simulated cluster.

`tree.py controller DIR` is the real controller without a node of its own. `tree.py node DIR` is the real node, which
only does not read ranks from outside, for thousands of them are one process. `tree.py engines DIR FIRST STOP SIZE` are
ranks on real sockets below the real node of DIR. `tree.py nodes DIR FIRST COUNT RANKS SIZE` are nodes whose ranks are
simulated with them, each with its own connection to the controller of DIR. The last two begin with a line on stdin.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
from simulated import answers, description, first_words

from pxshell.controller.controller import Controller
from pxshell.controller.files import ControllerFile, LaunchFacts
from pxshell.node import spying
from pxshell.node.__main__ import main as run_node
from pxshell.protocol.message import Message
from pxshell.protocol.types import Role
from pxshell.ranks import RankSet
from pxshell.transport.base import Connector, Handler, Peer, Settings, make_hello
from pxshell.transport.unix import UnixConnector
from pxshell.transport.zeromq import ZmqConnector, ZmqServer

#: Seconds after which a node that is gone is given up: in a real cluster a minute.
_KEEP_FOR = 2.0


class _Simulated(Handler):
    """One end of a link, on which ranks answer."""

    link: Connector

    def __init__(self, ranks: RankSet, size: int) -> None:
        self.ranks = ranks
        self.size = size

    def first(self) -> list[Message]:
        """Return what is said once joined."""
        return first_words(self.ranks)

    def peer_joined(self, peer: Peer) -> None:
        for message in self.first():
            self.link.send(message)

    def message_received(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> None:
        # The very object, where it can be: it knows its form on the wire.
        asked = self.ranks if self.ranks <= message.ranks else self.ranks & message.ranks
        for answer in answers(message, asked, self.size):
            self.link.send(answer)

    def link_failed(self, error: Exception) -> None:
        raise error


class _SimulatedNode(_Simulated):
    def __init__(self, number: int, ranks: RankSet, size: int) -> None:
        super().__init__(ranks, size)
        self.number = number

    def first(self) -> list[Message]:
        content = {"ranks": [description(rank, self.number, os.getpid()) for rank in self.ranks]}
        return [Message.make("px_ranks", f"r{self.number}", content, ranks=self.ranks), *super().first()]


async def controller(directory: Path) -> None:
    """Run the controller until somebody stops the cluster."""
    loop = asyncio.get_running_loop()
    file = msgspec.json.decode((directory / "controller.json").read_bytes(), type=ControllerFile)
    launch = msgspec.json.decode((directory / "launch.json").read_bytes(), type=LaunchFacts)
    root = Controller(loop, file, launch, directory)
    root.server = ZmqServer(
        loop,
        root,
        addresses=file.addresses,
        public=file.server.public,
        secret=file.server.secret,
        authorized={public: Role(role) for public, role in file.authorized.items()},
        settings=Settings(keep_for=_KEEP_FOR),
    )
    (directory / "controller.ready").touch()
    await root.finished


async def engines(directory: Path, first: int, stop: int, size: int) -> None:
    """Run simulated ranks on two real sockets each."""
    loop = asyncio.get_running_loop()
    await _told()
    for rank in range(first, stop):
        hello = make_hello(Role.ENGINE, rank=rank, size=size, world="w", local_rank=rank, epoch=0)
        end = _Simulated(RankSet.of(rank), size)
        end.link = UnixConnector(loop, end, hello, directory / "node.sock", settings=Settings(join_within=600.0))
        if rank % 64 == 63:
            await asyncio.sleep(0)
    await asyncio.Event().wait()


async def nodes(directory: Path, first: int, count: int, ranks: int, size: int) -> None:
    """Run nodes with simulated ranks."""
    loop = asyncio.get_running_loop()
    where = msgspec.json.decode((directory / "node.json").read_bytes())
    keys = {name: where[name] for name in ("addresses", "server_public", "public", "secret")}
    await _told()
    for number in range(first, first + count):
        end = _SimulatedNode(number, RankSet.span(number * ranks, (number + 1) * ranks), size)
        end.link = ZmqConnector(loop, end, make_hello(Role.NODE, keep=True), keep=True, **keys)
        if number % 16 == 15:
            await asyncio.sleep(0)
    await asyncio.Event().wait()


def node(directory: Path) -> None:
    """Run the real node, which reads no rank from outside."""

    def refused(pid: int, **_: bool) -> Any:
        raise spying.SpyError(f"process {pid} holds simulated ranks")

    spying.read_stack = refused
    sys.argv[1:] = [str(directory)]
    sys.exit(run_node())


async def _told() -> None:
    print("here", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    role, where, *numbers = sys.argv[1:]
    if role == "node":
        node(Path(where))
    roles: dict[str, Any] = {"controller": controller, "engines": engines, "nodes": nodes}
    asyncio.run(roles[role](Path(where), *map(int, numbers)))
