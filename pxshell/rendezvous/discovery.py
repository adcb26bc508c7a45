"""Which rank of which launch this process is, from what its launcher put into the environment.

MPI is never asked: that would initialise it in a program that may not use it, or wants to do so itself.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pxshell.rendezvous.processes import Ancestor, ancestors

__all__ = ["Placement", "discover", "launcher_variables"]

Environment = Mapping[str, str]
Ancestors = Callable[[], Iterable[Ancestor]]


@dataclass(frozen=True)
class Placement:
    """The place of this process in its launch.

    Attributes:
        rank: Its number, from 0.
        size: How many there are.
        local_rank: Its number on this machine; None when the launcher does not say.
        world: The same text for all ranks of one launch and another for every other launch.
        source: Who said so: ``torchrun``, ``openmpi``, ``slurm``, …
    """

    rank: int
    size: int
    local_rank: int | None
    world: str
    source: str


@dataclass(frozen=True)
class _Source:
    """The variables of one launcher; of alternative names the first that is set counts."""

    name: str
    rank: str
    size: tuple[str, ...]
    local_rank: tuple[str, ...]
    world: Callable[[Environment], str | None]
    is_named_only: bool = False  # its variables also stand where nothing was launched, but then without a world


def discover(environ: Environment | None = None, ancestors: Ancestors = ancestors) -> Placement | None:
    """Return the place of this process, or None when no launcher that we know started it.

    Args:
        environ: The environment to look at; this process's by default.
        ancestors: Gives the processes above this one; only a launcher without a name for its launch makes us ask.
    """
    environ = os.environ if environ is None else environ
    for source in _SOURCES:
        placement = _placement(source, environ, ancestors)
        if placement is not None:
            return placement
    return None


def launcher_variables(environ: Environment | None = None) -> list[str]:
    """Return the variables to take away from a process that must not be taken for a rank."""
    return sorted(name for name in (os.environ if environ is None else environ) if _LAUNCHERS.match(name))


_SLURM_SPECIAL_STEPS = 0xFFFFFFF0
_LAUNCHERS = re.compile(
    r"""
    (?: PMI_ | PMI2_ | PMIX_ | OMPI_ | PRTE_ | HYDI_ | HYDRA_ | MPISPAWN_ | MPIRUN_ | MV2_COMM_WORLD_ | PALS_
      | FLUX_TASK_ | SLURM_STEP_ | SLURM_PMI | SLURM_SRUN_COMM_ | TORCHELASTIC_ )
  | (?: MPI_LOCALRANKID | MPI_LOCALNRANKS
      | FLUX_JOB_ID | FLUX_JOB_SIZE
      | SLURM_PROCID | SLURM_LOCALID | SLURM_NODEID | SLURM_STEPID | SLURM_TASK_PID | SLURM_GTIDS
      | GROUP_RANK | GROUP_WORLD_SIZE | ROLE_RANK | ROLE_NAME | ROLE_WORLD_SIZE
      | RANK | WORLD_SIZE | LOCAL_RANK | LOCAL_WORLD_SIZE | MASTER_ADDR | MASTER_PORT
      | PXSHELL_RANK | PXSHELL_SIZE | PXSHELL_LOCAL_RANK | PXSHELL_WORLD )\Z
    """,
    re.VERBOSE,
)


def _placement(source: _Source, environ: Environment, ancestors: Ancestors) -> Placement | None:
    rank = _number(environ, source.rank)
    size = _number(environ, *source.size)
    if rank is None or size is None or rank >= size:
        return None
    named = source.world(environ)
    if named is None and source.is_named_only:
        return None
    # Our own launcher's token goes before all: it also holds where the rank's number is Hydra's or Slurm's.
    token = environ.get("PXSHELL_WORLD")
    world = token or f"{source.name}-{named or _enclosing_world(environ, rank, size, ancestors)}"
    return Placement(rank, size, _number(environ, *source.local_rank), world, source.name)


def _enclosing_world(environ: Environment, rank: int, size: int, ancestors: Ancestors) -> str:
    """Name a launch whose launcher gave it no name."""
    above = list(ancestors())
    return _hydra_world(above) or _resource_manager_world(environ, rank, size) or _parent_world(above)


def _hydra_world(above: list[Ancestor]) -> str | None:
    """Name a launch of Hydra (MPICH, Intel MPI) by the address where its mpiexec listens for its proxies.

    Hydra puts nothing into the environment that all ranks share and two launches do not: PMI_FD and HYDI_CONTROL_FD are
    descriptors of one rank, and the name of the key-value space can only be asked over PMI_FD, which is MPI's own. But
    a proxy is the parent of the ranks of its machine, and mpiexec's address is in the argv of all its proxies, on all
    machines. Ranks that MPI_Comm_spawn adds have the same address and another process group, which is there too.
    """
    for _, argv in above:
        address = _option(argv, "--control-port")
        if address:
            return f"{address}.{_option(argv, '--pgid') or '0'}"
    return None


def _option(argv: list[str], name: str) -> str | None:
    return argv[argv.index(name) + 1] if name in argv[:-1] else None


def _resource_manager_world(environ: Environment, rank: int, size: int) -> str | None:
    """Name a launch by the job step around it, if its ranks are the step's tasks: else two launches may share one."""
    for source in (_FLUX, _PALS, _SLURM):
        if _number(environ, source.rank) == rank and _number(environ, *source.size) == size:
            return source.world(environ)
    return None


def _parent_world(above: list[Ancestor]) -> str:
    """Name a launch by the process that started this one: good on one machine, when it started all ranks."""
    parent = above[0][0] if above else os.getppid()
    return f"{socket.gethostname()}.{parent}"


def _torchrun_world(environ: Environment) -> str | None:
    # The run's id alone is "none" unless one was given; then the meeting place of the launch tells it from others.
    place = [environ[name] for name in ("MASTER_ADDR", "MASTER_PORT") if environ.get(name)]
    run = [environ[name] for name in ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT") if environ.get(name)]
    return ".".join([*run, *place]) or None


def _slurm_world(environ: Environment) -> str | None:
    job = environ.get("SLURM_JOB_ID") or environ.get("SLURM_JOBID")
    step = environ.get("SLURM_STEP_ID") or environ.get("SLURM_STEPID")
    # A batch script and salloc's shell have a number among the step's too, but are one process each.
    is_launch = step is not None and step.isdigit() and int(step) < _SLURM_SPECIAL_STEPS
    return f"{job}.{step}" if job and is_launch else None


def _variable(*names: str) -> Callable[[Environment], str | None]:
    return lambda environ: next((environ[name] for name in names if environ.get(name)), None)


def _number(environ: Environment, *names: str) -> int | None:
    """Return the first of the variables that is set, if it is a number that can be one of ranks."""
    text = next((environ[name] for name in names if environ.get(name)), "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


_FLUX = _Source(
    name="flux",
    rank="FLUX_TASK_RANK",
    size=("FLUX_JOB_SIZE",),
    local_rank=("FLUX_TASK_LOCAL_ID",),
    world=_variable("FLUX_JOB_ID"),
)
_PALS = _Source(
    name="pals",
    rank="PALS_RANKID",
    size=("PALS_SIZE", "PMI_SIZE"),
    local_rank=("PALS_LOCAL_RANKID",),
    world=_variable("PALS_APID"),
)
_SLURM = _Source(
    name="slurm",
    rank="SLURM_PROCID",
    size=("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"),
    local_rank=("SLURM_LOCALID",),
    world=_slurm_world,
    is_named_only=True,
)
_SOURCES = (
    _Source(
        name="pxshell",
        rank="PXSHELL_RANK",
        size=("PXSHELL_SIZE",),
        local_rank=("PXSHELL_LOCAL_RANK",),
        world=_variable("PXSHELL_WORLD"),
    ),
    _Source(
        name="torchrun",
        rank="RANK",
        size=("WORLD_SIZE",),
        local_rank=("LOCAL_RANK",),
        world=_torchrun_world,
    ),
    _Source(
        name="openmpi",
        rank="OMPI_COMM_WORLD_RANK",
        size=("OMPI_COMM_WORLD_SIZE",),
        local_rank=("OMPI_COMM_WORLD_LOCAL_RANK",),
        world=_variable("PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"),
    ),
    _Source(
        name="pmix",
        rank="PMIX_RANK",
        # PMIx answers the size over its socket only; Slurm, which starts most such programs, says it as well.
        size=("PMIX_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"),
        local_rank=("PMIX_LOCAL_RANK", "SLURM_LOCALID"),
        world=_variable("PMIX_NAMESPACE"),
    ),
    _Source(
        name="pmi",
        rank="PMI_RANK",
        size=("PMI_SIZE",),
        local_rank=("MPI_LOCALRANKID", "PMI_LOCAL_RANK", "PALS_LOCAL_RANKID"),
        world=lambda _: None,
    ),
    _Source(
        name="mvapich",
        rank="MV2_COMM_WORLD_RANK",
        size=("MV2_COMM_WORLD_SIZE",),
        local_rank=("MV2_COMM_WORLD_LOCAL_RANK",),
        world=_variable("MPIRUN_ID"),
    ),
    _PALS,
    _FLUX,
    _SLURM,
)
