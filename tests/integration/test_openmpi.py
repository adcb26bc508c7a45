"""Open MPI, in an environment of its own (both MPIs own bin/mpiexec): scene 1, a paused simulation, a dead rank."""

import json
import os
import subprocess

import environments
import pytest
import simulations

from pxshell import Cluster
from pxshell.session import Config, Session
from pxshell.testing.scripted import RecordingDisplay

PAUSES = 10
LIMIT_S = 90.0
#: What Open MPI asks of those who start it as root, and on fewer cores than ranks, by hand.
BY_HAND = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
}

pytestmark = [pytest.mark.openmpi, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def python():
    """The interpreter of the environment."""
    return environments.python_of("openmpi")


def run(python, *words, env=None):
    command = [python, *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S)


def pxshell(python, *words, cells=()):
    """Run the command with these cells; return what it said, and its exit status."""
    options = [word for cell in cells for word in ("-c", cell)]
    split = words.index("--") if "--" in words else len(words)
    done = run(python, "-m", "pxshell", *words[:split], "--json", *options, *words[split:])
    return [json.loads(line) for line in done.stdout.splitlines()], done


def results(said):
    return [(one["ranks"], one["text"]) for one in said if one["type"] == "execute_result"]


def test_ranks_of_open_mpi_make_one_world(python):
    """Scene 1: a reduction over all, a rank's number is its MPI rank, an odd rank."""
    cells = ["from mpi4py import MPI; comm = MPI.COMM_WORLD", "comm.allreduce(rank)", "comm.rank == rank"]
    said, done = pxshell(python, "--mpi=openmpi", "-n", "4", cells=[*cells, "rank == 3"])
    assert done.returncode == 0, done.stderr
    assert results(said) == [("0-3", "6"), ("0-3", "True"), ("0-2", "False"), ("3", "True")]


def test_a_simulation_on_open_mpi_is_paused_ten_times_of_ten(python, monkeypatch):
    """P5: the same line of the same step on all ranks, each time a later one; an undisturbed run's checksum."""
    mpiexec = python.with_name("mpiexec")
    # Ours is a front end in another environment: the ranks' Python is named, and their mpiexec is on PATH.
    monkeypatch.setenv("PATH", f"{mpiexec.parent}:{os.environ['PATH']}")
    display = RecordingDisplay()
    cluster = Cluster.start(4, launcher="mpi", mpi="openmpi", script=[str(python), *simulations.ENDLESS], hold=True)
    with cluster, Session(cluster.client(), display, Config(pause_deadline=LIMIT_S)) as session:
        client = cluster.client()
        assert client.request("px_start_request", {}, client.ranks).wait(LIMIT_S)
        steps = []
        for number in range(PAUSES):
            session.pause(sync="step")
            states = [client.states.of(rank) for rank in range(4)]
            assert {str(state.activity) for state in states} == {"paused"}, (number, states, display.events[-3:])
            assert len({(state.file, state.line, state.function, state.value) for state in states}) == 1, states
            steps.append(int(states[0].value))
            if number < PAUSES - 1:
                session.resume()
        made, checksum = simulations.state_of(session)
        cluster.stop(0.0)
    assert steps == sorted(set(steps)), steps
    assert checksum == simulations.undisturbed(mpiexec, python, made, **BY_HAND)


def test_the_peers_of_a_killed_rank_of_open_mpi_live_on(python):
    """P8: with ULFM its death is not that of its job; the others answer, and a restart brings it back."""
    started, done = pxshell(python, "start", "calm-fox", "--mpi=openmpi", "-n", "4")
    assert done.returncode == 0, done.stderr
    assert "with ULFM)" in started[-1]["text"]
    try:
        said, _ = pxshell(python, "attach", cells=["%pxsignal KILL -t 2"])
        assert ("2", "KILL sent to 2") in [(one["ranks"], one["text"]) for one in said]
        said, done = pxshell(python, "attach", cells=["%px -t 0-1,3 rank < 4"])
        assert done.returncode == 0, done.stderr
        assert results(said) == [("0-1,3", "True")]
        said, done = pxshell(python, "attach", cells=["%pxrestart", "rank < 4"])
        assert results(said) == [("0-3", "True")]
    finally:
        pxshell(python, "stop", "calm-fox")
