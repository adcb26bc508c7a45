"""What the benchmarks share: private directories, starts, and what /proc tells of a process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "HERE",
    "LOADS",
    "PYTHON",
    "PXSHELL",
    "mpiexec",
    "private_directories",
    "process_group",
    "ranks_in",
    "wait_until",
]

HERE = Path(__file__).resolve().parent
LOADS = HERE / "loads"
PYTHON = sys.executable
PXSHELL = (PYTHON, "-m", "pxshell")
_MIB = 1024.0


@contextmanager
def private_directories() -> Iterator[Path]:
    """Put PXSHELL_DIR, PXSHELL_RUNTIME_DIR and IPython's own into the environment; short paths, for sockets."""
    base = Path(tempfile.mkdtemp(prefix="pxb-", dir="/tmp"))
    try:
        for name, path in (
            ("PXSHELL_DIR", base / "d"),
            ("PXSHELL_RUNTIME_DIR", base / "r"),
            ("IPYTHONDIR", base / "i"),
        ):
            path.mkdir(mode=0o700)
            os.environ[name] = str(path)
        yield base
    finally:
        shutil.rmtree(base, ignore_errors=True)


def mpiexec(ranks: int, *words: str | Path) -> list[str]:
    """Return the command that runs plain Python on so many MPI ranks, with the mpiexec that pxshell takes."""
    beside = Path(sys.prefix, "bin", "mpiexec")
    return [str(beside) if beside.exists() else "mpiexec", "-n", str(ranks), PYTHON, *map(str, words)]


@contextmanager
def process_group(argv: Sequence[str]) -> Iterator[None]:
    """Run a command in a session of its own; it is ended with all that it started there."""
    process = subprocess.Popen(argv, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, sign)
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    continue


def wait_until(is_so: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: it was not, in time.
    """
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(0.01)


def ranks_in(directory: Path, ranks: int) -> list[int]:
    """Wait until all ranks of a load have written the file that bears their pid; return the pids."""
    wait_until(lambda: len(_pids(directory)) >= ranks, f"{ranks} ranks at work")
    return _pids(directory)


def _pids(directory: Path) -> list[int]:
    return [int(path.name) for path in directory.iterdir() if path.name.isdigit()]


def memory(pid: int) -> tuple[float, float]:
    """Return a process's proportional and resident memory, in MiB."""
    sizes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, size = line.split(":")
        sizes[name] = int(size.split()[0]) / _MIB
    return sizes["Pss"], sizes["Rss"]


def busy(pid: int) -> tuple[float, int]:
    """Return the CPU seconds of a process and how often its threads were put to sleep, which is how often they woke."""
    nanoseconds = switches = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        nanoseconds += int((task / "schedstat").read_text(encoding="ascii").split()[0])
        status = (task / "status").read_text(encoding="ascii")
        switches += int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return nanoseconds / 1e9, switches
