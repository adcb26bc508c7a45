"""Ranks that MPI does not know of each other: said once, when MPI starts, and nothing else changes."""

import os
import subprocess
import sys

import pytest

FINDERS = "import sys; print(len(sys.meta_path))"
ALONE = "from mpi4py import MPI; print(MPI.COMM_WORLD.Get_size())"
SLURM = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "0"}
TORCHRUN = {"RANK": "0", "WORLD_SIZE": "4", "MASTER_PORT": "1"}
LOCAL = {"PXSHELL_RANK": "0", "PXSHELL_SIZE": "4", "PXSHELL_WORLD": "w"}


def run(directory, code, **variables):
    """Run a script as a rank that another launcher started."""
    (directory / "sim.py").write_text(code + "\n")
    command = [sys.executable, "-m", "pxshell.engine", "sim.py"]
    done = subprocess.run(
        command, cwd=directory, env=os.environ | variables, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.mpi
@pytest.mark.parametrize(("variables", "advice"), [(SLURM, "start with srun --mpi=pmi2"), (LOCAL, "start with --mpi")])
def test_ranks_that_are_alone_in_mpi_are_told_why(tmp_path, variables, advice):
    """P10: one line on rank 0, with what to do; the program runs on as plain Python would."""
    done = run(tmp_path, ALONE, **variables)
    assert done.stdout == "1\n"
    assert done.stderr.startswith("pxshell: error: each of the 4 ranks sees an MPI world of 1: ")
    assert advice in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.mpi
def test_it_is_said_once_for_all_ranks(tmp_path):
    """The others are silent."""
    assert run(tmp_path, ALONE, **SLURM | {"SLURM_PROCID": "3"}).stderr == ""


@pytest.mark.mpi
def test_ranks_of_torchrun_need_no_mpi(tmp_path):
    """A library that loads MPI by the way is no fault."""
    assert run(tmp_path, ALONE, **TORCHRUN).stderr == ""


@pytest.mark.mpi
def test_a_program_that_starts_mpi_itself_is_left_alone(tmp_path):
    """`mpi4py.rc.initialize = False`: there is no world yet."""
    code = "import mpi4py; mpi4py.rc.initialize = False\nfrom mpi4py import MPI; print(MPI.Is_initialized())"
    done = run(tmp_path, code, **SLURM)
    assert (done.stdout, done.stderr) == ("False\n", "")


@pytest.mark.mpi
def test_the_watch_is_gone_after_the_import(tmp_path):
    """P5: the program has the finders that it would have."""
    plain = int(subprocess.check_output([sys.executable, "-c", f"{ALONE}; {FINDERS}"], text=True).split()[-1])
    assert int(run(tmp_path, f"{ALONE}; {FINDERS}", **SLURM).stdout.split()[-1]) == plain
