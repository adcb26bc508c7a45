"""Breakpoints in one process: where they stop, that they change nothing, and what they leave behind."""

from __future__ import annotations

import json
import linecache
import sys

import pytest
from engine import paused_programs
from engine.pause_harness import Rank, no_user_code
from engine.paused_programs import PROGRAMS
from engine.test_undisturbed import look_and_touch, outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from pxshell.engine import breakpoints as module
from pxshell.engine.breakpoints import Breakpoint, BreakTable
from pxshell.engine.code_places import is_file, is_function, lines_of, place_in_file
from pxshell.engine.debugging import make_backend
from pxshell.errors import UsageError

LINES = st.integers(1, len(linecache.getlines(paused_programs.__file__)))
MONITORING = getattr(sys, "monitoring", None)


class Debugged:
    """A rank with breakpoints whose pauses look around and go on."""

    def __init__(self, serve=None):
        self.stops = []
        self.tracer = sys.gettrace()
        sys.settrace(None)
        self.rank = Rank(service=no_user_code(lambda paused: self._serve(paused, serve)))
        self.table = BreakTable(rank=3)
        self.backend = make_backend(self.table, self.rank.pauser)

    def _serve(self, paused, serve):
        self.stops.append((paused.reason, paused.place.function, paused.place.line))
        look_and_touch(paused)
        if serve is not None:
            serve(self)

    def set(self, *breakpoints):
        places = [self.table.add(one) for one in breakpoints]
        self.backend.apply()
        return places

    def clear(self, *numbers):
        self.table.remove(numbers or None)
        self.backend.apply()

    def close(self):
        self.clear()
        self.rank.close()
        assert is_untouched()
        sys.settrace(self.tracer)


def is_untouched():
    """Tell whether neither a trace nor a monitoring tool of ours is left."""
    tools = [MONITORING.get_tool(tool) for tool in (3, 4)] if MONITORING else []
    return sys.gettrace() is None and not any(tools)


@pytest.fixture
def debugged():
    made = []

    def make(serve=None):
        made.append(Debugged(serve))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
@settings(max_examples=4)
@given(lines=st.lists(LINES, min_size=1, max_size=4, unique=True), hits=st.integers(1, 40))
def test_a_program_with_breakpoints_computes_the_same(program, lines, hits):
    """P5: at any lines, each stop looked at, locals changed and changed back."""
    expected = outcome(program)

    def fewer(debugged):
        if len(debugged.stops) >= 12:
            debugged.clear()

    debugged = Debugged(no_user_code(fewer))
    try:
        file = paused_programs.__file__
        for number, line in enumerate(lines, 1):
            if place_in_file(file, line) is not None:
                debugged.set(Breakpoint(number, file=file, line=line, hits=hits))
        assert debugged.rank.run(no_user_code(lambda: outcome(program))) == expected
    finally:
        debugged.close()


def calls(n):
    total = 0
    for i in range(n):
        total += square(i)
    return total


def square(x):
    y = x * x
    return y


def at(function, offset):
    return function.__code__.co_firstlineno + offset


def test_a_line_stops_each_time_from_its_hit_on(debugged):
    rank = debugged()
    rank.set(Breakpoint(1, file=__file__, line=at(square, 1), hits=3))
    assert rank.rank.run(lambda: calls(5)) == 30
    assert rank.stops == [("breakpoint 1", "square", at(square, 1))] * 3
    assert rank.table.listed()[0]["stopped"] == 3


def test_one_that_stops_once_goes_and_leaves_nothing_behind(debugged):
    """P5: no breakpoint, no cost."""
    rank = debugged()
    rank.set(Breakpoint(1, function="square", once=True))
    untouched = []
    assert rank.rank.run(lambda: (calls(5), untouched.append(is_untouched()))[0]) == 30
    assert len(rank.stops) == 1
    assert untouched == [True]
    assert not rank.table


def test_a_breakpoint_that_is_set_in_a_pause_stops_at_the_same_line_next_time(debugged):
    """The event that is under way is not missed for the next one, nor counted twice."""

    def serve(rank):
        if len(rank.stops) == 1:
            rank.set(Breakpoint(2, file=__file__, line=at(calls, 3)))

    rank = debugged(no_user_code(serve))
    rank.set(Breakpoint(1, file=__file__, line=at(calls, 3), once=True))
    assert rank.rank.run(lambda: calls(3)) == 5
    assert [why for why, *_ in rank.stops] == ["breakpoint 1", "breakpoint 2", "breakpoint 2"]


def pausing():
    yield


def test_one_that_another_thread_adds_while_the_main_thread_looks_is_not_overlooked(monkeypatch):
    """P6: what was found out about a code before it came was kept as if after, and it never stopped."""
    table, program = BreakTable(rank=3), pausing()
    next(program)
    line = at(pausing, 1)

    def add_meanwhile(code):
        table.add(Breakpoint(2, file=__file__, line=line))
        return lines_of(code)

    table.add(Breakpoint(1, file=__file__, line=line, condition="False"))
    monkeypatch.setattr(module, "lines_of", add_meanwhile)
    version = table.version
    assert not table.reached(program.gi_frame)
    monkeypatch.undo()
    assert table.version is not version
    assert table.reached(program.gi_frame) == "breakpoint 2"


def test_running_frames_generators_and_classes_have_breakpoints(debugged):
    """Also those that have begun before the breakpoint was set."""
    rank = debugged()

    def numbers():
        yield 1
        got = 2
        yield got

    def program():
        source = numbers()
        next(source)
        rank.set(Breakpoint(1, file=__file__, line=at(numbers, 2)))
        rank.set(Breakpoint(2, file=__file__, line=at(program, 5)))
        rest = list(source)
        return rest

    assert rank.rank.run(program) == [2]
    assert [why for why, *_ in rank.stops] == ["breakpoint 2", "breakpoint 1"]


def test_a_condition_that_is_false_does_not_stop_and_costs_no_hit(debugged):
    rank = debugged()
    rank.set(Breakpoint(1, file=__file__, line=at(square, 1), condition="x % 2 and rank == 3", hits=2))
    assert rank.rank.run(lambda: calls(6)) == 55
    assert len(rank.stops) == 2


def test_a_breakpoint_in_a_library_stops_in_its_frame(debugged):
    """Cells run there; `up` is the user's code that called it."""
    functions = []

    def serve(rank):
        paused = rank.rank.pauser.paused
        functions.append((paused.stack.selected.place.function, paused.stack.depth))
        paused.stack.up()
        functions.append((paused.stack.selected.place.function.rpartition(".")[2], paused.stack.depth))
        assert paused.stack.down() == 1

    def program():
        return json.dumps({"a": 1})

    rank = debugged(no_user_code(serve))
    rank.set(Breakpoint(1, function="json.dumps"))
    assert rank.rank.run(program) == '{"a": 1}'
    assert functions == [("dumps", 0), ("program", 1)]


# Which lines.


@pytest.mark.parametrize(
    ("filename", "wanted", "is_it"),
    [
        ("/a/sim.py", "sim.py", True),
        ("/a/b/sim.py", "b/sim.py", True),
        ("/a/xsim.py", "sim.py", False),
        ("/a/sim.py", "/a/sim.py", True),
        ("/a/sim.py", "/b/sim.py", False),
        ("<cell 3>", "<cell 3>", True),
        ("<string>", "string", False),
    ],
)
def test_files_are_told_by_the_end_of_their_path(filename, wanted, is_it):
    assert is_file(filename, wanted) == is_it


@pytest.mark.parametrize(
    ("wanted", "is_it"),
    [
        ("inner", True),
        ("outer.inner", True),
        ("outer.<locals>.inner", True),
        ("m.outer.inner", True),
        ("x.inner", False),
    ],
)
def test_functions_are_told_by_the_end_of_their_name(wanted, is_it):
    def outer():
        def inner():
            pass

        return inner

    code = outer().__code__.replace(co_qualname="outer.<locals>.inner")
    assert is_function(code, "m", wanted) == is_it


def test_a_line_that_does_not_run_means_the_next_that_does(tmp_path):
    path = tmp_path / "sim.py"
    path.write_text(
        "import os\n\n# first\ndef f(x):\n    # nothing\n    return [y\n            for y in x]\n\n\nx = 1\n"
    )
    places = [place_in_file(str(path), line) for line in range(1, 12)]
    assert [place and (place.line, place.function) for place in places[:6]] == [
        (1, "<module>"), (4, "<module>"), (4, "<module>"), (4, "<module>"), (6, "f"), (6, "f"),
    ]  # fmt: skip
    assert [place and place.line for place in places[7:]] == [10, 10, 10, None]


def test_the_lines_of_a_code_are_those_of_its_body():
    assert lines_of(square.__code__) == {at(square, 1), at(square, 2)}


def test_a_breakpoint_at_a_comment_stops_at_one_line_of_one_function(debugged, tmp_path):
    """Not at the next line of every code of the file."""
    path = tmp_path / "sim.py"
    path.write_text("def f(x):\n    # nothing\n    return x\ny = f(1)\nz = f(2)\n")
    code = compile(path.read_text(), str(path), "exec")
    rank = debugged()
    assert rank.set(Breakpoint(1, file="sim.py", line=2)) == [None]
    rank.rank.run(no_user_code(lambda: exec(code, {"__name__": "sim"})))
    assert [(function, line) for _, function, line in rank.stops] == [("f", 3), ("f", 3)]


def test_a_line_beyond_the_file_is_refused(debugged):
    """P10: rather than a breakpoint that never stops."""
    rank = debugged()
    with pytest.raises(UsageError, match="nothing runs at or after line 99999"):
        rank.set(Breakpoint(1, file=__file__, line=99999))
    assert not rank.table
