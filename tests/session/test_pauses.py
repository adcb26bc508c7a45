"""Pauses of a session: synchronised with the program's steps or not, and their ends."""

import pytest
from clocks import ticking
from session.stops import PLACE, stop_at

from pxshell.errors import DeadlineError, RefusedError, UsageError
from pxshell.ranks import RankSet
from pxshell.testing.scripted import Said, replies


@pytest.fixture
def slow_clock(monkeypatch):
    """Let the time of a pause pass by 5 ms whenever it is looked at."""
    ticking(monkeypatch, "pxshell.session.pausing", 0.005)


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
