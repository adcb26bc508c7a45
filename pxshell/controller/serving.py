"""The controller's process: its controller, wired to its sockets and to the node that is its child."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path

import msgspec

from pxshell.controller.controller import Controller
from pxshell.controller.doing import Doing
from pxshell.controller.files import ControllerFile, LaunchFacts
from pxshell.controller.history import History
from pxshell.protocol.types import Role
from pxshell.rendezvous import connection
from pxshell.rendezvous.files import write_private
from pxshell.rendezvous.limits import size_limits, transport_settings
from pxshell.transport.zeromq import ZmqServer

__all__ = ["serve"]

#: Seconds that clients may take to receive the last messages.
_LAST_WORDS = 1.0
#: Seconds in which what a dead node has said is still read.
_LAST_WORDS_OF_NODE = 0.1


async def serve(directory: Path, node: subprocess.Popen[bytes]) -> None:
    """Run the controller until the cluster has ended; the node of this machine is our child."""
    loop = asyncio.get_running_loop()
    file = msgspec.json.decode((directory / "controller.json").read_bytes(), type=ControllerFile)
    launch = msgspec.json.decode((directory / "launch.json").read_bytes(), type=LaunchFacts)
    controller = Controller(loop, file, launch, directory)
    controller.server = ZmqServer(
        loop,
        controller,
        addresses=file.addresses,
        public=file.server.public,
        secret=file.server.secret,
        authorized={public: Role(role) for public, role in file.authorized.items()},
        settings=transport_settings(size_limits()),
    )
    controller.history = History(loop, directory / "history.sqlite")
    controller.doing = Doing(loop, directory / "doing.json", lambda: controller.states)
    controller.node_runs = True
    ended = asyncio.create_task(_watch(node, controller))
    write_private(directory / "controller.ready", json.dumps({"pid": os.getpid()}).encode())
    await controller.finished
    connection.remove(file.name)
    await controller.say_goodbye(_LAST_WORDS)
    controller.server.close()
    controller.doing.close()
    await ended
    controller.history.close()


async def _watch(node: subprocess.Popen[bytes], controller: Controller) -> None:
    status = await asyncio.to_thread(node.wait)
    controller.node_ended()
    if status:
        how = f"signal {-status}" if status < 0 else f"status {status}"
        controller.loop.call_later(_LAST_WORDS_OF_NODE, controller.node_died, node.pid, f"it ended with {how}")
