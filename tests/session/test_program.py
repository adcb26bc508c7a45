"""Tests of pauses, signals, notices, data and looking: what a session does with the program on the ranks."""

import pickle
import re
import time

import numpy as np
import pytest
from clocks import ticking

from pxshell.errors import DeadlineError, RefusedError, UsageError
from pxshell.protocol.state import EDITOR_BREAKPOINT
from pxshell.ranks import RankSet
from pxshell.render import Answer, CellAnswers
from pxshell.session.data import describe
from pxshell.session.results import Results
from pxshell.testing.scripted import Said, replies
from pxshell.testing.waiting import wait_until

PLACE = {"file": "/home/me/sim.py", "line": 87, "function": "main"}


@pytest.fixture
def running(make_stage):
    stage = make_stage(name="sim-1", mpi="MPICH 5.0.2", script="sim.py", started=time.time())
    stage.client.set_state("0-3", activity="busy", cell="run")
    return stage


@pytest.fixture
def slow_clock(monkeypatch):
    """Let the time of a pause pass by 5 ms whenever it is looked at."""
    ticking(monkeypatch, "pxshell.session.pausing", 0.005)


def stop_at(client, ranks, pause, value=None, **more):
    client.set_state(ranks, activity="paused", cell="run", pause=pause, value=value, **{**PLACE, **more})


# Pauses.


def test_a_synchronised_pause_waits_for_the_loop_and_aims_again_when_passed(running):
    """The script has not reached its loop yet; then one rank is faster than the first target."""
    values = iter([None, 10, 50])
    outcomes = iter(["passed", "pending"])

    def probe(asked):
        value = next(values)
        content = (
            {"status": "error", "why": "NameError"} if value is None else {"status": "ok", "value": value, **PLACE}
        )
        return [Said("px_probe_reply", content)]

    def arm(asked):
        outcome = next(outcomes)
        if outcome == "pending":
            stop_at(running.client, "0-3", asked.content["pause"], asked.content["target"])
        return [Said("px_pause_reply", {"outcome": outcome})]

    running.client.on("px_probe_request", probe)
    running.client.on("px_pause_request", arm)
    running.client.on("px_resume_request", replies("px_resume_reply", (None, {"outcome": "resumed"})))
    outcome = running.session.pause(sync="step")
    assert (outcome.stop.value, str(outcome.paused)) == (54, "0-3")
    first, second = running.client.asked_for("px_pause_request")
    assert (first.content["target"], second.content["target"]) == (12, 54)
    assert {key: first.content[key] for key in ("mode", "expression", "file", "function")} == {
        "mode": "sync", "expression": "step", "file": "/home/me/sim.py", "function": "main",
    }  # fmt: skip
    assert running.client.asked_for("px_resume_request")[0].content == {"pause": first.content["pause"]}


def test_a_pause_whose_expression_never_has_a_value_is_given_up(running, slow_clock):
    """Control commands have deadlines, and the program runs on."""
    why = {"status": "error", "why": "NameError: name 'stop' is not defined"}
    running.client.on("px_probe_request", replies("px_probe_reply", (None, why)))
    with pytest.raises(DeadlineError, match=r"pause --sync stop: not done within 0.1 s; missing: 0-3: NameError"):
        running.session.pause(sync="stop", deadline=0.1)
    assert running.client.asked_for("px_pause_request") == []


def test_a_pause_without_time_to_set_a_target_says_so(running):
    """P3: everyone accounted for, also when the time is over between two questions."""
    running.client.on("px_probe_request", replies("px_probe_reply", (None, {"status": "ok", "value": 1, **PLACE})))
    why = "missing: 0-3: no step to stop at was set in time; the program runs on"
    with pytest.raises(DeadlineError, match=why):
        running.session.pause(sync="step", deadline=0)
    assert running.client.asked_for("px_pause_request") == []


def test_ranks_that_are_armed_but_do_not_arrive_are_let_go(running, slow_clock):
    running.client.on("px_probe_request", replies("px_probe_reply", (None, {"status": "ok", "value": 1, **PLACE})))
    running.client.on("px_pause_request", replies("px_pause_reply", (None, {"outcome": "pending"})))
    running.client.on("px_resume_request", replies("px_resume_reply", (None, {"outcome": "resumed"})))
    with pytest.raises(DeadlineError, match="it has not reached the step; the program runs on"):
        running.session.pause(sync="step", deadline=0.1)
    assert len(running.client.asked_for("px_resume_request")) == 1


def test_a_rank_that_takes_no_notice_is_told_with_its_place(running, slow_clock):
    """At 2 a.m.: `it does not answer` sounds like an accident; it is asleep, and here is where."""
    running.session.config.progress_after = 0.0
    running.session.config.control_deadline = 0.05
    running.client.on("px_probe_request", replies("px_probe_reply", (None, {"status": "ok", "value": 1, **PLACE})))
    running.client.on("px_pause_request", replies("px_pause_reply", ("0-2", {"outcome": "pending"})))
    running.client.on("px_resume_request", replies("px_resume_reply", (None, {"outcome": "resumed"})))
    asleep = {
        "entries": [["/home/me/sim.py", 40, "wait", True]],
        "end": ["", "", "", False, "in time.sleep", False, -1],
    }
    running.client.on("px_stacks_request", replies("px_stacks_reply", (None, asleep)))
    why = "missing: 3: it is in time.sleep, sim.py:40; the program runs on.  See: %pxdebug stacks"
    with pytest.raises(DeadlineError, match=f"{why}$"):
        running.session.pause(sync="step", deadline=0.3)
    waits = [one.where for one in running.display.progresses if one is not None]
    assert "(step: it is in time.sleep, sim.py:40)" in waits


def test_ranks_that_are_let_go_are_not_told_as_paused(running, slow_clock, monkeypatch):
    """P3: the state of a rank that goes on comes beside its reply, and is waited for."""

    def arm(asked):
        yield Said("px_pause_reply", {"outcome": "pending"})
        stop_at(running.client, "0-2", asked.content["pause"], asked.content["target"])

    def go_on(_):
        subscribe = running.client.subscribe

        def late(callback):
            end = subscribe(callback)
            running.client.set_state("0-2", activity="busy", cell="run")
            return end

        monkeypatch.setattr(running.client, "subscribe", late)
        return [Said("px_resume_reply", {"outcome": "resumed"})]

    running.client.on("px_probe_request", replies("px_probe_reply", (None, {"status": "ok", "value": 1, **PLACE})))
    running.client.on("px_pause_request", arm)
    running.client.on("px_resume_request", go_on)
    with pytest.raises(DeadlineError, match="missing: 3: it has not reached the step; the program runs on"):
        running.session.pause(sync="step", deadline=0.1)


def test_a_rank_that_ends_ends_the_pause(running):
    def probe(asked):
        running.client.set_state("3", activity="idle")
        return [Said("px_probe_reply", {"status": "error", "why": "NameError"})]

    running.client.on("px_probe_request", probe)
    with pytest.raises(UsageError, match="not paused: step on 3: it has ended; the program runs on"):
        running.session.pause(sync="step", deadline=1000)


@pytest.mark.parametrize(("sync", "why"), [("a = 1", "is no expression"), ("'x'", "no number that grows")])
def test_what_cannot_count_steps_is_refused(running, sync, why):
    running.client.on("px_probe_request", replies("px_probe_reply", (None, {"status": "ok", "value": "x", **PLACE})))
    with pytest.raises(UsageError, match=why):
        running.session.pause(sync=sync, deadline=1000)


def test_a_synchronised_pause_ends_at_once_when_the_ranks_stand_in_another_clients_pause(running):
    """P3, P10: who was slower learns where the ranks stand, and not that the program runs on."""
    running.client.on("px_probe_request", replies("px_probe_reply", (None, {"status": "ok", "value": 10, **PLACE})))
    running.client.on("px_resume_request", replies("px_resume_reply", (None, {"outcome": "stale"})))

    def arm(asked):
        yield Said("px_pause_reply", {"outcome": "pending"})
        stop_at(running.client, "0-2", "theirs", 12, reason="sync")
        stop_at(running.client, "3", asked.content["pause"], 12, reason="sync")

    running.client.on("px_pause_request", arm)
    with pytest.raises(UsageError) as raised:
        running.session.pause(sync="step", deadline=1000)
    assert str(raised.value) == (
        "not paused: step on 0-2: in another client's pause at sim.py:87 in main; paused now: 0-3 at sim.py:87 in main"
    )
    (taken_back,) = running.client.asked_for("px_resume_request")
    assert taken_back.content["pause"] != "theirs"


def test_a_synchronised_pause_goes_on_from_the_pause_in_which_ranks_stand(running):
    """P5: what stood before is left; it is no other client that came first."""
    stop_at(running.client, "0-3", "before", 10)
    running.client.on("px_probe_request", replies("px_probe_reply", (None, {"status": "ok", "value": 10, **PLACE})))

    def arm(asked):
        yield Said("px_pause_reply", {"outcome": "pending"})
        stop_at(running.client, "0-3", asked.content["pause"], asked.content["target"])

    running.client.on("px_pause_request", arm)
    assert running.session.pause(sync="step", deadline=1000).stop.value == 12


@pytest.mark.parametrize("sync", [None, "step"])
def test_a_pause_that_an_observer_may_not_ask_for_is_refused_at_once(running, sync):
    """P10: the controller's word is the error, and nobody is told as paused."""
    denied = replies("px_denied", (None, {"why": "observers may not do this"}))
    running.client.on("px_pause_request", denied)
    running.client.on("px_probe_request", denied)
    with pytest.raises(RefusedError, match="observers may not do this"):
        running.session.pause(sync=sync, deadline=1000)
    assert running.shown() == ""


def test_the_slower_of_two_plain_pauses_tells_where_the_ranks_stand(running):
    """P3: a pause that took the place of ours has stopped them all the same."""

    def pause(asked):
        yield Said("px_pause_reply", {"outcome": "refused", "why": "another pause or a resume took its place"})
        stop_at(running.client, asked.ranks, "theirs")

    running.client.on("px_pause_request", pause)
    assert str(running.session.pause().paused) == "0-3"
    assert running.shown().startswith("0-3 paused at sim.py:87 in main (")


def test_one_rank_is_paused_where_it_is(running):
    def pause(asked):
        stop_at(running.client, asked.ranks, asked.content["pause"])
        return [Said("px_pause_reply", {"outcome": "paused", **PLACE})]

    running.client.on("px_pause_request", pause)
    running.session.pause(RankSet.of(3))
    assert running.shown().startswith("3 paused at sim.py:87 in main (")


def test_ranks_that_do_not_stop_in_time_are_told(running):
    running.session.config.control_deadline = 0.05
    running.client.on("px_pause_request", replies("px_pause_reply", ("0", {"outcome": "refused", "why": "debugging"})))
    running.session.pause()
    assert running.shown() == "0: debugging, 1-3: not stopped yet. Same step on all: %pxsignal pause --sync EXPR\n"


def test_resume_lets_every_rank_go_that_a_pause_holds_whatever_the_focus(running):
    stop_at(running.client, "0-1", "p1")
    running.client.set_state("2-3", activity="held", cell="run", pause="p1")
    running.session.set_focus("3")
    running.shown()

    def resume(asked):
        running.client.set_state(asked.ranks, activity="busy", cell="run")
        return [Said("px_resume_reply", {"outcome": "resumed"})]

    running.client.on("px_resume_request", resume)
    assert str(running.session.resume()) == "0-3"
    assert running.shown() == "0-3 resumed\n"
    with pytest.raises(UsageError, match="no rank is paused"):
        running.session.resume()


def test_a_stale_resume_is_told_for_its_ranks(running):
    stop_at(running.client, "0-3", "p1")
    stale = replies("px_resume_reply", ("0-2", {"outcome": "stale"}), ("3", {"outcome": "not paused"}))
    running.client.on("px_resume_request", stale)
    assert not running.session.resume()
    assert running.shown() == (
        "0-2 not resumed: another front end was first, it is in another pause by now; see %pxstatus\n"
        "3 not resumed: another front end was first, it goes on already\n"
    )


def test_nothing_to_pause_is_said_of_one_rank_and_of_several(running):
    running.client.set_state("2-3", activity="failed", cell="run", pause="f1", reason="ValueError")
    with pytest.raises(UsageError, match="nothing to pause: 2 has failed, and stands; see %pxstatus"):
        running.session.pause(RankSet.of(2))
    with pytest.raises(UsageError, match="nothing to pause: 2-3 have failed, and stand; see %pxstatus"):
        running.session.pause(RankSet.of(2, 3))


# Signals.


@pytest.mark.parametrize(("what", "number"), [("INT", 2), ("sigint", 2), ("9", 9), ("USR1", 10)])
def test_a_signal_is_answered_for_each_rank(stage, what, number):
    answers = replies("px_signal_reply", ("0-2", {"outcome": "sent"}), ("3", {"outcome": "why", "why": "it is gone"}))
    stage.client.on("px_signal_request", answers)
    assert str(stage.session.signal(what)) == "0-2"
    assert stage.client.asked[0].content == {"signal": number}
    assert "not sent to 3: it is gone" in stage.shown()


def test_ending_a_part_of_an_mpich_job_needs_a_yes(running):
    """P8: a rank's death is an MPICH world's death; the front end says so first."""
    running.client.on("px_signal_request", replies("px_signal_reply", (None, {"outcome": "sent"})))
    with pytest.raises(UsageError, match=r"KILL to 3 ends the whole MPICH 5.0.2 job, 0-2 end with it.*--yes"):
        running.session.signal("KILL", RankSet.of(3))
    assert running.client.asked == []
    running.session.signal("KILL", RankSet.of(3), yes=True)
    running.session.signal("TERM", running.session.world)
    running.session.signal("USR1", RankSet.of(3))
    assert len(running.client.asked) == 3


def test_with_the_local_launcher_a_rank_may_be_killed_at_once(stage):
    stage.client.on("px_signal_request", replies("px_signal_reply", (None, {"outcome": "sent"})))
    stage.session.signal("KILL", RankSet.of(3))
    assert stage.shown() == "KILL sent to 3\n"


# Notices.


def test_a_death_is_told_with_signal_or_status(stage):
    stage.client.set_state("3", activity="busy", liveness="dead", exit=-9)
    stage.client.set_state("2", activity="idle", liveness="dead", exit=1)
    stage.client.set_state("1", activity="idle", liveness="dead")
    stage.client.set_state("1", activity="idle", liveness="dead")
    assert stage.shown() == "3 died: signal 9 (KILL)\n2 died: exit 1\n1 died: gone, status unknown\n"


def test_a_rank_that_does_not_answer_is_told_and_that_it_is_back(stage):
    stage.client.set_state("2", activity="busy", liveness="unresponsive")
    stage.client.set_state("2", activity="busy", liveness="ok")
    assert stage.shown() == "2 does not answer (unresponsive)\n2 answers again\n"


def test_a_restart_by_another_front_end_is_one_line(running):
    """Neither deaths that somebody asked for, nor a line for each rank that is back."""
    for rank in "0213":
        running.client.set_state(rank, activity="busy", cell="run", liveness="dead", exit=-9, reason="restart")
    for rank in "3120":
        running.client.set_state(rank, activity="starting")
    assert running.gathered() == "0-3 started anew\n"


def test_ranks_whose_death_is_not_said_any_more_are_told_as_started_anew(running):
    """The new process may be there before the old one is buried; one that did not answer is no `answers again`."""
    running.client.set_state("1", activity="busy", cell="run", liveness="unresponsive")
    running.shown()
    for rank in "20":
        running.client.set_state(rank, activity="starting")
        running.client.set_state(rank, activity="starting")
    running.client.set_state("1", activity="starting")
    assert running.gathered() == "0-2 started anew\n"


def test_a_rank_that_dies_right_after_a_restart_is_told(stage):
    stage.client.set_state("3", activity="busy", liveness="dead", exit=-9, reason="restart")
    stage.client.set_state("3", activity="starting")
    stage.client.set_state("3", activity="starting", liveness="dead", exit=1)
    assert stage.shown() == "3 started anew\n3 died: exit 1\n"


def test_editors_that_come_stop_ranks_and_go_are_told_in_a_line_each(running):
    """Folded, and not again with each cell or step in the stopped frame."""
    debugging = {"activity": "debugging", "cell": "run", "why": "debugged by me@here"}
    for rank in "201":
        running.client.set_state(rank, **debugging)
    for rank in "021":
        for _ in range(2):
            running.client.set_state(rank, **debugging, **PLACE, pause=f"d{rank}-1", reason=EDITOR_BREAKPOINT)
        running.client.set_state(rank, **debugging, **PLACE, pause=f"d{rank}-2", reason="debugger")
    assert running.gathered() == (
        "0-2: an editor has come, debugged by me@here\n0-2: at sim.py:87 in main (breakpoint of the editor)\n"
    )
    for rank in "102":
        running.client.set_state(rank, activity="busy", cell="run")
    assert running.gathered() == "0-2: the editor has gone\n"


def test_an_editor_that_has_gone_before_it_was_told_is_told_of_nowhere(running):
    """Else "has gone" could stand above "has come", and a place where nobody stands any more below."""
    debugging = {"activity": "debugging", "cell": "run", "why": "debugged by me@here"}
    running.client.set_state("0-1", **debugging, **PLACE, pause="d-1", reason=EDITOR_BREAKPOINT)
    running.client.set_state("1", activity="busy", cell="run")
    told = running.gathered()
    assert told == "0: an editor has come, debugged by me@here\n0: at sim.py:87 in main (breakpoint of the editor)\n"


def test_a_breakpoint_in_user_code_is_told_once(running):
    stop_at(running.client, "2", "b1", reason="breakpoint")
    stop_at(running.client, "2", "b1", reason="breakpoint")
    assert running.shown() == "2 paused at sim.py:87 in main (breakpoint)\n"


def test_a_stop_is_told_once_although_ranks_stand_in_several(running):
    """`up` and `down` say the state again; that is no news."""
    for _ in range(2):
        stop_at(running.client, "1", "b1", reason="breakpoint")
        stop_at(running.client, "2-3", "b2", line=88, reason="breakpoint")
    assert running.shown() == (
        "1 paused at sim.py:87 in main (breakpoint)\n2-3 paused at sim.py:88 in main (breakpoint)\n"
    )


def test_ranks_that_end_at_different_times_are_told_together_or_soon(running):
    running.client.set_state("0-2", activity="idle")
    running.client.say(Said("execute_reply", {"status": "ok", "exit": 0}, "0-1"))
    running.client.say(Said("execute_reply", {"status": "error", "exit": 1}, "2"))
    assert running.display.events == []
    first, second = running.gathered().splitlines()
    assert first.startswith("sim.py has ended on 0-1: exit 0, ")
    assert second.startswith("sim.py has ended on 2: exit 1, ")


def test_ranks_that_end_are_told_though_others_run_on(running):
    """Nobody waits for the last of them, which may run for hours."""
    running.session._notices._gather = 0.01
    running.client.set_state("0-2", activity="idle")
    running.client.say(Said("execute_reply", {"status": "ok", "exit": 0}, "0-2"))
    wait_until(lambda: running.display.events, 30, "the end is told")
    assert running.shown().startswith("sim.py has ended on 0-2: exit 0, ")


def test_the_end_of_a_script_says_which_variables_are_left(running):
    """Globals; locals, whose functions have ended, only with the exception that ended them."""
    running.client.set_state("0-3", activity="idle")
    running.client.say(Said("execute_reply", {"status": "ok", "exit": 3}, "0-1"))
    running.client.say(Said("execute_reply", {"status": "error", "exit": 1, "ename": "ValueError"}, "2-3"))
    assert re.sub(r"\d+ s", "N s", running.shown()) == (
        "sim.py has ended on 0-1: exit 3, N s. Its globals are still here.\n"
        "sim.py has ended on 2-3: exit 1, N s. Its globals are still here; its locals: %pxdebug post.\n"
    )


def test_closing_a_session_forgets_the_end_that_it_gathers(running):
    running.client.say(Said("execute_reply", {"status": "ok", "exit": 0}, "0"))
    running.session.close()
    assert running.display.events == []


def test_muted_the_script_is_not_shown_but_notices_are(running, say):
    running.session.config.mute = True
    running.client.say(say.printed("step 1\n", "0"))
    running.client.say(Said("px_notice", {"text": "nothing has moved", "level": "warning"}))
    running.client.say(Said("px_cut", {"bytes": 2000, "lines": 3, "file": "r.log"}, "1"))
    assert running.shown() == "nothing has moved\n2.0 kB of rank 1 cut; all text is in r.log\n"


def test_late_output_of_a_cell_is_shown_once(stage, say):
    """P2: nothing lost, nothing twice."""
    stage.session.run_cell("x = 1")
    late = Said("stream", {"name": "stdout", "text": "from a thread\n"}, "0", late=True)
    stage.client.say(late, stage.client.requests["request-1"])
    assert stage.shown() == "[0]    from a thread\n"


# Data.


def test_values_travel_with_their_arrays_beside_them(stage):
    def push(asked):
        received.append(pickle.loads(asked.buffers[0], buffers=asked.buffers[1:]))
        return [Said("px_push_reply", {"status": "ok"})]

    received = []
    stage.client.on("px_push_request", push)
    assert str(stage.session.push({"u": np.arange(5)})) == "0-3"
    assert len(stage.client.asked[0].buffers) == 2
    assert list(received[0]["u"]) == [0, 1, 2, 3, 4]


def test_apply_returns_what_each_rank_returned(stage):
    def apply(asked):
        function, args, kwargs = pickle.loads(asked.buffers[0], buffers=asked.buffers[1:])
        value = pickle.dumps(function(*args, **kwargs))
        return [Said("px_apply_reply", {"status": "ok"}, str(rank), (value,)) for rank in asked.ranks]

    stage.client.on("px_apply_request", apply)
    assert stage.session.apply(lambda x, y: x + y, 1, y=2, ranks=RankSet.of(1, 2)) == {1: 3, 2: 3}


def test_what_fails_to_come_is_shown_and_the_rest_returned(stage):
    good = (pickle.dumps([1]),)
    stage.client.on(
        "px_pull_request",
        lambda asked: [
            Said("px_pull_reply", {"status": "ok"}, "0", good),
            Said("px_pull_reply", {"status": "error", "ename": "NameError", "evalue": "u"}, "1"),
            Said("px_pull_reply", {"status": "ok"}, "2", (b"no pickle",)),
            Said("px_missing", {"why": "died"}, "3"),
        ],
    )
    assert stage.session.pull("u") == {0: 1}
    shown = stage.shown()
    assert "[3]  no answer: died" in shown
    assert "[1]    NameError: u" in shown
    assert "[2]  no answer: its value cannot be made here: UnpicklingError" in shown


def test_nothing_is_pulled_from_a_running_script_but_by_a_peek(running):
    assert running.session.pull("u") == {}
    assert running.shown().startswith("not run: 0-3 are running sim.py.")
    running.client.on("px_pull_request", lambda asked: [Said("px_pull_reply", {"status": "error", "ename": "E"})])
    running.session.pull("u", peek=True)
    assert running.client.asked_for("px_pull_request")[0].content["places"] == [["peek", "0-3"]]


@pytest.mark.parametrize("name", ["a b", "1", "a.b"])
def test_only_names_can_be_pushed_to(stage, name):
    with pytest.raises(UsageError, match="is no name that can be assigned to"):
        stage.session.push({name: 1})


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({0: 1, 1: 2}, "2 values here, int"),
        ({0: 1, 1: "a"}, "2 values here, of several kinds"),
        ({3: np.zeros(2, dtype=np.float32)}, "1 array here, float32 (2,), 8 B"),
    ],
)
def test_what_came_is_described_in_a_line(values, text):
    assert describe(values) == text


# Looking.


def test_completion_is_merged_over_the_ranks(stage):
    one = {"status": "ok", "matches": ["abs", "all"], "cursor_start": 0, "cursor_end": 1, "metadata": {}}
    other = {**one, "matches": ["all", "any"]}
    stage.client.on("complete_request", replies("complete_reply", ("0-2", one), ("3", other)))
    merged = stage.session.complete("a", 1)
    assert merged["matches"] == ["abs", "all", "any"]
    assert (merged["cursor_start"], merged["cursor_end"]) == (0, 1)


def test_completion_that_is_late_gives_what_there_is(stage):
    """P6: in at most 100 ms, also while ranks are busy."""
    one = {"status": "ok", "matches": ["abs"], "cursor_start": 0, "cursor_end": 1, "metadata": {}}
    stage.client.on("complete_request", replies("complete_reply", ("0", one)))
    assert stage.session.complete("a", 1, timeout=0.01)["matches"] == ["abs"]
    stage.client.set_state("0-3", activity="idle", liveness="dead")
    assert stage.session.complete("a", 1)["matches"] == []


def test_inspection_takes_the_first_rank_that_finds_something(stage):
    found = {"status": "ok", "found": True, "data": {"text/plain": "doc"}, "metadata": {}}
    nothing = {"status": "ok", "found": False, "data": {}, "metadata": {}}
    stage.client.on("inspect_request", replies("inspect_reply", ("0-2", nothing), ("3", found)))
    assert stage.session.inspect("u", 1) == found


def test_a_log_is_asked_of_its_rank(stage):
    stage.client.on("px_log_request", replies("px_log_reply", (None, {"text": "line\n", "file": "rank-3.log"})))
    assert stage.session.log(3) == "line\n"
    assert str(stage.client.asked[0].ranks) == "3"
    with pytest.raises(UsageError, match="there is no rank 4"):
        stage.session.log(4)


# Prompt, toolbar, states.


def test_the_prompt_shows_focus_and_state(stage):
    session, client = stage.session, stage.client
    assert session.prompt_text() == "px[0-3]"
    client.set_state("2", activity="busy", cell="request-9")
    assert session.prompt_text() == "px[0-3] busy"
    client.set_state("2", activity="busy", cell="run")
    assert session.prompt_text() == "px[0-3] running"
    stop_at(client, "0-1", "p")
    client.set_state("2-3", activity="held", cell="run", pause="p")
    assert session.prompt_text() == "px[0-3] held+sim.py:87"
    stop_at(client, "1", "p", line=90)
    assert session.prompt_text() == "px[0-3] paused+held"
    client.set_state("3", activity="busy", liveness="dead", exit=-9)
    session.set_focus("3")
    assert session.prompt_text() == "px[3] dead"


def test_the_toolbar_shows_all_ranks(running):
    stop_at(running.client, "0-1", "p")
    assert running.session.toolbar_text() == "sim-1  sim.py  0-1 paused  2-3 running"


def test_status_shows_where_each_group_is(running):
    stop_at(running.client, "0-1", "p", 613)
    running.client.set_state("3", activity="busy", liveness="dead", exit=-9)
    running.shown()
    running.display.show(running.session.status())
    assert running.shown() == (
        "cluster sim-1, 4 MPI ranks (MPICH 5.0.2), sim.py\n"
        "[0-1]  paused   sim.py:87 in main, value 613\n"
        "[2]    running\n"
        "[3]    dead     signal 9 (KILL)\n"
    )


# Names and results.


def test_the_whereabouts_of_a_rank_that_an_editor_lets_run_are_asked_for(running):
    """It has no place of its own while it runs; who debugs it is told beside it."""
    running.client.set_state("2", activity="debugging", cell="run", why="debugged by me@here")
    where = {"status": "ok", **PLACE, "seconds": 7.0}
    running.client.on("px_where_request", replies("px_where_reply", (None, where)))
    rows = [(str(ranks), word, told) for ranks, word, told in running.session.whereabouts().rows]
    assert rows == [
        ("0-1,3", "running", "sim.py:87 in main, for 7 s"),
        ("2", "debugging", "sim.py:87 in main, debugged by me@here, for 7 s"),
    ]


def test_states_and_names_are_rank_sets(stage):
    stage.client.set_state("2", activity="busy", cell="run")
    stage.session.set_focus("--name left 0-1")
    assert str(stage.session.ranks("@left,@busy")) == "0-2"
    assert str(stage.session.ranks("@idle!@first")) == "1,3"
    with pytest.raises(UsageError, match="a name needs ranks"):
        stage.session.set_focus("--name left")


def test_results_are_bounded_and_the_last_always_stays():
    """P7: every history has a limit."""
    results = Results(max_cells=3, max_bytes=100)
    for cell in range(1, 6):
        results.keep(CellAnswers(cell))
    with pytest.raises(UsageError, match="there are 3 to 5"):
        results.get(2)
    results.keep(CellAnswers(6, (Answer(RankSet.of(0), {"text/plain": "x" * 1000}),)))
    assert results.get().cell == 6
    with pytest.raises(UsageError, match="there are 6 to 6"):
        results.get(5)


def test_all_ranks_are_restarted_with_focus_and_names_kept(stage):
    def restart(asked):
        for rank in "0213":
            stage.client.set_state(rank, activity="busy", liveness="dead", exit=-9, reason="restart")
        for rank in "2103":
            stage.client.set_state(rank, activity="starting")
        stage.client.set_state("0-3", activity="idle")
        return [Said("px_restart_reply", {"status": "ok"})]

    stage.client.on("px_restart_request", restart)
    stage.session.set_focus("1-2")
    stage.shown()
    assert str(stage.session.restart()) == "0-3"
    (line,) = stage.shown().splitlines()  # deaths that were asked for are no news
    assert line.startswith("0-3 restarted (")
    assert str(stage.session.focus) == "1-2"


def test_a_synchronised_pause_of_an_unknown_name_is_refused_at_once(running):
    """P10: what, why, what to do; nobody waits for the deadline."""
    why = "no code of the program mentions stpe (did you mean step?)"
    content = {"status": "error", "why": why, "hopeless": True}
    running.client.on("px_probe_request", replies("px_probe_reply", (None, content)))
    with pytest.raises(
        UsageError, match=r"^not paused: stpe on 0-3: no code .* \(did you mean step\?\); the program runs on$"
    ):
        running.session.pause(sync="stpe")
    assert len(running.client.asked_for("px_probe_request")) == 1


def test_a_synchronised_pause_says_what_it_waits_for(running, slow_clock):
    """P3: nothing waits unseen; with a line that stays, for displays that cannot take one back."""
    running.session.config.progress_after = 0.0
    why = {"status": "error", "why": "step has no value yet"}
    running.client.on("px_probe_request", replies("px_probe_reply", (None, why)))
    with pytest.raises(DeadlineError):
        running.session.pause(sync="step", deadline=0.2)
    shown = [one for one in running.display.progresses if one is not None]
    assert {one.lasting for one in shown} == {"pause --sync step waits for 0-3: step has no value yet"}
    assert {one.where for one in shown} == {"(step has no value yet)"}
