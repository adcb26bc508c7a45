"""Pausing at a step: all ranks at the same line of the same value."""

from __future__ import annotations

import threading

from engine.pause_harness import REACHED
from engine.watched_programs import Mutex, first_line_of_step, step_loop

from pxshell.engine.pause_states import Armed, Passed, Paused, PauseState
from pxshell.engine.sync import SyncCondition


def test_a_condition_stops_at_the_first_line_of_the_step(rank):
    """Sync pause: the same line of the same step."""
    done = threading.Event()

    def user():
        for i in range(20):
            found = rank.pauser.probe("step")
            while found.value is None:
                found = rank.pauser.probe("step")
            target = found.value + 2000
            rank.request(f"p{i}", condition=SyncCondition("step", target, found.place.file, found.place.function))
            event = rank.next_event((Paused, Passed))
            if isinstance(event, Paused):
                assert (event.sync_value, event.place.line) == (target, first_line_of_step())
                assert rank.do(lambda p: p.namespace["step"]) == target
                rank.resume()
        done.set()

    assert rank.run(lambda: step_loop(done), user) is True
    assert any(isinstance(event, Paused) for event in rank.told)


def test_a_synchronised_pause_from_an_unsynchronised_one(rank):
    """One operation: the pause ends and the thread is armed, before it runs another line."""
    done = threading.Event()

    def user():
        first = rank.pause("p1")
        if first.place.function != "step_loop" or rank.pauser.probe("step").value is None:
            rank.resume()
            return user()
        step = rank.pauser.probe("step").value
        rank.request("p2", condition=SyncCondition("step", step + 2, step_loop.__code__.co_filename, "step_loop"))
        paused = rank.next_event(Paused)
        assert (paused.pause_id, paused.sync_value, paused.place.line) == ("p2", step + 2, first_line_of_step())
        rank.request("p3", condition=SyncCondition("step", step, step_loop.__code__.co_filename, "step_loop"))
        assert rank.next_event(Passed) == Passed("p3", step + 2)
        assert rank.pauser.state is PauseState.PAUSED
        rank.resume("p2")
        done.set()
        return None

    assert rank.run(lambda: step_loop(done), user) is True


def test_a_target_that_is_passed_is_said(rank):
    """Sync pause: a rank beyond the target says so, and runs on."""
    done = threading.Event()

    def user():
        while not (rank.pauser.probe("step").value or 0) > 10:
            pass
        rank.request("p1", condition=SyncCondition("step", 5, step_loop.__code__.co_filename, "step_loop"))
        assert rank.next_event(Passed).value > 5
        done.set()

    assert rank.run(lambda: step_loop(done), user) is True


def test_a_condition_waits_for_c_without_interrupting_it(rank):
    """Sync pause: a rank that waits in MPI is armed when it comes back; no signal, no held."""
    mutex, done = Mutex(), threading.Event()
    mutex.lock()

    def program():
        REACHED.set()
        mutex.lock()
        return step_loop(done)

    def user():
        rank.request("p1", condition=SyncCondition("step", 3, step_loop.__code__.co_filename, "step_loop"))
        assert rank.pauser.deadline() is None
        mutex.unlock()
        assert rank.next_event(Armed) == Armed("p1", None)
        assert rank.next_event(Paused).sync_value == 3
        rank.resume()
        done.set()

    assert rank.run(program, user) is True
    mutex.unlock()
