"""Failed ranks: what is said of them and of their peers, and how they are looked at and let go."""

import threading
import time

import pytest

from pxshell.errors import DeadlineError, UsageError
from pxshell.protocol.state import Activity, RankState
from pxshell.ranks import RankSet
from pxshell.session.failed import failure_text
from pxshell.testing.scripted import Said, replies
from pxshell.testing.waiting import wait_until

PLACE = {"file": "/home/me/sim.py", "line": 91, "function": "step"}
FAILED = {"activity": "failed", "reason": "exception", "pause": "failure-1", "why": "ValueError: no mass", **PLACE}
TAUGHT = (
    "3 is kept, its finally and with blocks have run.  "
    "Look: %pxfocus @failed   Let its exception go on: %pxsignal resume\n"
)
ALLREDUCE = ["MPI", "Allreduce", "", True, "", False]


@pytest.fixture
def running(make_stage):
    stage = make_stage(name="sim-1", mpi="MPICH 5.0.2", script="sim.py", started=time.time())
    stage.client.set_state("0-3", activity="busy", cell="run")
    stands(stage.client)
    return stage


def stands(client, *, end=ALLREDUCE, moves=False, line=90):
    """Let ranks stand in a call, or move."""
    looks = {}

    def answer(asked):
        watch = asked.content.get("watch")
        looks[watch] = looks.get(watch, -1) + 1
        still = 0 if moves else looks[watch]
        entries = [["/home/me/sim.py", line, "step", True]]
        yield Said("px_stacks_reply", {"status": "ok", "entries": entries, "end": [*end, still]})

    client.on("px_stacks_request", answer)


def fail(stage, ranks="3", cell="run", **more):
    stage.client.set_state(ranks, cell=cell, **FAILED | more)


def told(stage, text):
    """Wait until this has been shown, and return all that was."""
    seen = []

    def is_there():
        seen.append(stage.shown())
        return text in "".join(seen)

    wait_until(is_there, 60, lambda: f"{text!r} is shown; so far {''.join(seen)!r}")
    return "".join(seen)


def test_a_failure_is_told_with_its_place_and_the_peers_that_wait_for_it(running):
    """P3: who failed, where and why; who waits for it, and in what."""
    fail(running)
    shown = told(running, "wait for it")
    assert shown == (
        "3 failed at sim.py:91 in step: ValueError: no mass\n" + TAUGHT + "0-2 wait for it in Allreduce, sim.py:90\n"
    )
    assert running.session.prompt_text() == "px[0-3] failed sim.py:91+running"
    assert "[3]    failed   sim.py:91 in step: ValueError: no mass" in rows(running)


def rows(stage):
    stage.session._desk.show(stage.session.status())
    return stage.shown()


class Gate(threading.Event):
    """An event for which nobody has waited long enough before the test says so."""

    def __init__(self):
        super().__init__()
        self.is_open = threading.Event()

    def wait(self, timeout=None):
        self.is_open.wait(60)
        return self.is_set()


def test_equal_failures_are_told_together_and_others_apart(running):
    """P4: folded by place and exception."""
    running.session._notices._failures._closed = gathering = Gate()
    fail(running, "1-2")
    fail(running, "3", why="KeyError: 'u'", line=95)
    fail(running, "0")
    gathering.is_open.set()
    shown = told(running, "are kept")
    assert shown.startswith(
        "0-2 failed at sim.py:91 in step: ValueError: no mass\n3 failed at sim.py:95 in step: KeyError: 'u'\n"
        "0-3 are kept, their finally and with blocks have run.  "
        "Look: %pxfocus @failed   Let their exceptions go on: %pxsignal resume\n"
    )


def test_a_failure_is_told_once_though_its_state_comes_again(running):
    """With each cell there; but a new process may fail again."""
    fail(running)
    told(running, "wait for it")
    fail(running)
    running.client.set_state("3", activity="starting")
    fail(running, why="ValueError: again")
    assert told(running, "wait for it").startswith(
        "3 started anew\n3 failed at sim.py:91 in step: ValueError: again\n0-2 wait"
    )


def test_peers_that_move_and_peers_in_no_call_are_not_said_to_wait(running):
    """P4: nothing is claimed that is not known."""
    stands(running.client, moves=True)
    fail(running)
    told(running, "is kept")
    running.session._notices._failures.close()
    assert "wait" not in running.shown()


def test_a_peer_that_comes_to_wait_later_is_told_then(running):
    """P3: it may compute for a while before it needs the failed rank; each is told once."""
    running.session._notices._failures._between = 0.01
    moving = {"2"}

    def answer(asked):
        looks[asked.content["watch"]] = looks.get(asked.content["watch"], -1) + 1
        for rank in asked.ranks:
            still = 0 if str(rank) in moving else looks[asked.content["watch"]]
            entries = [["/home/me/sim.py", 90, "step", True]]
            yield Said("px_stacks_reply", {"status": "ok", "entries": entries, "end": [*ALLREDUCE, still]}, str(rank))

    looks = {}
    running.client.on("px_stacks_request", answer)
    fail(running)
    assert "0-1 wait for it in Allreduce, sim.py:90\n" in told(running, "wait for it")
    moving.clear()
    assert told(running, "wait") == "2 waits for it in Allreduce, sim.py:90\n"


def test_peers_that_stand_in_no_call_that_is_known_are_said_to_stand(running):
    stands(running.client, end=["", "", "", False, "", False])
    fail(running)
    assert "0-2 stand at sim.py:90\n" in told(running, "stand at")


def test_a_cell_runs_in_the_frames_of_a_failed_rank(running, say):
    """Its place is that of its failure."""
    fail(running)
    running.session.set_focus("@failed")
    running.on_cell("u.min()", say.result("-0.5", "3"))
    assert running.session.run_cell("u.min()").status == "ok"
    (asked,) = running.client.asked_for("execute_request")
    assert asked.content["places"] == [["frame:failure-1", "3"]]
    assert running.session.prompt_text() == "px[3] failed sim.py:91"


def resumes(stage):
    def resumed(asked):
        yield Said("px_resume_reply", {"outcome": "resumed"})
        stage.client.set_state(asked.ranks, activity="busy", cell="run")

    stage.client.on("px_resume_request", resumed)


def test_a_resume_that_names_nobody_lets_no_exception_go_on_while_others_are_paused(running):
    """It may end the job: not by a word that was meant for the others."""
    fail(running)
    told(running, "wait for it")
    resumes(running)
    running.client.set_state("0-2", activity="held", cell="run", pause="p1")
    assert str(running.session.resume()) == "0-2"
    assert running.shown() == (
        "0-2 resumed\n3 has failed, and stays.  Let the exception go on: %pxsignal resume -t 3\n"
    )
    assert str(running.session.resume()) == "3"
    assert running.shown() == "3 resumed\n"


def test_a_failed_rank_that_ends_before_it_can_say_so_has_gone_on(running):
    """Its own hook may end it."""

    def gone(asked):
        running.client.set_state(asked.ranks, activity="busy", liveness="dead", exit=5)
        yield Said("px_missing", {"why": "ended: exit 5", "state": "dead"})

    fail(running)
    running.client.on("px_resume_request", gone)
    assert str(running.session.resume(RankSet.of(3))) == "3"
    assert "3 resumed\n" in told(running, "resumed")


def test_failed_ranks_are_left_out_of_a_pause(running):
    """They stand already."""
    fail(running)
    told(running, "wait for it")

    def held(asked):
        running.client.set_state(asked.ranks, activity="held", cell="run", pause=asked.content["pause"], **PLACE)
        yield Said("px_pause_reply", {"outcome": "held"})

    running.client.on("px_pause_request", held)
    assert str(running.session.pause().held) == "0-2"
    with pytest.raises(UsageError, match="nothing to pause: 3 has failed, and stand"):
        running.session.pause(RankSet.of(3))


def test_post_stops_in_the_frames_of_the_last_failed_cell(stage):
    """`%pxdebug post`: who stands where; who has nothing to look at, and why."""

    def post(asked):
        assert asked.content["places"] == [["idle", "0-3"]]
        place = {"file": "<px cell 4>", "line": 2, "function": "half"}
        stage.client.set_state("0-2", cell=asked.id, **FAILED | place)
        yield Said("px_post_reply", {"status": "ok"}, "0-2")
        yield Said("px_post_reply", {"status": "refused", "why": "no cell has raised here"}, "3")

    stage.client.on("px_post_request", post)
    assert str(stage.session.post()) == "0-2"
    assert stage.shown() == (
        "0-2 failed at cell 4, line 2 in half: ValueError: no mass\n3 not looked at: no cell has raised here\n"
    )
    with pytest.raises(UsageError, match="nothing to look at: 3: no cell has raised here"):
        stage.client.on(
            "px_post_request", replies("px_post_reply", (None, {"status": "refused", "why": "no cell has raised here"}))
        )
        stage.session.post(RankSet.of(3))


def test_to_hold_what_fails_is_asked_of_the_cluster(stage):
    """`%pxconfig --hold on|off`."""
    stage.client.on("px_attend_request", replies("px_attend_reply", (None, {"status": "ok"})))
    stage.session.hold(on=True)
    stage.session.hold(on=False)
    assert [one.content for one in stage.client.asked_for("px_attend_request")] == [{"hold": True}, {"hold": False}]
    assert stage.session.config.hold is False
    stage.client.on("px_attend_request", lambda asked: [])
    with pytest.raises(DeadlineError):
        stage.session.hold(on=True)
    assert stage.session.config.hold is False


OUTCOMES = {
    "3 freed from Recv: CallAbortedError is raised there\n": {"outcome": "aborted", "call": "Recv"},
    "3 freed from Recv: MPI_COMM_WORLD is revoked, every call on it raises, on all ranks\n": {
        "outcome": "revoked", "call": "Recv", "name": "MPI_COMM_WORLD",
    },
    "3 not freed: it waits in no call of MPI\n": {"outcome": "idle", "why": "it waits in no call of MPI"},
    "3 not freed: its MPI frees nobody.  Only a restart helps: %pxrestart\n": {
        "outcome": "refused", "why": "its MPI frees nobody",
    },
}  # fmt: skip


@pytest.mark.parametrize("line", OUTCOMES)
def test_a_rank_is_freed_from_its_call_or_it_is_said_why_not(running, line):
    """P10: what became of it, and what helps."""
    running.client.on("px_abort_request", replies("px_abort_reply", (None, OUTCOMES[line])))
    freed = running.session.abort(RankSet.of(3))
    assert running.shown() == line
    assert str(freed) == ("3" if "freed from" in line else "")


def test_ranks_that_ended_with_their_world_are_told_with_where_they_stood(running):
    """P3: which rank did it, how, and where its peers were."""
    world = {"activity": "busy", "liveness": "dead", "reason": "world", "exit": -9}
    running.client.set_state("3", activity="busy", liveness="dead", exit=-11, why="ended: signal 11 (SEGV)")
    for ranks in ("0", "1", "2"):
        running.client.set_state(ranks, why="ended with rank 3, in MPI Allreduce", **world, **PLACE)
    assert running.gathered() == (
        "3 died: signal 11 (SEGV)\n0-2 ended with rank 3, in MPI Allreduce at sim.py:91 in step\n"
    )
    assert "[0-2]  dead  ended with rank 3, in MPI Allreduce, at sim.py:91 in step" in rows(running)


def test_a_failure_in_a_long_text_is_one_line():
    state = RankState(Activity.FAILED, why="ValueError: \x1b[31mred", **PLACE)
    assert failure_text(RankSet.of(1), state) == "1 failed at sim.py:91 in step: ValueError: red"
