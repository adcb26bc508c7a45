"""What /proc tells of processes: how one has ended that somebody else has to reap, and which children one has."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["children_of", "status_of_remains"]


def status_of_remains(pid: int, proc: Path = Path("/proc")) -> int | None:
    """Return the exit status of a process that has ended and is not reaped, or the negative number of its signal.

    None when nothing is left of it, where there is no /proc, and when that is not ours to read. The kernel writes the
    status as wait(2) has it into the last field of /proc/PID/stat (proc_pid_stat(5), field 52).
    """
    try:
        text = (proc / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The name, in parentheses, may have blanks and parentheses in it.
    fields = text.rpartition(")")[2].split()
    return os.waitstatus_to_exitcode(int(fields[-1])) if fields[0] in "ZX" else None


def children_of(pid: int, proc: Path = Path("/proc")) -> list[int]:
    """Return the children that the main thread of a process has started; none where there is no /proc."""
    try:
        return [int(child) for child in (proc / str(pid) / "task" / str(pid) / "children").read_text().split()]
    except OSError:
        return []
