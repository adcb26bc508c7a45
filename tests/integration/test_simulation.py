"""A real simulation on 4 real MPI ranks: paused again and again, and none the worse."""

import os
import sys

import attack
import pytest
import simulations

from pxshell import Cluster
from pxshell.ranks import RankSet
from pxshell.session import Config, Session
from pxshell.testing.scripted import RecordingDisplay
from pxshell.testing.waiting import wait_until

#: How often the simulation is stopped at one step on all ranks. The issue asks for 50 of 50: in CI.
PAUSES = 50 if "CI" in os.environ else 20
LIMIT_S = 60.0

pytestmark = [pytest.mark.mpi, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def simulation():
    """A simulation that runs; give cluster, session and display."""
    with Cluster.start(4, launcher="mpi", script=simulations.ENDLESS, hold=True) as cluster:
        client, display = cluster.client(), RecordingDisplay()
        config = Config(pause_deadline=LIMIT_S, control_deadline=LIMIT_S)
        with Session(client, display, config) as session:
            client.ask("px_attend_request", {"stay": False})
            assert client.request("px_start_request", {}, client.ranks).wait(LIMIT_S)
            assert client.wait_until(lambda: len(client.states.where("busy")) == 4, LIMIT_S)
            yield cluster, session, display


def check_state(cluster, session, mpiexec):
    """Check that what the ranks that stand have computed is what an undisturbed run computes; ends the cluster."""
    made, checksum = simulations.state_of(session)
    cluster.stop(0.0)
    assert checksum == simulations.undisturbed(mpiexec, sys.executable, made)


def test_fifty_synchronised_pauses_are_all_at_one_step_and_change_nothing(simulation, mpiexec):
    """P5: same line, same step on all ranks, every time; the field is that of an undisturbed run."""
    cluster, session, display = simulation
    client = cluster.client()
    steps = []
    for number in range(PAUSES):
        session.pause(sync="step")
        states = [client.states.of(rank) for rank in range(4)]
        assert {str(state.activity) for state in states} == {"paused"}, (number, states, display.events[-3:])
        assert len({(state.file, state.line, state.function, state.value) for state in states}) == 1, (number, states)
        steps.append(int(states[0].value))
        if number < PAUSES - 1:
            session.resume()
            assert client.wait_until(lambda: not client.states.where("paused"), LIMIT_S), number
    assert steps == sorted(set(steps)), steps
    check_state(cluster, session, mpiexec)


def test_an_unsynchronised_pause_holds_all_and_changes_nothing(simulation, mpiexec):
    """P5: some ranks are paused, those that wait in MPI held, with the line where; all go on."""
    cluster, session, _ = simulation
    client = cluster.client()
    # Ranks that wait in MPI_Init for one that is paused before it hold the GIL: begin where all are past it.
    session.pause(sync="step")
    session.resume()
    assert client.wait_until(lambda: not client.states.where("paused"), LIMIT_S)

    def all_stand():
        # One that is held may only be slow to come out of MPI: some rank does, for not all wait for another one.
        paused = client.states.where("paused")
        return paused and len(paused | client.states.where("held")) == 4

    for _ in range(5):
        session.pause()
        wait_until(all_stand, LIMIT_S, lambda: f"all stand: {[client.states.of(rank) for rank in range(4)]}")
        for rank in range(4):
            state = client.states.of(rank)
            assert state.file.endswith(".py") and state.line > 0, state
        session.resume()
        assert client.wait_until(lambda: not client.states.where("paused") | client.states.where("held"), LIMIT_S)
    session.pause(sync="step")
    check_state(cluster, session, mpiexec)


def test_a_deadly_signal_to_a_part_of_a_world_needs_a_yes(simulation):
    """P8: the front end says first that the job will end; nothing is sent."""
    cluster, session, _ = simulation
    client = cluster.client()
    for what in ("KILL", "TERM"):
        with pytest.raises(Exception, match="--yes"):
            session.signal(what, RankSet.of(1))
    assert client.states.alive() == client.ranks
    assert set(attack.pids(client)) == {0, 1, 2, 3}
