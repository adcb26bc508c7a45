"""The controller's process: started detached, waited for, and ended when it does not end by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

from pxshell.cluster.files import ClusterFiles
from pxshell.errors import DeadlineError, LaunchError
from pxshell.rendezvous.processes import is_running, start_time

__all__ = [
    "Process",
    "end_process",
    "live_directories",
    "processes_of",
    "ranks_of",
    "start_controller",
    "wait_for_ends",
    "wait_until_ready",
]

Process = tuple[int, float]
"""A pid and when that process started: a pid alone may be somebody else's by now."""

_PAUSE_S = 0.01
_MODULE = "pxshell.controller"

# Children of this process, by pid: kept so that they are reaped, and since an object that is dropped warns.
_children: dict[int, subprocess.Popen[bytes]] = {}


def start_controller(files: ClusterFiles) -> Process:
    """Start the controller in a session of its own, its log as output."""
    log = os.open(files.logs / "controller.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", _MODULE, str(files.directory)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Not the user's directory: modules there would be imported in place of ours.
            cwd=files.directory,
            start_new_session=True,
        )
    finally:
        os.close(log)
    _children[child.pid] = child
    return child.pid, start_time(child.pid) or time.time()


def wait_until_ready(files: ClusterFiles, controller: Process, deadline: float) -> None:
    """Wait until the controller's sockets listen.

    Raises:
        LaunchError: it has ended, or is not ready within `deadline` seconds.
    """

    def is_ready() -> bool:
        if not _is_running(controller):
            raise LaunchError(f"the controller has ended at its start: {_cause(files)}")
        return _ready_pid(files) is not None

    if not _wait(is_ready, deadline):
        raise LaunchError(f"the controller is not ready after {deadline:g} s: {_cause(files)}")


def processes_of(directory: Path) -> list[Process]:
    """Return controller and node of a cluster's directory that still run."""
    import psutil

    return [
        (process.pid, process.info["create_time"])
        for process in psutil.process_iter(["cmdline", "create_time"])
        if _serves(process.info["cmdline"] or [], directory)
    ]


def live_directories() -> set[Path]:
    """Return the directories of all clusters on this machine whose controller or node runs."""
    import psutil

    commands = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    return {Path(words[-1]) for words in commands if words and _serves(words, Path(words[-1]))}


def ranks_of(directory: Path) -> list[Process]:
    """Return the processes that the node of this directory started, and theirs, by their environment.

    For when there is no node that could say: what it started keeps running without it.
    """
    import psutil

    node_socket = str(directory / "node.sock")
    return [
        (process.pid, process.info["create_time"])
        for process in psutil.process_iter(["environ", "create_time"])
        if (process.info["environ"] or {}).get("PXSHELL_NODE") == node_socket and process.pid != os.getpid()
    ]


def _serves(words: list[str], directory: Path) -> bool:
    return words[-1:] == [str(directory)] and bool({"pxshell.controller", "pxshell.node"} & set(words))


def wait_for_ends(processes: Collection[Process], seconds: float) -> bool:
    """Wait until none of these processes runs any more; False after so many seconds."""
    return _wait(lambda: not any(map(_is_running, processes)), seconds)


def end_process(process: Process, grace: float) -> None:
    """Wait `grace` seconds for the end of a process, then end it by SIGTERM, then by SIGKILL.

    Raises:
        DeadlineError: it is still there.
    """
    for number, seconds in ((None, grace), (signal.SIGTERM, max(grace, 2.0)), (signal.SIGKILL, 5.0)):
        if number is not None:
            _send(process, number)
        if _wait(lambda: not _is_running(process), seconds):
            return
    raise DeadlineError(f"end process {process[0]}", grace)


def _send(process: Process, number: signal.Signals) -> None:
    if _is_running(process):
        os.kill(process[0], number)


def _is_running(process: Process) -> bool:
    child = _children.get(process[0])
    if child is not None and child.poll() is not None:
        del _children[process[0]]
    return is_running(*process)


def _ready_pid(files: ClusterFiles) -> int | None:
    try:
        return int(json.loads(files.ready.read_bytes())["pid"])
    except (OSError, ValueError):  # not there yet, or half written
        return None


def _cause(files: ClusterFiles) -> str:
    return f"{files.tail() or 'it said nothing'} (log: {files.logs / 'controller.log'})"


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again; there is nothing to be woken by before the first link."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(_PAUSE_S)
    return True
