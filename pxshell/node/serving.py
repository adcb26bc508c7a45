"""The node's process: its node, wired to its controller and its engines, until it has ended."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import msgspec

from pxshell.node.above import OrderHandler
from pxshell.node.adopting import Adoption
from pxshell.node.below import EngineHandler
from pxshell.node.node import Node
from pxshell.node.warm import WarmProcess
from pxshell.protocol.types import Role
from pxshell.rendezvous.limits import size_limits, transport_settings
from pxshell.rendezvous.shared import begin_sharing
from pxshell.transport.base import make_hello
from pxshell.transport.unix import UnixServer
from pxshell.transport.zeromq import ZmqConnector

__all__ = ["serve"]


class NodeFile(msgspec.Struct, frozen=True):
    """node.json: where the controller is, and the node's keys."""

    addresses: dict[str, list[str]]
    server_public: str
    public: str
    secret: str
    node_socket: str


async def serve(directory: Path, warm: WarmProcess | None) -> None:
    """Run the node until it is told to stop, or its controller is gone and all ranks have ended."""
    loop = asyncio.get_running_loop()
    file = msgspec.json.decode((directory / "node.json").read_bytes(), type=NodeFile)
    limits = size_limits()
    settings = transport_settings(limits)
    node = Node(loop, directory, warm, limits)
    server = UnixServer(loop, EngineHandler(node), Path(file.node_socket), settings=settings)
    node.server = server
    node.controller = ZmqConnector(
        loop,
        OrderHandler(node, lambda why: logging.getLogger(__name__).warning("no controller: %s", why)),
        make_hello(Role.NODE, keep=True),
        addresses=file.addresses,
        server_public=file.server_public,
        public=file.public,
        secret=file.secret,
        keep=True,
        settings=settings,
    )
    if node.file.world is not None:
        Adoption(node, server, Path(node.file.world)).look()
    shared = begin_sharing(directory) if node.is_owner else None
    node.start()
    await node.finished
    node.launch.close()
    if shared is not None:
        shared.close()
    closed = loop.create_future()
    node.controller.close(linger=2.0, done=lambda: closed.set_result(None))
    await closed
    node.server.close()
