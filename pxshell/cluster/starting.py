"""From what is wanted to a running controller: name, directory, keys, `launch.json`, process."""

from __future__ import annotations

import os
import secrets
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pxshell.cluster.controller import (
    end_process,
    live_directories,
    processes_of,
    start_controller,
    wait_for_ends,
    wait_until_ready,
)
from pxshell.cluster.files import ClusterFiles, Keys, clear, read_launch, sweep, unlisted
from pxshell.cluster.info import ClusterInfo
from pxshell.cluster.launchers import LaunchSpec, find_launcher
from pxshell.cluster.program import Program
from pxshell.errors import UsageError
from pxshell.ranks import Mesh
from pxshell.rendezvous import connection, directories
from pxshell.rendezvous.connection import ConnectionInfo
from pxshell.rendezvous.descriptors import check_descriptors
from pxshell.rendezvous.limits import size_limits
from pxshell.rendezvous.locks import FileLock
from pxshell.rendezvous.names import check_cluster_name, generate_name, name_from_script

__all__ = ["Wish", "adopt", "cores_here", "size_of", "start"]

#: Seconds that controller and node of a cluster that has ended may take to go: they say goodbye for 2 at most.
_GOODBYE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What `Cluster.start` was asked for."""

    size: int
    launcher: str = "local"
    name: str | None = None
    #: A python command line; empty for bare engines.
    script: Sequence[str] = ()
    hold: bool = False
    launch_args: str | Sequence[str] = ()
    env: Mapping[str, str | None] = field(default_factory=dict)
    cwd: Path = field(default_factory=Path.cwd)
    flavour: str = ""
    #: The axes along which the ranks are arranged, as `dp=2,tp=4`; "" for none.
    mesh: str = ""
    deadline: float = 60.0


def cores_here() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def size_of(n: int | None, mesh: str) -> int:
    """Return the number of ranks: what is asked for, else that of the mesh, else that of the cores here."""
    if n is not None:
        return n
    return Mesh.parse(mesh).size if mesh else cores_here()


def start(wish: Wish) -> ConnectionInfo:
    """Start controller, node and ranks, and return the operator's way in; the ranks may still be on their way.

    Raises:
        UsageError: the wish makes no sense here; nothing was started.
        LaunchError: something could not be started; nothing is left of it but its logs.
    """
    _check_size(wish.size)
    size_limits()
    mesh = str(Mesh.parse(wish.mesh).check_size(wish.size)) if wish.mesh else ""
    program = Program.parse(wish.script, wish.cwd) if wish.script else Program()
    launcher = find_launcher(wish.launcher)
    spec = launcher.check(_spec(wish, program))

    def launch(files: ClusterFiles) -> dict[str, Any]:
        commands = launcher.prepare(_at(spec, files))
        return {
            "name": files.name,
            "launcher": launcher.name,
            "mpi": spec.facts.get("mpi", ""),
            "mesh": mesh,
            "size": wish.size,
            "hold": wish.hold,
            "script": program.label or None,
            "cwd": str(wish.cwd),
            "commands": [command.to_json() for command in commands],
        }

    return _start(wish.name, program.stem, launch, wish.deadline)


def adopt(world: ClusterInfo, deadline: float = 60.0) -> ConnectionInfo:
    """Start controller and node for ranks that somebody else started; the node connects to their sockets.

    Raises:
        UsageError: it has more ranks than this machine may have descriptors for, or a limit cannot be read.
        LaunchError: controller or node could not be started; the ranks run on.
    """
    size_limits()
    check_descriptors(world.ranks)

    def launch(files: ClusterFiles) -> dict[str, Any]:
        return {
            "name": files.name,
            "launcher": "none",
            "mpi": "",
            "size": world.ranks,
            "hold": False,
            "script": world.script or None,
            "cwd": None,
            "commands": [],
            "world": world.directory,
        }

    return _start(world.name, "", launch, deadline)


def _check_size(size: int) -> None:
    if size < 1:
        raise UsageError(f"a cluster of {size} ranks: it has at least 1; give their number, as in -n 4")
    check_descriptors(size)


def _spec(wish: Wish, program: Program) -> LaunchSpec:
    words = shlex.split(wish.launch_args) if isinstance(wish.launch_args, str) else wish.launch_args
    return LaunchSpec(
        size=wish.size,
        program=program,
        world=secrets.token_hex(8),
        node_socket="",  # known with the name, when everything has been checked
        hold=wish.hold,
        launch_args=tuple(words),
        flavour=wish.flavour,
        cores=cores_here(),
        environ=dict(os.environ),
        env=wish.env,
    )


def _at(spec: LaunchSpec, files: ClusterFiles) -> LaunchSpec:
    return replace(spec, node_socket=str(files.node_socket))


def _start(name: str | None, stem: str, launch: Any, deadline: float) -> ConnectionInfo:
    end = time.monotonic() + deadline
    # One at a time from choosing a name to its connection file: two starts would choose the same.
    with FileLock(directories.runtime_directory() / "start.lock", "start a cluster", deadline):
        if name is not None:
            _outlast(check_cluster_name(name))
        elsewhere = _alive_elsewhere()
        sweep(elsewhere)
        files = ClusterFiles.make(_free_name(name, stem, elsewhere))
        keys = _make_keys()
        files.write_keys(keys)
        files.write_launch({**launch(files), "state": str(directories.state_directory())})
        controller = start_controller(files)
        info = files.write_connections(keys, *controller)
    try:
        wait_until_ready(files, controller, max(1.0, end - time.monotonic()))
    except BaseException:
        connection.remove(files.name)
        for process in {controller, *processes_of(files.directory)}:
            end_process(process, 0.0)
        clear(files.directory)
        raise
    return info


def _outlast(name: str) -> None:
    """Wait for the last processes of a cluster of this name that has ended, and says goodbye to those who looked."""
    directory = directories.cluster_directory(name)
    is_ours = read_launch(directory).get("state") == str(directories.state_directory())
    # Its controller removes the file first: a program that was started anew may be attached to at once.
    if is_ours and not connection.connection_path(name).exists():
        wait_for_ends(processes_of(directory), _GOODBYE_S)


def _alive_elsewhere() -> list[Path]:
    """Return the directories of running clusters whose connection files lie in another `PXSHELL_DIR`."""
    # A running cluster has its sockets there; without any there is no need to look at all processes.
    suspects = [path for path in unlisted() if any(path.glob("*.sock"))]
    alive = live_directories() if suspects else set()
    return [path for path in suspects if path in alive]


def _free_name(name: str | None, stem: str, elsewhere: Sequence[Path]) -> str:
    found = {cluster.name: cluster for cluster in connection.list_clusters()}
    if name is None:
        taken = {*found, *(path.name for path in elsewhere)}
        return name_from_script(stem, taken) if stem else generate_name(taken)
    there = found.get(name)
    for path in elsewhere:
        if path.name == name:
            where = read_launch(path).get("state") or "another one"
            raise UsageError(f"a cluster {name!r} runs here already, of PXSHELL_DIR {where}; choose another name")
    if there is not None and there.is_alive:
        raise UsageError(f"there is a cluster {name!r} already; attach to it: pxshell attach {name}; or choose another")
    directory = directories.cluster_directory(name)
    if processes_of(directory):
        raise UsageError(f"cluster {name!r} has lost its controller, but its node runs; end it: pxshell stop {name}")
    if there is not None and read_launch(directory):
        connection.remove(name)
    return name


def _make_keys() -> dict[str, Keys]:
    # zmq, for the keys alone: not for those who only list or stop clusters.
    from pxshell.transport.keys import make_keys

    return {role: Keys(*make_keys()) for role in ("server", "operator", "observer", "node")}
