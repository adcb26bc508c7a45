"""One cluster on two machines, which are network namespaces: its links are real, can be cut, and mended again.

The second node is started by hand, as a launcher of several machines would; it reaches the controller by CurveZMQ over
TCP. Needs root, `ip` and `unshare`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pxshell import Client
from pxshell.cluster.files import ClusterFiles, Keys
from pxshell.cluster.launchers import LaunchSpec, find_launcher
from pxshell.cluster.program import Program
from pxshell.protocol.canonical import canonical
from pxshell.ranks import RankSet
from pxshell.rendezvous import connection
from pxshell.testing.waiting import wait_until
from pxshell.transport.keys import make_keys

HERE, THERE = RankSet.of(0, 1), RankSet.of(2, 3)
NET = "198.18.7"  # of the block for tests of networks, RFC 2544
COUNTING = "import time\nfor step in range(60):\n    print(step, flush=True)\n    time.sleep(0.1)"


def command(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=30)


def may_have_namespaces() -> bool:
    """Tell whether this process may make network namespaces; a container often may not."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare"):
        return False
    name = f"pxt{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False, timeout=30)
    if made.returncode == 0:
        command("ip", "netns", "del", name)
    return made.returncode == 0


pytestmark = [
    pytest.mark.namespaces,
    pytest.mark.slow,
    pytest.mark.leaves_files,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not may_have_namespaces(), reason="needs root, ip, unshare, and to be allowed namespaces"),
]


class Machines:
    """Two network namespaces, joined by one cable."""

    def __init__(self) -> None:
        self.names = [f"pxt{os.getpid()}{letter}" for letter in "ab"]
        self.cables = [f"px{os.getpid() % 10**8}{letter}" for letter in "ab"]
        for name in self.names:
            command("ip", "netns", "add", name)
        command("ip", "link", "add", self.cables[0], "type", "veth", "peer", "name", self.cables[1])
        for number, (name, cable) in enumerate(zip(self.names, self.cables, strict=True), 1):
            command("ip", "link", "set", cable, "netns", name)
            command("ip", "-n", name, "addr", "add", f"{NET}.{number}/24", "dev", cable)
            command("ip", "-n", name, "link", "set", cable, "up")
            command("ip", "-n", name, "link", "set", "lo", "up")

    def start(self, number: int, *words: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a process on a machine, which has a host name of its own."""
        script = f'hostname n{number + 1} && exec "$@"'
        inside = ["unshare", "--uts", "sh", "-c", script, "sh", sys.executable, *words]
        with log.open("ab") as file:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.names[number], *inside], stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )

    def cut(self) -> None:
        """Pull the cable out."""
        command("ip", "-n", self.names[0], "link", "set", self.cables[0], "down")

    def mend(self) -> None:
        """Put it back."""
        command("ip", "-n", self.names[0], "link", "set", self.cables[0], "up")

    def close(self) -> None:
        """Remove the namespaces, and the cable with them."""
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False, timeout=30)


def launch(directory: Path, ranks: RankSet) -> None:
    """Write what the node of one machine starts."""
    (directory / "logs").mkdir(exist_ok=True)
    spec = LaunchSpec(
        size=4, program=Program(), world="w", node_socket=str(directory / "node.sock"), environ=dict(os.environ)
    )
    launcher = find_launcher("local")
    commands = [one.to_json() for one in launcher.prepare(launcher.check(spec)) if int(one.ranks) in ranks]
    content = {"name": "two", "launcher": "local", "size": 4, "commands": commands, "cwd": str(directory)}
    (directory / "launch.json").write_text(json.dumps(content))


def listen_on_the_network(path: Path, there: Path) -> None:
    """Give the controller an address in the network, and the other node that address only."""
    controller, node = json.loads((path / "controller.json").read_text()), json.loads((path / "node.json").read_text())
    network = {lane: [f"tcp://{NET}.1:{port}"] for lane, port in (("work", 5001), ("control", 5002))}
    controller["addresses"] = {lane: node["addresses"][lane] + network[lane] for lane in network}
    (path / "controller.json").write_text(json.dumps(controller))
    other = node | {"addresses": network, "node_socket": str(there / "node.sock")}
    (there / "node.json").write_text(json.dumps(other))


@contextmanager
def ended(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def cluster() -> Iterator[tuple[Machines, Client]]:
    """Two ranks beside the controller, two on the other machine."""
    machines = Machines()
    try:
        files = ClusterFiles.make("two")
        keys = {role: Keys(*make_keys()) for role in ("server", "operator", "observer", "node")}
        files.write_keys(keys)
        there = files.directory / "n2"
        there.mkdir()
        launch(files.directory, HERE)
        launch(there, THERE)
        listen_on_the_network(files.directory, there)
        root = machines.start(
            0, "-m", "pxshell.controller", str(files.directory), log=files.directory / "logs" / "controller.log"
        )
        node = machines.start(1, "-m", "pxshell.node", str(there), log=there / "logs" / "node.log")
        with ended(root, node):
            wait_until(files.ready.exists, 60, "the controller listens")
            files.write_connections(keys, root.pid, time.time())
            with Client("two") as client:
                try:
                    client.wait_for_engines(4, 60)
                    assert client.wait_until(lambda: client.states.where("idle") == HERE | THERE, 60)
                    yield machines, client
                finally:
                    client.ask("px_stop_request", {"grace": 1.0})
    finally:
        machines.close()
        connection.remove("two")


def run(client: Client, code: str, ranks: RankSet):
    content = {
        "code": code,
        "silent": False,
        "store_history": False,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
        "cell": 1,
        "filename": "<cell 1>",
        "places": [["idle", str(ranks)]],
        "queue": False,
    }
    return client.request("execute_request", content, ranks)


def said(request, kind: str, read) -> dict[str, str]:
    messages = [message for message in canonical(list(request.messages)) if message.type == kind]
    return {str(message.ranks): read(message.data()) for message in messages}


def test_a_cut_cable_costs_nothing_but_time(cluster):
    """P2, P3, P8: who is behind the cut is named, the others go on; after it nothing is lost and nothing is twice."""
    machines, client = cluster
    names = run(client, "import socket; socket.gethostname()", HERE | THERE)
    assert names.wait(60)
    assert said(names, "execute_result", lambda data: data["data"]["text/plain"]) == {"0-1": "'n1'", "2-3": "'n2'"}
    counting = run(client, COUNTING, HERE | THERE)
    assert client.wait_until(lambda: client.states.where("busy") == HERE | THERE, 60)
    machines.cut()
    assert client.wait_until(lambda: client.states.where("unresponsive") == THERE, 60)
    assert {state.why for _, state in client.states.among(THERE)} == {"its node does not answer"}
    # Asked for while the cable is out: those who can, answer; the others as soon as they can.
    where = client.request("px_where_request", {}, HERE | THERE)
    wait_until(lambda: where.account.answered == HERE, 60, "the ranks on this side have answered")
    machines.mend()
    assert client.wait_until(lambda: not client.states.where("unresponsive"), 60)
    assert where.wait(60)
    assert where.account.answered == HERE | THERE
    assert counting.wait(60)
    assert counting.account.answered == HERE | THERE
    text = "".join(f"{step}\n" for step in range(60))
    assert said(counting, "stream", lambda data: data["text"]) == {"0-3": text}
