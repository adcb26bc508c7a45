"""A rank finds its place in whatever its launcher put into the environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from pxshell.rendezvous.discovery import Placement, discover, launcher_variables
from pxshell.rendezvous.processes import Ancestor

HYDRA = [
    (77, ["python", "sim.py"]),
    (76, ["/usr/bin/hydra_pmi_proxy", "--control-port", "n1:45939", "--rmk", "user", "--pgid", "0", "--proxy-id", "0"]),
]
PMI = {"PMI_RANK": "1", "PMI_SIZE": "4", "PMI_FD": "9", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "4"}
SLURM_STEP = {
    "SLURM_JOB_ID": "12",
    "SLURM_STEP_ID": "3",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "0",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_NTASKS": "8",
}
TORCHRUN = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "n1",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RUN_ID": "none",
    "TORCHELASTIC_RESTART_COUNT": "2",
}
OPENMPI = {
    "OMPI_COMM_WORLD_RANK": "3",
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "PMIX_RANK": "3",
    "PMIX_NAMESPACE": "prterun-n1-4242@1",
}
PMIX_IN_SLURM = {**SLURM_STEP, "PMIX_RANK": "1", "PMIX_NAMESPACE": "slurm.pmix.12.3"}
MVAPICH = {"MV2_COMM_WORLD_RANK": "0", "MV2_COMM_WORLD_SIZE": "2", "MV2_COMM_WORLD_LOCAL_RANK": "0", "MPIRUN_ID": "991"}
PALS = {"PALS_RANKID": "6", "PALS_LOCAL_RANKID": "2", "PMI_SIZE": "8", "PALS_APID": "a-b-c"}
FLUX = {"FLUX_TASK_RANK": "0", "FLUX_JOB_SIZE": "2", "FLUX_TASK_LOCAL_ID": "0", "FLUX_JOB_ID": "f2x"}
OWN = {"PXSHELL_RANK": "2", "PXSHELL_SIZE": "4", "PXSHELL_LOCAL_RANK": "0", "PXSHELL_WORLD": "token"}


def found(environ: dict[str, str], above: list[Ancestor] | None = None) -> Placement | None:
    """Return the place in a made-up environment, below made-up processes."""
    return discover(environ, lambda: above or [])


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (TORCHRUN, Placement(5, 8, 1, "torchrun-none.2.n1.29500", "torchrun")),
        (OPENMPI, Placement(3, 4, 1, "openmpi-prterun-n1-4242@1", "openmpi")),
        (PMIX_IN_SLURM, Placement(1, 4, 0, "pmix-slurm.pmix.12.3", "pmix")),
        (MVAPICH, Placement(0, 2, 0, "mvapich-991", "mvapich")),
        (PALS, Placement(6, 8, 2, "pals-a-b-c", "pals")),
        (FLUX, Placement(0, 2, 0, "flux-f2x", "flux")),
        (SLURM_STEP, Placement(1, 4, 0, "slurm-12.3", "slurm")),
        (OWN, Placement(2, 4, 0, "token", "pxshell")),
        ({**PMI, **SLURM_STEP}, Placement(1, 4, 1, "pmi-12.3", "pmi")),
        ({**PMI, **FLUX, "FLUX_TASK_RANK": "1", "FLUX_JOB_SIZE": "4"}, Placement(1, 4, 1, "pmi-f2x", "pmi")),
    ],
    ids=["torchrun", "openmpi", "pmix", "mvapich", "pals", "flux", "slurm", "pxshell", "slurm-pmi2", "flux-pmi"],
)
def test_each_launcher_is_understood(environ: dict[str, str], expected: Placement) -> None:
    """Rank, size, local rank and world, without asking MPI."""
    assert found(environ) == expected


def test_the_innermost_launcher_counts() -> None:
    """Where several have left their variables: ours, torchrun, MPI, and Slurm, which is around all, last."""
    everything = {**SLURM_STEP, **FLUX, **MVAPICH, **PMI, **OPENMPI, **TORCHRUN, **OWN}
    order = []
    openmpi = {name for name in OPENMPI if name.startswith("OMPI_")}
    for variables in (OWN, TORCHRUN, openmpi, {"PMIX_RANK"}, PMI, MVAPICH, FLUX, SLURM_STEP):
        placement = found(everything)
        assert placement is not None
        order.append(placement.source)
        everything = {name: value for name, value in everything.items() if name not in variables}
    assert order == ["pxshell", "torchrun", "openmpi", "pmix", "pmi", "mvapich", "flux", "slurm"]


def test_our_launchers_token_names_the_world_whoever_numbers_the_ranks() -> None:
    """When pxshell starts mpiexec, the ranks' numbers are Hydra's and the world is ours."""
    assert found({**PMI, "PXSHELL_WORLD": "token"}, HYDRA) == Placement(1, 4, 1, "token", "pmi")


def test_hydra_worlds_are_named_by_where_mpiexec_listens() -> None:
    """All ranks of a launch share that, on all machines; two launches do not."""
    placement = found(PMI, HYDRA)
    assert placement == Placement(1, 4, 1, "pmi-n1:45939.0", "pmi")
    assert found({**PMI, "PMI_RANK": "2"}, HYDRA[1:]) == Placement(2, 4, 1, "pmi-n1:45939.0", "pmi")


def test_ranks_that_were_spawned_are_a_world_of_their_own() -> None:
    """MPI_Comm_spawn gives new ranks numbers from 0 again, in another process group."""
    spawned = [(76, [argument if argument != "0" else "1" for argument in HYDRA[1][1]])]
    placement = found(PMI, spawned)
    assert placement is not None
    assert placement.world == "pmi-n1:45939.1"


def test_a_launch_inside_a_job_step_is_not_that_step() -> None:
    """The ranks of mpiexec in an allocation are not the step's tasks, so the step does not name them."""
    placement = found({**PMI, **SLURM_STEP, "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, [(55, ["mpiexec"])])
    assert placement is not None
    assert placement.world.endswith(".55")


def test_a_launch_without_any_name_is_named_by_its_parent() -> None:
    """Ranks of one parent on one machine are together."""
    first, second = found(PMI, [(55, ["mpiexec"])]), found(PMI, [(56, ["mpiexec"])])
    assert first is not None
    assert second is not None
    assert first.world != second.world
    alone = found(PMI)
    assert alone is not None
    assert alone.world.endswith(f".{os.getppid()}")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"RANK": "0"},
        {"RANK": "x", "WORLD_SIZE": "2"},
        {"RANK": "2", "WORLD_SIZE": "2"},
        {"RANK": "-1", "WORLD_SIZE": "2"},
        {"RANK": "0", "WORLD_SIZE": "0"},
        {"RANK": "0", "WORLD_SIZE": "9" * 30},
        {"PMIX_RANK": "0", "PMIX_NAMESPACE": "x"},
    ],
)
def test_incomplete_or_impossible_variables_are_no_launch(environ: dict[str, str]) -> None:
    """People use such names for other things too: their program runs on, alone."""
    assert found(environ) is None


@pytest.mark.parametrize("step", [None, "batch", "4294967291", "4294967290"])
def test_a_batch_script_is_not_a_rank(step: str | None) -> None:
    """Slurm sets rank 0 of N around one process, too."""
    environ = {**SLURM_STEP, "SLURM_PROCID": "0", "SLURM_STEP_ID": step or ""}
    assert found(environ) is None


def test_torchrun_restarts_are_new_worlds() -> None:
    """After a restart the ranks are new processes, and the old ones must not meet them."""
    before, after = found(TORCHRUN), found({**TORCHRUN, "TORCHELASTIC_RESTART_COUNT": "3"})
    assert before is not None
    assert after is not None
    assert before.world != after.world


def test_launcher_variables_are_all_that_discovery_reads() -> None:
    """A process without them finds no place, and keeps everything else."""
    everything = {**OWN, **TORCHRUN, **OPENMPI, **PMI, **MVAPICH, **PALS, **FLUX, **PMIX_IN_SLURM}
    environ = {**everything, "PATH": "/bin", "SLURM_CONF": "/etc/slurm", "PXSHELL_DIR": "/x", "ROLE_MODEL": "me"}
    names = launcher_variables(environ)
    rest = {name: value for name, value in environ.items() if name not in names}
    assert found(rest) is None
    assert set(rest) == {"PATH", "SLURM_CONF", "PXSHELL_DIR", "ROLE_MODEL", "SLURM_JOB_ID", "SLURM_NTASKS"}


@pytest.mark.mpi
def test_real_mpich_ranks_share_a_world_and_launches_do_not(mpiexec: str) -> None:
    """Under a real mpiexec, through a shell as well, two launches of one machine are told apart."""
    # In one write: mpiexec mixes what ranks write, and with $PYTHONUNBUFFERED print writes word for word.
    code = """
import os
from pxshell.rendezvous.discovery import discover
found = discover()
os.write(1, f"{found.rank} {found.size} {found.local_rank} {found.world}\\n".encode())
"""
    wrapped = ["sh", "-c", '"$0" "$@"; exit $?', sys.executable, "-c", code]
    worlds = []
    for command in ([sys.executable, "-c", code], wrapped):
        done = subprocess.run([mpiexec, "-n", "3", *command], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), done
        lines = sorted(done.stdout.splitlines())
        assert [re.sub(r" \S+$", "", line) for line in lines] == ["0 3 0", "1 3 1", "2 3 2"]
        assert len({line.split()[-1] for line in lines}) == 1
        worlds.append(lines[0].split()[-1])
    assert worlds[0] != worlds[1]
