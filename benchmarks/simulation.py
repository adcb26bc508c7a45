"""A simulated cluster: the real controller and client, real sockets and keys, ranks without IPython."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import bench

from pxshell import Client
from pxshell.cluster.files import ClusterFiles, Keys
from pxshell.ranks import RankSet
from pxshell.transport.keys import make_keys

__all__ = ["Layout", "Simulation", "simulation"]

_TREE = str(bench.LOADS / "tree.py")
_PATIENCE_S = 600.0


@dataclass(frozen=True)
class Layout:
    """How many nodes, and ranks on each; `relays` are nodes between them and the controller, which parent them.

    With `is_flat`, nodes are the real ones and ranks are on sockets below them; else ranks are simulated with the
    nodes, several nodes in a process.
    """

    nodes: int
    ranks: int
    is_flat: bool = False
    relays: int = 0

    @classmethod
    def parse(cls, name: str) -> Layout:
        """Read `f8x125`, `1000x128` or `25/1000x128`."""
        relays, _, rest = name.rpartition("/")
        nodes, ranks = map(int, rest.removeprefix("f").split("x"))
        return cls(nodes, ranks, rest.startswith("f"), int(relays or 0))

    @property
    def size(self) -> int:
        """All ranks."""
        return self.nodes * self.ranks

    @property
    def hundredth(self) -> int:
        """How many nodes are a hundredth of all, or one."""
        return max(1, self.nodes // 100)


@dataclass
class Simulation:
    """The processes of one cluster, and a client."""

    layout: Layout
    files: ClusterFiles
    controller: subprocess.Popen[str]
    #: Real nodes, or those that parent simulated ones.
    nodes: list[subprocess.Popen[str]] = field(default_factory=list)
    #: What begins with a line on stdin.
    loads: list[subprocess.Popen[str]] = field(default_factory=list)
    client: Client = field(init=False)

    def join(self) -> None:
        """Connect the client."""
        self.client = Client(self.files.name, timeout=60.0)

    def register(self) -> None:
        """Let all ranks come at once, and wait until the client knows each as idle."""
        for process in self.loads:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        states = lambda: len(self.client.states.where("idle"))  # noqa: E731
        if not self.client.wait_until(lambda: states() == self.layout.size, _PATIENCE_S):
            raise TimeoutError(f"{states()} of {self.layout.size} ranks have come")


@contextmanager
def simulation(layout: Layout, *, per_process: int = 0) -> Iterator[Simulation]:
    """Start controller, nodes and what will be ranks; end all of them afterwards.

    Args:
        layout: How many of what.
        per_process: Simulated nodes in a process; an eighth of all nodes, at most 125, by default. The last process has
            a hundredth of all nodes, or one, and no more: it can be killed.
    """
    files = ClusterFiles.make(f"s{layout.nodes}x{layout.ranks}")
    keys = {role: Keys(*make_keys()) for role in ("server", "operator", "observer", "node")}
    files.write_keys(keys)
    files.write_launch(_launch(layout))
    made = Simulation(layout, files, _started("controller", files.directory))
    try:
        bench.wait_until((files.directory / "controller.ready").exists, "the controller listens")
        files.write_connections(keys, made.controller.pid, time.time())
        made.join()
        _add_flat(made) if layout.is_flat else _add_nodes(made, per_process or max(1, min(125, layout.nodes // 8)))
        for process in made.loads:
            assert process.stdout is not None
            process.stdout.readline()
        yield made
    finally:
        if hasattr(made, "client"):
            made.client.close()
        for process in (*made.loads, *made.nodes, made.controller):
            process.kill()
            process.wait()


def _launch(layout: Layout) -> dict[str, object]:
    return {"name": "simulated", "launcher": "none", "size": layout.size, "script": None, "commands": []}


def _add_flat(made: Simulation) -> None:
    layout = made.layout
    node_file = json.loads((made.files.directory / "node.json").read_bytes())
    for number in range(layout.nodes):
        directory = made.files.directory / f"n{number}"
        (directory / "logs").mkdir(parents=True)
        (directory / "launch.json").write_text(json.dumps(_launch(layout)))
        here = node_file | {"node_socket": str(directory / "node.sock")}
        (directory / "node.json").write_text(json.dumps(here))
        made.nodes.append(_started("node", directory))
        bench.wait_until((directory / "node.sock").exists, "a node listens")
        first = number * layout.ranks
        made.loads.append(_started("engines", directory, first, first + layout.ranks, layout.size))


def _add_nodes(made: Simulation, per_process: int) -> None:
    layout = made.layout
    parents = [_add_relay(made, number) for number in range(layout.relays)] or [made.files.directory]
    each = -(-layout.nodes // len(parents))
    for number, parent in enumerate(parents):
        begin, stop = number * each, min((number + 1) * each, layout.nodes)
        last = layout.hundredth if stop == layout.nodes else 0
        firsts = [*range(begin, stop - last, per_process), stop - last, stop]
        for first, end in pairwise(firsts):
            if first < end:
                made.loads.append(_started("nodes", parent, first, end - first, layout.ranks, layout.size))


def _add_relay(made: Simulation, number: int) -> Path:
    """Start a node that parents nodes; return the directory with their way to it."""
    directory, below = made.files.directory / f"r{number}", made.files.directory / f"b{number}"
    for path in (directory, below):
        (path / "logs").mkdir(parents=True)
    node_file = json.loads((made.files.directory / "node.json").read_bytes())
    public, secret = make_keys()
    addresses = {lane: [f"ipc://{directory}/{lane}.sock"] for lane in ("work", "control")}
    relay = {"addresses": addresses, "public": public, "secret": secret, "nodes": [node_file["public"]]}
    (directory / "relay.json").write_text(json.dumps(relay))
    (directory / "node.json").write_text(json.dumps(node_file))
    (below / "node.json").write_text(json.dumps(node_file | {"addresses": addresses, "server_public": public}))
    made.nodes.append(_process("-m", "pxshell.node", str(directory), log=directory / "logs" / "node.log"))
    bench.wait_until((directory / "work.sock").exists, "a relay listens")
    return below


def _started(role: str, directory: Path, *numbers: int) -> subprocess.Popen[str]:
    log = directory / "logs" / f"{role}.log"
    return _process(_TREE, role, str(directory), *map(str, numbers), log=log)


def _process(*words: str, log: Path) -> subprocess.Popen[str]:
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            env=os.environ | {"PYTHONPATH": str(bench.LOADS)},
        )


def all_of(layout: Layout) -> RankSet:
    """Return all ranks."""
    return RankSet.span(0, layout.size)
