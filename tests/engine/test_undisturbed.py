"""P5: pause and resume change nothing, for programs of many kinds."""

from __future__ import annotations

import sys
import threading

import pytest
from engine.pause_harness import REACHED, Rank, no_user_code
from engine.paused_programs import PROGRAMS
from hypothesis import given, settings
from hypothesis import strategies as st

from pxshell.engine.pause_states import Armed, Idle, Paused, Resumed
from pxshell.engine.sync import SyncCondition

MARK = object()


def outcome(program):
    try:
        return program()
    except ZeroDivisionError as error:
        return repr(error)


@no_user_code
def look_and_touch(paused):
    """Look at everything; change a local, or the module, and change it back."""
    namespace = paused.namespace
    names = [name for name in paused.frame.f_locals if name.isidentifier()]
    for name in names[:2]:
        kept = namespace[name]
        namespace[name] = MARK
        assert namespace.write_back().changed in {(name,), ()}
        namespace[name] = kept
        namespace.write_back()
    exec("scratch = [repr(type(v)) for v in list(locals().values())]", namespace.globals, namespace)
    if namespace.globals is not namespace:
        del namespace["scratch"]
    return namespace.write_back()


@no_user_code
def pause_often(rank, most):
    """Pause until the program has ended; returns how often."""
    for count in range(most):
        rank.request(f"p{count}")
        event = rank.next_event((Paused, Idle))
        if isinstance(event, Idle):
            return count
        rank.do(look_and_touch)
        rank.resume(f"p{count}")
    return most


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_a_program_paused_often_computes_the_same(rank, program):
    """P5: paused wherever it is, looked at, locals changed and changed back."""
    expected = outcome(program)
    done = threading.Event()

    def repeated():
        REACHED.set()
        results = []
        while not done.is_set():
            results.append(outcome(program))
        return results

    def user():
        assert pause_often(rank, 100) == 100
        done.set()

    results = rank.run(repeated, user)
    assert all(result == expected for result in results)
    assert sys.gettrace() is None


@settings(max_examples=15)
@given(index=st.integers(0, len(PROGRAMS) - 1), lines=st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_a_program_stopped_at_chosen_lines_computes_the_same(index, lines):
    """P5: stops at lines counted from the last stop, repeatable."""
    program = PROGRAMS[index]
    expected = outcome(program)
    stops = []
    rank = Rank(service=no_user_code(lambda paused: stops.append(look_and_touch(paused))))
    waiting = iter(lines)

    @no_user_code
    def stop_after(frame, event, arg):
        # The way in is a breakpoint out of a trace function: the place is hypothesis's choice, not the clock's.
        if event == "line":
            stop_after.left -= 1
            if stop_after.left == 0:
                rank.pauser.breakpoint_here(frame, "b")
                stop_after.left = next(waiting, 0)
        return stop_after

    stop_after.left = next(waiting)

    @no_user_code
    def traced():
        sys.settrace(lambda frame, *_: stop_after if frame.f_code.co_filename.endswith("paused_programs.py") else None)
        try:
            return outcome(program)
        finally:
            sys.settrace(None)

    tracer = sys.gettrace()
    try:
        assert rank.run(traced) == expected
    finally:
        sys.settrace(tracer)
    assert len(stops) == len(lines)
    assert [type(e) for e in rank.told] == [Paused, Resumed] * len(lines)
    sys.settrace(None)
    rank.close()
    sys.settrace(tracer)


def test_a_condition_that_is_never_reached_changes_nothing(rank):
    """P5: armed for a whole run, the program computes the same."""
    from engine.paused_programs import closures

    expected = closures()
    condition = SyncCondition("i", 10**9, closures.__code__.co_filename, "closures")

    def program():
        REACHED.set()
        results = []
        while not any(isinstance(e, Armed) for e in rank.told) or len(results) < 3:
            results.append(closures())
        return results

    results = rank.run(program, lambda: rank.request("p1", condition=condition))
    assert all(result == expected for result in results)
