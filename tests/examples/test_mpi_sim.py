"""Tests of the example simulation, on real MPI ranks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pxshell.testing.waiting import wait_until

EXAMPLE = Path(__file__).parents[2] / "examples" / "mpi_sim"

pytestmark = pytest.mark.mpi


def run_example(mpiexec, ranks, *arguments):
    """Run the example on real ranks; return the finished process."""
    command = [mpiexec, "-n", str(ranks), sys.executable, str(EXAMPLE / "sim.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("ranks", [1, 2, 4, 5])
def test_mass_is_conserved_and_the_checksum_reproduced_on_any_number_of_ranks(mpiexec, ranks):
    """P5 rests on it: two undisturbed runs have one checksum."""
    arguments = ("--steps", "40", "--size", "37", "--every", "15", "--check")
    first, second = (run_example(mpiexec, ranks, *arguments) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    lines = ["step 15  mass 4096.000", "step 30  mass 4096.000", "step 40  mass 4096.000  checksum [0-9a-f]{8}"]
    assert re.fullmatch("\n".join(lines).replace(".", r"\.") + "\n", first.stdout)
    assert first.stdout == second.stdout


def test_the_water_moves(mpiexec):
    """Different numbers of steps have different checksums."""
    checksums = {run_example(mpiexec, 1, "--steps", steps).stdout.split()[-1] for steps in ("1", "2", "30")}
    assert len(checksums) == 3


def test_a_planted_nan_shows_in_the_mass_from_its_step_on_and_stays_quiet(mpiexec):
    run = run_example(mpiexec, 4, "--steps", "4", "--every", "1", "--nan-at", "3,3")
    assert (run.returncode, run.stderr) == (0, "")
    masses = [line.split()[3] for line in run.stdout.splitlines()]
    assert masses == ["4096.000", "4096.000", "nan", "nan"]


def test_a_changed_mass_fails_the_check(mpiexec):
    run = run_example(mpiexec, 2, "--steps", "4", "--nan-at", "1,2", "--check")
    assert run.returncode == 1
    assert "the mass was 4096.000 and is nan" in run.stderr


REPAIR = """
import numpy, sim
from mpi4py import MPI

def advance():
    for _ in range(20):
        sim.advance(cart, u, vx, vy, 0.3)

cart = MPI.COMM_SELF.Create_cart([1, 1])
u = sim.initial_height(cart, sim.own_block(cart, 64), 1.0)
vx, vy = numpy.zeros((65, 64)), numpy.zeros((64, 65))
advance()
sim.plant_fault(u)
advance()
print(numpy.isnan(u).sum())
u[numpy.isnan(u)] = 1.0
mass = sim.total_mass(cart, u, 1.0)
advance()
print(numpy.isnan(u).sum(), abs(sim.total_mass(cart, u, 1.0) - mass) < 1e-9, u.min() > 0.5, u.max() < 1.5)
"""


def test_a_fault_stays_where_it_was_planted_and_repairing_the_height_repairs_the_run():
    """Scene 2 rests on it: the NaN is found on one rank, and one assignment to u ends it."""
    run = subprocess.run([sys.executable, "-c", REPAIR], cwd=EXAMPLE, capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr) == ("481\n0 True True True\n", "")


def test_hang_waits_in_an_allreduce_and_a_receive(mpiexec, tmp_path):
    """Scene 3 rests on it: the program does not end, and every rank says where it went before."""
    command = [mpiexec, "-n", "4", sys.executable, str(EXAMPLE / "hang.py")]
    said = tmp_path / "said"
    with said.open("w") as output, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output) as job:
        try:
            wait_until(lambda: len(said.read_text().splitlines()) == 4, 60, said.read_text)
            assert said.read_text().count(" sums 4 values") == 3
            assert said.read_text().count("rank 3 waits for rank 1") == 1
            with pytest.raises(subprocess.TimeoutExpired):
                job.wait(0.5)
        finally:
            job.terminate()
