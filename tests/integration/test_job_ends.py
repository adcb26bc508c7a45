"""KILL and TERM to a part of a real MPICH world: refused without --yes, and what becomes of each rank with it."""

import pytest

from pxshell.cluster import Cluster
from pxshell.errors import UsageError
from pxshell.ranks import RankSet
from pxshell.render import Refusal
from pxshell.session import Session
from pxshell.testing.scripted import RecordingDisplay
from pxshell.testing.waiting import wait_until

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(120)]


def lines(display, word):
    return {(str(event.ranks), event.text) for event in list(display.events) if word in getattr(event, "text", "")}


def told(display):
    """Return the ranks whose end is told: that of the one that was signalled, and of those that ended with it."""
    ended = RankSet()
    for ranks, _ in lines(display, "died") | lines(display, "ended with rank 1"):
        ended |= RankSet.parse_folded(ranks)
    return str(ended)


@pytest.mark.parametrize("name", ["KILL", "TERM"])
def test_a_part_of_an_mpich_world_ends_with_all_of_it_after_a_yes(name):
    """P8, P3: the front end says first that the job will end; then every rank is accounted for, with the reason."""
    cluster = Cluster.start(3, launcher="mpi")
    try:
        client, display = cluster.client(), RecordingDisplay()
        with Session(client, display) as session:
            assert session.run_cell("from mpi4py import MPI; MPI.COMM_WORLD.Barrier()").status == "ok"
            with pytest.raises(UsageError) as not_sent:
                session.signal(name, RankSet.of(1))
            hint = f"0,2 end with it.  All the same: %pxsignal {name} --yes -t 1"
            assert f"not sent: {name} to 1 ends the whole MPICH" in str(not_sent.value)
            assert str(not_sent.value).endswith(hint)
            assert str(client.states.alive()) == "0-2"
            assert session.run_cell("MPI.COMM_WORLD.allreduce(1)").status == "ok"

            assert str(session.signal(name, RankSet.of(1), yes=True)) == "1"
            assert client.wait_until(lambda: not client.shown_states.alive(), 30)
            wait_until(lambda: told(display) == "0-2", 30, lambda: f"the end of every rank is told: {display.events}")
            assert lines(display, f"{name} sent") == {("1", f"{name} sent to 1")}
            # Its status is known where we could read it before mpiexec did.
            for ranks, text in lines(display, "died"):
                assert name in text, (ranks, text)
            # A cell that comes afterwards is refused with the same reason, and the way on.
            display.events.clear()
            assert session.run_cell("1").status == "refused"
            (refused,) = (event for event in display.events if isinstance(event, Refusal))
            assert "%pxrestart" in refused.why
            session.restart()
            assert session.run_cell("rank").status == "ok"
    finally:
        cluster.stop(0.0)
