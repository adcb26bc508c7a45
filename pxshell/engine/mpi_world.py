"""Whether MPI sees the ranks that the launcher started: if not, each computes the whole, alone and unnoticed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from pxshell.rendezvous.discovery import Placement

__all__ = ["watch_mpi"]

_MPI = "mpi4py.MPI"

# What to do, by who started the ranks. The process managers of Slurm: https://slurm.schedmd.com/mpi_guide.html
_ADVICE = {
    "slurm": "srun told mpi4py's library nothing of the others; start with srun --mpi=pmi2, or --mpi=pmix for Open MPI",
    "pxshell": "the launcher is for programs without MPI; start with --mpi",
}
_OTHERWISE = "mpiexec and mpi4py's MPI library are of different makes; take the mpiexec of that library"
# With these, ranks meet by other means, and a library that loads MPI by the way is nobody's fault.
_WITHOUT_MPI = frozenset({"torchrun", "none"})


def watch_mpi(placement: Placement, say: Callable[[str], None]) -> None:
    """Compare the worlds when the program imports mpi4py.MPI, which starts MPI; nothing is imported for it.

    Args:
        placement: What the launcher says.
        say: Called with one line, on rank 0 only, when each rank is alone in its world.
    """
    if placement.rank == 0 and placement.size > 1 and placement.source not in _WITHOUT_MPI:
        sys.meta_path.insert(0, _Watch(placement, say))


class _Watch:
    """A finder that finds nothing itself, and leaves `sys.meta_path` when the import that it waits for comes."""

    def __init__(self, placement: Placement, say: Callable[[str], None]) -> None:
        self._placement = placement
        self._say = say

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Let the others find mpi4py.MPI, and look at it as soon as it has been executed."""
        if fullname != _MPI:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            self._look_after(spec.loader)
        return spec

    def _look_after(self, loader: object) -> None:
        execute: Callable[[ModuleType], None] = loader.exec_module  # type: ignore[attr-defined]  # Loader has it optionally

        def execute_and_look(module: ModuleType) -> None:
            execute(module)
            line = _fault(self._placement, module)
            if line:
                self._say(line)

        loader.exec_module = execute_and_look  # type: ignore[attr-defined]  # as above


def _fault(placement: Placement, mpi: ModuleType) -> str | None:
    """Return what is wrong, in one line; None also when the program initialises MPI itself, later (`mpi4py.rc`)."""
    if not mpi.Is_initialized() or mpi.Is_finalized():
        return None
    # Another size than one is that of a world: of a part of a heterogeneous job, say.
    if mpi.COMM_WORLD.Get_size() != 1:
        return None
    advice = _ADVICE.get(placement.source, _OTHERWISE)
    return f"error: each of the {placement.size} ranks sees an MPI world of 1: {advice}"
