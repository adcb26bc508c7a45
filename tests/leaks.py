"""What a test left behind: processes, threads, sockets and connection files.

Processes are found by descent and by ``PXSHELL_TEST_RUN`` in their environment: controllers, nodes and engines leave
their parents on purpose, their environment they keep. All processes are scanned, which takes some
5 ms, only after something started one.
"""

import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from pxshell.testing.waiting import wait_until

MARKER = "PXSHELL_TEST_RUN"
GRACE_S = 40.0
#: Until a killed process is gone, which takes a slow machine longer than a test may want to wait for one that stays.
_DEATH_S = 60.0

_STARTS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"})
# Helpers of multiprocessing: one per interpreter, they end with it.
_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
# One thread each, kept by a library until the interpreter ends.
_KEPT_THREADS = ("IPythonHistorySavingThread", "pydevd.", "AnyIO worker thread")


class ProcessStarts:
    """Counts what starts processes, by an audit hook."""

    def __init__(self) -> None:
        self.count = 0
        sys.addaudithook(self._audit)

    def _audit(self, event: str, _args: tuple[object, ...]) -> None:
        if event in _STARTS:
            self.count += 1


def running_processes(run: str) -> dict[int, psutil.Process]:
    """Return the processes of this test run other than ourselves, by pid: children, and those with the marker."""
    me = psutil.Process()
    found = {child.pid: child for child in me.children(recursive=True)}
    marker = f"{MARKER}={run}".encode()
    for pid in psutil.pids():
        if pid not in found and pid != me.pid and _has_marker(pid, marker):
            try:
                found[pid] = psutil.Process(pid)
            except psutil.NoSuchProcess:
                continue
    return {pid: process for pid, process in found.items() if _counts(process)}


def _has_marker(pid: int, marker: bytes) -> bool:
    environ = Path(f"/proc/{pid}/environ")
    try:
        if sys.platform == "linux":
            return marker in environ.read_bytes().split(b"\0")
        return psutil.Process(pid).environ().get(MARKER, "").encode() == marker.split(b"=")[1]
    except (OSError, psutil.Error):
        return False


def _counts(process: psutil.Process) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        line = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return not any(helper in line for helper in _HELPERS)


def leaked_processes(run: str, before: set[int]) -> list[psutil.Process]:
    """Return what has been started since and still runs; descendants of what ran before belong to that one's owner."""
    return [
        process
        for pid, process in running_processes(run).items()
        if pid not in before and not before.intersection(_ancestors(process))
    ]


def _ancestors(process: psutil.Process) -> Iterator[int]:
    try:
        for parent in process.parents():
            if parent.pid == os.getpid():
                return
            yield parent.pid
    except psutil.Error:
        return


def describe_process(process: psutil.Process) -> str:
    """Return pid and command line, as far as it can still be read."""
    try:
        return f"{process.pid}: {' '.join(process.cmdline())[:200]}"
    except psutil.Error:
        return f"{process.pid}: gone"


def end_leaked_processes(run: str, before: set[int]) -> list[str]:
    """Wait for the end of what a test started, kill by pid what still runs then, and return its description."""
    try:
        wait_until(lambda: not leaked_processes(run, before), GRACE_S, "all processes have ended")
    except TimeoutError:
        leaked = leaked_processes(run, before)
        descriptions = [describe_process(process) for process in leaked]
        for process in leaked:
            try:
                process.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(leaked, timeout=_DEATH_S)
        return descriptions
    return []


def leaked_threads(before: set[threading.Thread]) -> list[str]:
    """Return the names of threads that were not there before and do not end."""

    def remaining() -> list[threading.Thread]:
        return [
            thread
            for thread in threading.enumerate()
            if thread not in before and thread.is_alive() and not thread.name.startswith(_KEPT_THREADS)
        ]

    try:
        wait_until(lambda: not remaining(), GRACE_S, "all threads have ended")
    except TimeoutError:
        return [thread.name for thread in remaining()]
    return []


def leaked_files(*directories: Path) -> list[str]:
    """Return the sockets and connection files below the directories: what would make a dead cluster look alive."""
    found = []
    for directory in directories:
        # os.walk passes over what vanishes meanwhile: a thread of this process may be removing it.
        for folder, folders, names in os.walk(directory):
            found += [path for name in (*folders, *names) if _is_leak(path := Path(folder, name))]
    return [str(path) for path in sorted(found)]


def _is_leak(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode) or path.parent.name == "clusters"
    except FileNotFoundError:
        return False
