"""Which process is which: a pid alone says little, as pids are used again; with its start time it names one process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Ancestor", "ancestors", "has_run_since", "is_running", "start_time"]

_TOLERANCE = 60.0
"""Seconds by which two readings of one start time may differ: both are counted from a boot time that clock corrections
move. A pid does not come round within it."""

Ancestor = tuple[int, list[str]]
"""A process above this one: its pid and its argv."""


def start_time(pid: int | None = None) -> float | None:
    """Return when a process (this one by default) started, in seconds since the epoch; None when it is gone."""
    # Not at the top: it costs a rank 3 MB, and only those who look for other processes need it.
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.NoSuchProcess:
        return None


def is_running(pid: int, started: float) -> bool:
    """Return whether the process ``pid`` that started at ``started`` is still there."""
    found = start_time(pid)
    return found is not None and abs(found - started) <= _TOLERANCE


def has_run_since(pid: int, moment: float) -> bool:
    """Return whether the process ``pid`` runs, and already did at ``moment``."""
    found = start_time(pid)
    return found is not None and found <= moment + _TOLERANCE


def ancestors() -> Iterator[Ancestor]:
    """Yield the processes above this one, the parent first, as far as we may look."""
    read = _read_linux if sys.platform == "linux" else _read_portable
    pid = os.getppid()
    while pid > 1:
        found = read(pid)
        if found is None:
            return
        parent, argv = found
        yield pid, argv
        pid = parent


def _read_linux(pid: int) -> tuple[int, list[str]] | None:
    """Read a process's parent and argv without psutil, whose import every rank under Hydra would pay."""
    directory = Path(f"/proc/{pid}")
    try:
        # The name in the second field may hold anything, blanks and brackets too: the fields go on behind its last.
        parent = (directory / "stat").read_bytes().rpartition(b")")[2].split()[1]
        argv = (directory / "cmdline").read_bytes().removesuffix(b"\0").split(b"\0")
    except OSError:
        return None
    return int(parent), [os.fsdecode(argument) for argument in argv]


def _read_portable(pid: int) -> tuple[int, list[str]] | None:
    import psutil  # see start_time

    try:
        process = psutil.Process(pid)
        return process.ppid(), process.cmdline()
    except psutil.Error:
        return None
