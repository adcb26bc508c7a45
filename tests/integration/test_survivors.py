"""Open MPI with ULFM: the peers of a rank that dies live on, are inspectable, and can be freed and restarted."""

import os

import attack
import pytest

from pxshell import Cluster
from pxshell.session import Config, Session
from pxshell.testing.scripted import RecordingDisplay
from pxshell.testing.waiting import wait_until

pytestmark = [pytest.mark.openmpi, pytest.mark.slow, pytest.mark.timeout(180)]

LIMIT_S = 60.0
PROGRAM = """
import os, sys, time
import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD

def step(number):
    total = np.ones(1)
    if comm.rank == 1 and number == 5:
        os.kill(os.getpid(), 9)
    comm.Allreduce(MPI.IN_PLACE, total)
    return total

for number in range(10):
    step(number)
"""
DEADLOCK = """
import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
comm.Recv(np.zeros(1), source=1 - comm.rank)
"""


@pytest.fixture
def openmpi_python():
    """The interpreter of an environment with pxshell, mpi4py and Open MPI."""
    environments = pytest.importorskip("environments")
    return environments.python_of("openmpi")


@pytest.fixture
def run(openmpi_python, monkeypatch, tmp_path):
    """Start a program on ranks of Open MPI, held, and give a session on it."""
    monkeypatch.setenv("PATH", f"{openmpi_python.parent}:{os.environ['PATH']}")
    opened = []

    def start(text, size):
        (tmp_path / "sim.py").write_text(text)
        script = [str(openmpi_python), str(tmp_path / "sim.py")]
        cluster = Cluster.start(size, launcher="mpi", mpi="openmpi", script=script, hold=True, cwd=tmp_path)
        session = Session(cluster.client(), RecordingDisplay(), Config(watchdog=0.0))
        opened.append((cluster, session))
        session.hold(on=True)
        assert session.client.request("px_start_request", {}, session.world).wait(LIMIT_S)
        return session

    yield start
    for cluster, session in opened:
        session.close()
        cluster.stop(0.0)


def failed(session):
    return str(session.client.states.where("failed"))


def test_survivors_are_inspectable_and_a_restart_gives_all_their_numbers(run):
    """P8: a rank's death costs what lived in it; its peers raise, are kept, and answer; the numbers stay."""
    session = run(PROGRAM, 3)
    wait_until(lambda: failed(session) == "0,2", LIMIT_S, "the survivors have been told")
    # Its peers hear of its death from each other, and may before us.
    wait_until(lambda: str(session.client.states.where("dead")) == "1", LIMIT_S, "its death is known")
    state = attack.state(session.client, 0)
    assert (state.function, state.why) == ("step", "Exception: MPI_ERR_PROC_FAILED: Process Failure")
    assert set(session.pull("number", session.ranks("@failed")).values()) == {5}
    session.hold(on=False)
    session.restart()
    wait_until(lambda: str(session.client.states.where("dead")) == "1", LIMIT_S, "it has come to the same end")


def test_a_deadlocked_rank_is_freed_by_revoking_its_communicator(run):
    """The calls on it raise, on all ranks; nobody is ended."""
    session = run(DEADLOCK, 2)

    def is_freed():
        return bool(session.abort(session.ranks("0"))) or failed(session) == "0-1"

    wait_until(is_freed, LIMIT_S, "rank 0 waits, and is freed")
    wait_until(lambda: failed(session) == "0-1", LIMIT_S, "all have been told")
    assert "MPI_ERR_REVOKED" in attack.state(session.client, 1).why
