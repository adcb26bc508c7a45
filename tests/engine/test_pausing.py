"""Pausing and resuming the main thread."""

from __future__ import annotations

import json
import sys
import threading

from engine.pause_harness import REACHED
from engine.watched_programs import spin

from pxshell.engine import pausing
from pxshell.engine.pause_states import AlreadyPaused, Armed, Cancelled, Idle, Paused, PauseState, Resumed
from pxshell.engine.sync import SyncCondition


def test_a_running_loop_stops_at_its_next_line_and_goes_on(rank):
    """P5: stop in user code, look, go on, with no trace left."""
    done = threading.Event()

    def user():
        paused = rank.pause()
        assert paused.place.function == "spin"
        assert paused.place.file == spin.__code__.co_filename
        n = rank.do(lambda p: p.namespace["n"])
        assert n == rank.do(lambda p: p.frame.f_locals["n"])
        assert rank.pauser.state is PauseState.PAUSED
        assert rank.pauser.pause_id == "p1"
        rank.do(change)
        assert rank.resume("p1") == "resumed"
        done.set()

    def change(paused):
        paused.namespace["n"] = -1_000_000_000
        assert paused.namespace.write_back().changed == ("n",)

    assert rank.run(lambda: spin(done), user) < 0
    assert [type(event) for event in rank.told] == [Paused, Resumed]


def test_nothing_is_traced_before_and_after(rank):
    """P5: not paused, a program runs at full speed: no tracer, no trace function in any frame."""
    done = threading.Event()
    traces = []

    def program():
        frame = sys._getframe()
        traces.append((sys.gettrace(), frame.f_trace))
        spin(done)
        traces.append((sys.gettrace(), frame.f_trace))

    def user():
        rank.pause()
        rank.do(lambda p: traces.append((sys.gettrace(), p.frame.f_trace)))
        rank.resume()
        done.set()

    rank.run(program, user)
    assert traces == [(None, None)] * 3


def test_a_tracer_of_the_program_is_put_back(rank):
    """P5: coverage and debuggers find their tracer again."""
    done = threading.Event()
    lines = []

    def local(frame, event, arg):
        lines.append(event)
        return local

    def tracer(frame, event, arg):
        return local if frame.f_code.co_name == "after" else None

    def after():
        return 1

    def program():
        frame = sys._getframe()
        sys.settrace(tracer)
        frame.f_trace = local
        spin(done)
        after()
        result = sys.gettrace(), frame.f_trace
        sys.settrace(None)
        frame.f_trace = None
        return result

    def user():
        rank.pause()
        rank.resume()
        done.set()

    assert rank.run(program, user) == (tracer, local)
    assert lines.count("return") == 1


def test_a_stop_is_in_user_code_though_libraries_are_on_top(rank):
    """P5: `line` waits until library frames have ended, where no lock is held."""

    def number(text):
        return int(text)

    done = threading.Event()

    def program():
        while not done.is_set():
            REACHED.set()
            json.loads("[" + "1," * 20000 + "1]", parse_int=number)

    def user():
        for i in range(5):
            paused = rank.pause(f"p{i}")
            assert paused.place.file == __file__
            assert rank.do(lambda p: p.frame.f_code.co_filename) == __file__
            rank.resume()
        done.set()

    rank.run(program, user)


def test_resume_outcomes(rank):
    """Design 4: a stale id is answered, never ignored silently."""
    done = threading.Event()

    def user():
        assert rank.pauser.resume("p1") == "not paused"
        rank.pause("p1")
        assert rank.pauser.resume("p0") == "stale"
        rank.request("p2")
        assert rank.next_event(AlreadyPaused).current == "p1"
        assert not rank.pauser.cancel("p1")
        assert rank.resume("p1") == "resumed"
        assert rank.pauser.resume("p1") == "not paused"
        done.set()

    rank.run(lambda: spin(done), user)


def test_an_idle_thread_answers_idle(rank):
    """Nothing waits for ever: no user code, no pause."""
    rank.request("p1")
    assert rank.next_event(Idle) == Idle("p1")


def test_user_code_that_ends_first_answers_idle(rank):
    """P3: a request is accounted for when the program ends before it could stop."""
    condition = SyncCondition("n", 10**12, spin.__code__.co_filename, "spin")
    done = threading.Event()

    def user():
        rank.request("p1", condition=condition)
        rank.next_event(Armed)
        done.set()

    rank.run(lambda: spin(done), user)
    assert rank.next_event(Idle) == Idle("p1")
    assert sys.gettrace() is None


def test_a_newer_request_replaces_a_pending_one_and_the_same_one_changes_nothing(rank):
    """One request at a time; requests are idempotent by id."""
    condition = SyncCondition("n", 10**12, spin.__code__.co_filename, "spin")
    done = threading.Event()

    def user():
        rank.request("p1", condition=condition)
        rank.next_event(Armed)
        rank.request("p1", condition=condition)
        assert rank.pause("p2").pause_id == "p2"
        rank.resume("p2")
        assert rank.pauser.cancel("p2") is False
        rank.request("p3", condition=condition)
        rank.next_event(Armed)
        assert rank.pauser.cancel("p3") is True
        done.set()

    rank.run(lambda: spin(done), user)
    assert [type(e) for e in rank.told] == [Armed, Cancelled, Paused, Resumed, Armed, Cancelled]


def test_breakpoint_stops_right_here(rank):
    """`breakpoint()` and `pxshell.pause()` stop in their caller."""

    def program():
        x = 1
        REACHED.set()
        stopped = rank.pauser.breakpoint_here(sys._getframe(), "b1")
        return x, stopped

    def user():
        paused = rank.next_event(Paused)
        assert (paused.pause_id, paused.reason) == ("b1", "breakpoint")
        assert rank.do(lambda p: rank.pauser.breakpoint_here(sys._getframe(), "b2")) is False
        rank.do(lambda p: (p.namespace.update(x=5), p.namespace.write_back()))
        rank.resume("b1")

    assert rank.run(program, user) == (5, True)
    assert rank.pauser.breakpoint_here(sys._getframe(), "b3") is False


def test_a_breakpoint_answers_a_pending_request(rank):
    """The rank has stopped: that is what was asked for."""

    def program():
        REACHED.set()
        rank.request("p1", condition=SyncCondition("nothing", 1, __file__, "x"))
        rank.pauser.breakpoint_here(sys._getframe(), "b1")

    def user():
        assert rank.next_event(Paused).pause_id == "b1"
        rank.resume("b1")

    rank.run(program, user)
    assert Cancelled("p1") in rank.told


def test_pausing_can_be_repeated_hundreds_of_times(rank):
    """One machine, no leftovers: every request leads to one pause."""
    done = threading.Event()

    def user():
        for i in range(300):
            rank.pause(f"p{i}")
            assert rank.resume(f"p{i}") == "resumed"
        done.set()

    rank.run(lambda: spin(done), user)
    assert len(rank.told) == 600


def test_patience_is_as_documented():
    """The policy that worked."""
    assert pausing.PATIENCE == 0.3
