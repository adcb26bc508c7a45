"""A rank of an MPI world dies: who did it, how, and where its peers were."""

import signal
from pathlib import Path

import attack
import pytest

from pxshell import Cluster
from pxshell.protocol.stacktree import tree_of
from pxshell.ranks import RankSet
from pxshell.testing.waiting import wait_until

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(120)]

PROGRAM = """
import os, sys, time
import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD

def step(number):
    total = np.ones(1)
    if comm.rank == 1 and number == 5:
        while not os.path.exists(sys.argv[1]):
            time.sleep(0.01)
        {dies}
    comm.Allreduce(MPI.IN_PLACE, total)

for number in range(10):
    step(number)
"""

PEERS = RankSet([0, 2])
DEATHS = {"os._exit(7)": 7, "os.kill(os.getpid(), 11)": -signal.SIGSEGV}


@pytest.mark.parametrize("dies", DEATHS)
def test_the_first_to_die_is_named_and_its_peers_last_stacks_are_kept(tmp_path, dies):
    """P3, P8: MPICH's world ends with it, but not before each peer has said where it stood."""
    (tmp_path / "sim.py").write_text(PROGRAM.format(dies=dies))
    go = tmp_path / "go"
    with Cluster.start(3, launcher="mpi", script=["sim.py", str(go)], cwd=tmp_path) as cluster:
        client = cluster.client()
        assert client.wait_until(lambda: len(client.states.where("busy")) == 3, 30)
        wait_until(lambda: calls_of(client, PEERS) == {"Allreduce"}, 30, "the peers wait in Allreduce")
        go.touch()
        assert client.wait_until(lambda: client.states.where("dead") == client.ranks, 60), client.states.groups()
        first = attack.state(client, 1)
        assert first.reason == ""
        # Under load mpiexec reaps it before the node has looked.
        assert first.exit in (DEATHS[dies], None)
        for rank in PEERS:
            state = attack.state(client, rank)
            log = (cluster.directory / "logs" / f"rank-{rank}.log").read_text()
            assert state.reason == "world"
            if state.why == "ended with rank 1":
                continue  # MPICH itself has ended it, before it could answer
            assert state.why == "ended with rank 1, in MPI Allreduce"
            assert (Path(state.file).name, state.function) == ("sim.py", "step")
            assert "pxshell: rank 1 " in log
            assert log.endswith("in step\n  in MPI Allreduce\n")


def calls_of(client, ranks):
    """Return the calls that ranks wait in."""
    request = client.request("px_stacks_request", {"full": False}, ranks)
    assert request.wait(attack.FOREVER)
    return {stack.end.call for stack in tree_of((one.ranks, one.data()) for one in request.messages).stacks()}
