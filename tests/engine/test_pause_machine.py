"""The decisions of a pause, without threads: the table, the patience, what is answered."""

from __future__ import annotations

import itertools
import sys

import pytest

from pxshell.engine.frames import Place
from pxshell.engine.pause_machine import PATIENCE, PauseMachine, PauseRequest
from pxshell.engine.pause_states import (
    TRANSITIONS,
    Accepted,
    AlreadyPaused,
    Armed,
    Cancelled,
    Held,
    Idle,
    IllegalStepError,
    Passed,
    Paused,
    PauseState,
    Resumed,
    ResumeOutcome,
    Running,
    Stale,
    Step,
    next_state,
)
from pxshell.engine.paused_frame import PausedFrame
from pxshell.engine.step_rules import StepKind, make_rule
from pxshell.engine.sync import SyncCondition

PLACE = Place("sim.py", 3, "main")


@pytest.fixture
def told():
    return []


@pytest.fixture
def machine(told):
    machine = PauseMachine(told.append, strict=True)
    machine.begin()
    return machine


def handle(pause_id):
    return PausedFrame(pause_id, sys._getframe(), PLACE, "pause")


def test_every_step_outside_the_table_raises_and_changes_nothing():
    """Style 7: one table; an illegal event raises."""
    for state, step in itertools.product(PauseState, Step):
        if (state, step) in TRANSITIONS:
            assert isinstance(next_state(state, step), PauseState)
        else:
            with pytest.raises(IllegalStepError, match=state.value):
                next_state(state, step)


def test_every_state_is_reached_and_left():
    """No dead end in the table."""
    assert {state for state, _ in TRANSITIONS} == set(PauseState) == set(TRANSITIONS.values())


def test_in_a_process_an_illegal_step_is_logged(caplog):
    """Design 6: logged, and the program goes on."""
    machine = PauseMachine(lambda _: None, strict=False)
    machine._step(Step.LEAVE)
    assert machine.state is PauseState.IDLE
    assert "illegal" in caplog.text
    caplog.clear()


def test_a_line_then_a_signal_then_held(machine, told):
    """The policy that worked: PATIENCE for a line, PATIENCE for the signal, which is sent twice.

    One that comes just before the thread begins to wait in C is handled only after that wait.
    """
    request = PauseRequest("p")
    assert machine.take(request, None, 10.0)
    sent = []
    machine.on_time(10.0 + PATIENCE - 0.01, lambda: sent.append(1) or "", lambda: PLACE)
    assert not sent
    machine.on_time(10.0 + PATIENCE, lambda: sent.append(1) or "", lambda: PLACE)
    assert (sent, request.is_signalled) == ([1], True)
    machine.on_time(10.0 + 1.5 * PATIENCE + 0.01, lambda: sent.append(2) or "", lambda: PLACE)
    assert (sent, told) == ([1, 2], [])
    machine.on_time(10.0 + 2 * PATIENCE + 0.02, lambda: sent.append(3) or "", lambda: PLACE)
    assert sent == [1, 2]
    assert told == [Held("p", PLACE)]
    assert machine.deadline is None
    assert not request.is_signalled
    assert machine.arm(request, None, 20.0)
    assert (machine.state, machine.deadline) == (PauseState.ARMED, 20.0 + PATIENCE)
    assert told[1:] == [Armed("p")]


def test_now_is_due_at_once(machine):
    """Mode `now` has no patience for lines."""
    machine.take(PauseRequest("p", "now"), None, 10.0)
    assert machine.deadline == 10.0


def test_a_pause_whose_cause_goes_ends_unless_somebody_has_asked_for_one(machine, told):
    """P6: what was answered with this pause holds; what is asked for once it ends is taken afterwards."""
    pause = handle("a")
    assert machine.enter(pause, None)
    machine.take(PauseRequest("b"), None, 0.0)
    assert not machine.finish(pause, unless_asked_for=True)
    assert not pause.is_released
    assert machine.finish(pause, unless_asked_for=False)
    assert machine.finish(pause, unless_asked_for=True)
    machine.take(PauseRequest("c"), None, 0.0)
    assert machine.leave(pause, 1.0)
    assert machine.request.pause_id == "c"
    assert told == [Paused("a", PLACE, "pause"), AlreadyPaused("b", "a", PLACE), Resumed("a")]


def test_a_condition_has_no_deadline_and_passes(machine, told):
    """Sync pause: never interrupted; a target behind us is said."""
    request = PauseRequest("p", condition=SyncCondition("n", 5, "sim.py", "main"))
    machine.take(request, None, 10.0)
    assert machine.deadline is None
    assert not machine.arm(request, 5, 10.0)
    assert told == [Passed("p", 5)]
    assert machine.state is PauseState.RUNNING


def test_a_pause_that_is_being_left_takes_a_request_for_afterwards(machine, told):
    """A request between release and leaving is not lost; a second one replaces it; resume withdraws it."""
    pause = handle("a")
    assert machine.enter(pause, None)
    assert machine.resume("a") == "resumed"
    assert machine.resume("a") == "not paused"
    machine.take(PauseRequest("b"), None, 0.0)
    machine.take(PauseRequest("c"), None, 0.0)
    assert machine.resume("c") == "cancelled"
    machine.take(PauseRequest("d"), None, 0.0)
    assert machine.leave(pause, 1.0)
    assert not machine.leave(pause, 1.0)
    assert machine.request.pause_id == "d"
    assert told == [Paused("a", PLACE, "pause"), Cancelled("b"), Cancelled("c"), Resumed("a")]


def test_a_stop_for_a_request_that_has_fallen_does_not_happen(machine, told):
    """A resume that overtakes the stop wins."""
    request = PauseRequest("p")
    machine.take(request, None, 0.0)
    machine.resume("p")
    assert not machine.enter(handle("p"), request)
    assert told == [Cancelled("p")]


def test_a_breakpoint_answers_an_unconditional_request_under_its_id(machine, told):
    """The stop that was asked for has come about."""
    machine.take(PauseRequest("p"), None, 0.0)
    pause = handle("b")
    assert machine.enter(pause, None)
    assert pause.pause_id == "p"
    assert told == [Paused("p", PLACE, "pause")]


def test_user_code_nests_and_its_end_answers_idle(machine, told):
    """A cell inside a pause does not end the script."""
    machine.begin()
    machine.end()
    assert machine.state is PauseState.RUNNING
    machine.take(PauseRequest("p"), None, 0.0)
    machine.end()
    machine.end()
    assert machine.state is PauseState.IDLE
    assert told == [Idle("p")]


def test_a_request_before_the_script_begins_is_accepted_and_started_with_it(told):
    """Design 9: user code starts when the front end is attached, and a pause is armed before its first line."""
    machine = PauseMachine(told.append, strict=True)
    machine.expect()
    assert not machine.take(PauseRequest("p"), None, 10.0)
    assert not machine.take(PauseRequest("p"), None, 10.0)
    assert told == [Accepted("p")]
    assert machine.begin()
    assert (machine.state, machine.request.pause_id, machine.deadline) == (PauseState.REQUESTED, "p", None)
    assert not machine.begin()


def test_a_newer_request_before_the_script_begins_replaces_the_older(told):
    """One request at a time."""
    machine = PauseMachine(told.append, strict=True)
    machine.expect()
    machine.take(PauseRequest("p"), None, 1.0)
    machine.take(PauseRequest("q"), None, 2.0)
    assert told == [Accepted("p"), Cancelled("p"), Accepted("q")]
    assert machine.resume("p") == "stale"
    assert machine.cancel("q")
    assert machine.resume(None) == "not paused"
    assert not machine.begin()
    assert machine.state is PauseState.RUNNING


def test_an_engine_without_a_script_has_nothing_to_wait_for(told):
    """A rank that is idle is not paused."""
    machine = PauseMachine(told.append, strict=True)
    machine.take(PauseRequest("p"), None, 1.0)
    assert told == [Idle("p")]


# Steps.


def stepping(machine, told):
    """Return a machine whose main thread is on its way to the end of the step s, from the pause p."""
    paused = handle("p")
    assert machine.enter(paused, None)
    request = PauseRequest("s", rule=make_rule(StepKind.STEP), start="p")
    assert not machine.take(request, None, 10.0)
    assert paused.is_released
    assert machine.following is request
    assert machine.leave(paused, 10.0)
    assert machine.arm(request, None, 10.0)
    told.clear()
    return request


def look(machine, now, position):
    machine.on_time(now, lambda: pytest.fail("a step is not interrupted"), lambda: PLACE, lambda: position)


def test_a_step_follows_the_pause_that_it_starts_from(machine, told):
    """Under its own id, so that what was meant for the old place is stale."""
    request = stepping(machine, told)
    assert machine.enter(handle("s"), request)
    assert [type(one) for one in told] == [Paused]
    assert machine.resume("p") is ResumeOutcome.STALE


def test_a_step_whose_main_thread_waits_in_c_is_held_and_falls_with_a_resume(machine, told):
    """P3: it is answered in time; and it is not interrupted, for not every MPI begins its call anew."""
    stepping(machine, told)
    look(machine, 10.0 + PATIENCE, 7)
    assert not told
    look(machine, 11.0, 7)
    assert told == [Held("s", PLACE)]
    look(machine, 20.0, 7)
    assert told == [Held("s", PLACE)]
    assert machine.resume("s") is ResumeOutcome.CANCELLED
    assert (machine.state, machine.deadline) == (PauseState.RUNNING, None)


def test_a_step_that_takes_long_is_told_and_looked_at_less_and_less_often(machine, told):
    stepping(machine, told)
    due = []
    for position in range(9):
        due.append(machine.deadline)
        look(machine, machine.deadline, position)
    assert told[0] == Running("s", PLACE)
    gaps = [after - before for before, after in itertools.pairwise(due)]
    assert gaps == sorted(gaps)
    assert max(gaps) <= 2.0


def test_a_held_step_that_moves_again_is_told(machine, told):
    stepping(machine, told)
    look(machine, 11.0, 1)
    look(machine, 12.0, 1)
    look(machine, 13.0, 2)
    assert [type(one) for one in told] == [Held, Armed]
    assert machine.state is PauseState.ARMED


def test_a_step_from_a_pause_that_is_not_there_is_stale_and_changes_nothing(machine, told):
    """P10: of another pause, of one that is being left, of none."""
    for start in ("q", "p"):
        step = PauseRequest("s", rule=make_rule(StepKind.STEP), start=start)
        assert not machine.take(step, None, 10.0)
        assert told.pop() == Stale("s")
    paused = handle("p")
    machine.enter(paused, None)
    machine.resume("p")
    told.clear()
    assert not machine.take(PauseRequest("s", rule=make_rule(StepKind.STEP), start="p"), None, 10.0)
    assert told == [Stale("s")]
    assert not machine.leave(paused, 10.0)


def test_a_breakpoint_on_the_way_ends_the_step(machine, told):
    """The stop has the id of the step, which whoever asked for it waits for."""
    stepping(machine, told)
    paused = handle("b1")
    assert machine.enter(paused, None)
    assert paused.pause_id == "s"
    assert [one.pause_id for one in told] == ["s"]
