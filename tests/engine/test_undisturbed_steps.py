"""P5: stepping changes nothing, for programs of many kinds, from any line, in any frame of the stack."""

from __future__ import annotations

import sys

import pytest
from engine.pause_harness import Rank, no_user_code
from engine.paused_programs import PROGRAMS
from engine.test_undisturbed import look_and_touch, outcome
from hypothesis import event, given, settings
from hypothesis import strategies as st

from pxshell.engine.step_rules import StepKind

KINDS = st.sampled_from([StepKind.STEP, StepKind.STEP, StepKind.NEXT, StepKind.NEXT, StepKind.FINISH, StepKind.UNTIL])
STEPS = st.lists(st.tuples(KINDS, st.integers(0, 3)), min_size=2, max_size=8)
"""How to go on from each stop, and how many frames to go up before."""


@no_user_code
def stepped(program, walks):
    """Run a program, stopped after so many lines and stepped on from there, again and again; returns its outcome.

    `walks` are pairs: lines from the end of the last walk, and the steps from there.
    """
    waiting = iter(walks)
    stops, plan = [], []
    left = 0

    def serve(paused):
        stops.append(paused.place)
        if not plan:
            return
        kind, up = plan.pop(0)
        paused.stack.up(up)
        look_and_touch_selected(paused)
        line = paused.stack.selected.place.line + 2 if kind is StepKind.UNTIL else 0
        rank.pauser.step(f"{paused.pause_id}+", paused.pause_id, kind, line)

    def begin_walk():
        nonlocal left
        left, steps = next(waiting, (0, []))
        plan[:] = steps

    def count(frame, kind, arg):
        # The way in is a breakpoint out of a trace function: the place is hypothesis's choice, not the clock's.
        nonlocal left
        if kind == "line":
            left -= 1
            if left == 0:
                rank.pauser.breakpoint_here(frame, "b")
                if not plan:
                    begin_walk()
        return count

    def traced():
        begin_walk()
        sys.settrace(lambda frame, *_: count if frame.f_code.co_filename.endswith("paused_programs.py") else None)
        try:
            return outcome(program)
        finally:
            sys.settrace(None)

    count, traced = map(no_user_code, (count, traced))
    rank = Rank(service=serve)
    tracer = sys.gettrace()
    try:
        result = rank.run(traced)
    finally:
        sys.settrace(None)
        rank.close()
        sys.settrace(tracer)
    event(f"{min(len(stops), 9)} stops")
    return result, stops


@no_user_code
def look_and_touch_selected(paused):
    """Look at everything in the selected frame; change locals, and change them back."""
    look_and_touch(Selected(paused))


class Selected:
    """A pause as seen from its selected frame."""

    def __init__(self, paused):
        self.namespace = paused.namespace
        self.frame = paused.stack.selected.frame


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
@settings(max_examples=8)
@given(walks=st.lists(st.tuples(st.integers(1, 300), STEPS), min_size=1, max_size=3))
def test_a_program_stepped_from_chosen_lines_computes_the_same(program, walks):
    """P5: result and exceptions are those of the undisturbed run, wherever it was stepped and touched."""
    expected = outcome(program)
    result, stops = stepped(program, walks)
    assert result == expected
    assert stops
