"""Ranks of one MPI world: started by the mpiexec that belongs to the MPI library in use."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from dataclasses import replace

from pxshell.cluster.launchers.base import Command, Launcher, LaunchSpec
from pxshell.cluster.launchers.mpiexec import (
    FLAVOURS,
    Make,
    Mpiexec,
    family_of,
    read_library,
    usable_mpiexecs,
)
from pxshell.errors import LaunchError, UsageError
from pxshell.rendezvous.directories import state_directory

__all__ = ["MpiLauncher"]

#: The variable that tells a rank that Hydra will send it SIGUSR1 when a peer has died, and that it has to live on.
SURVIVES = "PXSHELL_SURVIVES"

# With one of these the user says where ranks go; without, Hydra forks them here (it would ssh to the own host name).
_HYDRA_PLACES = ("-launcher", "--launcher", "-bootstrap", "--bootstrap")


class MpiLauncher(Launcher):
    """One mpiexec for all ranks."""

    name = "mpi"

    def check(self, spec: LaunchSpec) -> LaunchSpec:
        """Find the mpiexec that fits the library of mpi4py."""
        if spec.flavour and spec.flavour not in FLAVOURS:
            raise UsageError(f"no MPI flavour {spec.flavour!r}; there are: {', '.join(FLAVOURS)}")
        cache = state_directory() / "mpi.json"
        library = read_library(spec.program.interpreter, cache)
        mpiexec = _choose(spec, usable_mpiexecs(spec.environ, cache), library)
        facts = {"mpiexec": mpiexec.path, "flavour": mpiexec.make.flavour, "mpi": str(library)}
        if _has_ulfm(mpiexec.make):
            facts |= {"ulfm": "yes", "mpi": f"{library} with ULFM"}
        if os.geteuid() == 0:
            facts["root"] = "yes"
        return replace(spec, facts={**spec.facts, **facts})

    def prepare(self, spec: LaunchSpec) -> list[Command]:
        """One command: mpiexec with all ranks."""
        family = family_of(spec.facts["flavour"])
        fork = ("-launcher", "fork") if family == "hydra" and not _names_places(spec.launch_args) else ()
        # Hydra kills the peers of a rank that dies within milliseconds: our node does it, after a last look at them.
        ours = spec.facts["flavour"] == "mpich" and spec.size > 1
        leave: tuple[str, ...] = ("-disable-auto-cleanup",) if ours else ()
        if "ulfm" in spec.facts and "--with-ft" not in spec.launch_args:
            leave = ("--with-ft", "ulfm")  # the peers of a rank that dies live on, and are told
        argv = (spec.facts["mpiexec"], "-n", str(spec.size), *fork, *leave, *spec.launch_args)
        env = _open_mpi_env(spec) if family == "openmpi" else {}
        env |= {SURVIVES: "1"} if ours else {}
        ranks = "0" if spec.size == 1 else f"0-{spec.size - 1}"
        command = (*argv, *spec.program.engine_argv(hold=spec.hold))
        return [Command(command, env | spec.base_env(), ranks, ends_together=ours)]


def _choose(spec: LaunchSpec, mpiexecs: Iterable[Mpiexec], library: Make) -> Mpiexec:
    """Take the first mpiexec that is of the make asked for and fits the library; the others are not even looked at."""
    others = []
    for one in mpiexecs:
        if spec.flavour in {"", one.make.flavour} and _fits(one.make, library):
            return one
        others.append(one)
    raise LaunchError(_why_none(spec, others, library))


def _why_none(spec: LaunchSpec, others: list[Mpiexec], library: Make) -> str:
    if not others:
        return _no_mpiexec(spec, library)
    wanted = [one for one in others if spec.flavour in {"", one.make.flavour}]
    if wanted:
        return _misfit(wanted[0], library)
    # One package brings several names of the same.
    firsts: dict[Make, str] = {}
    for one in others:
        firsts.setdefault(one.make, one.path)
    there = ", ".join(f"{path} ({make})" for make, path in firsts.items())
    return f"no mpiexec of {FLAVOURS[spec.flavour]} here; put it on PATH, or take one of these: {there}"


def _has_ulfm(mpiexec: Make) -> bool:
    """Tell whether ranks can outlive one of them (https://docs.open-mpi.org/en/v5.0.x/features/ulfm.html)."""
    return mpiexec.flavour == "openmpi" and mpiexec.version.partition(".")[0] not in {"", "1", "2", "3", "4"}


def _fits(mpiexec: Make, library: Make) -> bool:
    """Tell whether ranks will find each other; a make that we do not know is given its chance."""
    families = {family_of(mpiexec.flavour), family_of(library.flavour)}
    return "" in families or len(families) == 1


def _misfit(mpiexec: Mpiexec, library: Make) -> str:
    return (
        f"mpi4py uses {library}, but {mpiexec.path} is of {mpiexec.make}: each rank would be alone; "
        f"put the mpiexec of {FLAVOURS[library.flavour]} first on PATH"
    )


def _no_mpiexec(spec: LaunchSpec, library: Make) -> str:
    if "SLURM_JOB_ID" not in spec.environ:
        return 'no mpiexec beside this Python or on PATH; install one: pip install "pxshell[mpi]"'
    plugin = "pmix" if library.flavour == "openmpi" else "pmi2"
    # Ranks that srun starts do not wait for a front end, and run a script: a prompt is what one attaches to it.
    engine = shlex.join(spec.program.engine_argv(hold=False)) + ("" if spec.program.target else " SCRIPT")
    line = f"srun --mpi={plugin} -n {spec.size} {engine}"
    return f"no mpiexec here; this is a Slurm job, so start a script with srun, then pxshell attach: {line}"


def _names_places(launch_args: tuple[str, ...]) -> bool:
    return any(word in _HYDRA_PLACES for word in launch_args)


def _open_mpi_env(spec: LaunchSpec) -> dict[str, str | None]:
    """Allow what one machine with few cores needs; names of Open MPI 5 (PRTE) and 4 side by side."""
    names = {
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
    }
    if "root" in spec.facts:
        names |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    if spec.size > spec.cores:
        # Two ranks bound to one core, waiting by spinning, would stop each other.
        names |= {
            "PRTE_MCA_hwloc_default_binding_policy": "none",
            "OMPI_MCA_hwloc_base_binding_policy": "none",
            "OMPI_MCA_mpi_yield_when_idle": "1",
            "OMPI_MCA_threads_pthreads_yield_strategy": "nanosleep",
        }
    return {name: value for name, value in names.items() if not spec.is_set(name)}
