"""Shared memory that the ranks of an MPI leave behind when they are ended before MPI_Finalize."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

__all__ = ["Leavings", "segments_of"]

_MEMORY = "/dev/shm/"  # noqa: S108 - what MPI has put there is looked for
#: How MPICH and Open MPI name their segments.
_NAMES = ("mpich_shm_", "sm_segment.", "vader_segment.")


def segments_of(pid: int, proc: Path = Path("/proc")) -> set[Path]:
    """Return the segments of MPI that a process has in memory (proc_pid_maps(5)); none where there is no /proc."""
    try:
        lines = (proc / str(pid) / "maps").read_text(errors="replace").splitlines()
    except OSError:
        return set()
    paths = (line.partition(_MEMORY)[2] for line in lines if _MEMORY in line)
    return {Path(_MEMORY, name) for name in paths if name.startswith(_NAMES) and not name.endswith(" (deleted)")}


class Leavings:
    """Segments of ranks that are about to be ended, removed once these are gone."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._segments: set[Path] = set()

    def note(self, pids: Iterable[int]) -> None:
        """Look what processes have, while they still live."""
        for pid in pids:
            self._segments |= segments_of(pid, self._proc)

    def remove(self) -> None:
        """Remove what is left of it and ours: all who used it have ended."""
        segments, self._segments = self._segments, set()
        for path in segments:
            with suppress(OSError):
                if path.lstat().st_uid == os.geteuid():
                    path.unlink()
