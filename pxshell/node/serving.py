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
from pxshell.node.relay import AboveRelay, BelowRelay, Relay, RelayFile
from pxshell.node.warm import WarmProcess
from pxshell.protocol.types import Role
from pxshell.rendezvous.limits import size_limits, transport_settings
from pxshell.rendezvous.shared import begin_sharing
from pxshell.transport.base import make_hello
from pxshell.transport.unix import UnixServer
from pxshell.transport.zeromq import ZmqConnector, ZmqServer

__all__ = ["serve"]

_log = logging.getLogger(__name__)


class NodeFile(msgspec.Struct, frozen=True):
    """node.json: where the controller is, and the node's keys."""

    addresses: dict[str, list[str]]
    server_public: str
    public: str
    secret: str
    node_socket: str


async def serve(directory: Path, warm: WarmProcess | None) -> None:
    """Run the node until it is told to stop, or its controller is gone and all ranks have ended."""
    if (directory / "relay.json").exists():
        await _serve_relay(directory)
    else:
        await _serve_node(directory, warm)


async def _serve_node(directory: Path, warm: WarmProcess | None) -> None:
    """Run a node with engines below it."""
    loop = asyncio.get_running_loop()
    file = _read(directory)
    limits = size_limits()
    node = Node(loop, directory, warm, limits)
    server = UnixServer(loop, EngineHandler(node), Path(file.node_socket), settings=transport_settings(limits))
    node.server = server
    node.controller = controller = _connect(loop, OrderHandler(node, _lost), file)
    if node.file.world is not None:
        Adoption(node, server, Path(node.file.world)).look()
    shared = begin_sharing(directory) if node.is_owner else None
    node.start()
    await node.finished
    node.launch.close()
    if shared is not None:
        shared.close()
    await _close(controller)
    node.server.close()
    node.turns.close()


async def _serve_relay(directory: Path) -> None:
    """Run a node with nodes below it, which others start."""
    loop = asyncio.get_running_loop()
    relay = Relay(loop, directory)
    below = msgspec.json.decode((directory / "relay.json").read_bytes(), type=RelayFile)
    relay.server = ZmqServer(
        loop,
        BelowRelay(relay),
        addresses=below.addresses,
        public=below.public,
        secret=below.secret,
        authorized=dict.fromkeys(below.nodes, Role.NODE),
        settings=transport_settings(size_limits()),
    )
    relay.controller = controller = _connect(loop, AboveRelay(relay, _lost), _read(directory))
    await relay.finished
    await _close(controller)
    relay.server.close()


def _read(directory: Path) -> NodeFile:
    return msgspec.json.decode((directory / "node.json").read_bytes(), type=NodeFile)


def _connect(loop: asyncio.AbstractEventLoop, handler: OrderHandler | AboveRelay, file: NodeFile) -> ZmqConnector:
    return ZmqConnector(
        loop,
        handler,
        make_hello(Role.NODE, keep=True),
        addresses=file.addresses,
        server_public=file.server_public,
        public=file.public,
        secret=file.secret,
        keep=True,
        settings=transport_settings(size_limits()),
    )


async def _close(controller: ZmqConnector) -> None:
    closed = asyncio.get_running_loop().create_future()
    controller.close(linger=2.0, done=lambda: closed.set_result(None))
    await closed


def _lost(why: str) -> None:
    _log.warning("no controller: %s", why)
