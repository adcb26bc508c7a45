"""The debugger on a real engine: stacks, frames, steps, breakpoints and source of one rank."""

from __future__ import annotations

import pytest

SIM = """\
import os, time
def square(x):
    y = x * x
    return y
def step(n):
    a = square(n)
    return a
def main():
    total = 0
    print("on", flush=True)
    n = 0
    while not os.path.exists("end"):
        n += 1
        total = step(n)
        time.sleep(0.001)
    print("end", total == n * n, flush=True)
main()
"""


@pytest.fixture
def running(rig):
    """Give a node whose rank runs."""
    rig.start("sim.py", files={"sim.py": SIM})
    rig.node.attend(1)
    rig.node.wait_text("on")
    return rig.node


@pytest.fixture
def paused(running):
    """Give a node whose rank is paused as p1."""
    assert running.ask("px_pause_request", {"pause": "p1", "mode": "line"})["outcome"] == "paused"
    return running


def place(pause):
    return [[f"frame:{pause}", "0"]]


def go(node, kind, start, pause, line=0):
    """Step and return the reply."""
    return node.ask("px_step_request", {"pause": pause, "kind": kind, "line": line, "places": place(start)})


def end(rig):
    """Let the program come to its end, and see that it computed what it should."""
    rig.node.ask("px_clear_request", {"numbers": []})
    rig.node.ask("px_resume_request", {"pause": ""})
    (rig.directory / "end").touch()
    rig.node.wait_text("end True")


def stop_in(node, function):
    """Break in a function and wait for the stop; returns its pause."""
    assert node.ask("px_break_request", {"number": 1, "function": function})["status"] == "ok"
    return node.wait_state("paused", reason="breakpoint 1")["pause"]


def test_a_breakpoint_stops_a_running_rank_and_steps_go_on_from_there(rig, running):
    """P5: with the stack, its lines of source, and the result that it would have had."""
    pause = stop_in(running, "square")
    where = running.ask("px_frames_request", {})
    assert [(one[2], one[1], one[4]) for one in where["entries"]] == [
        ("<module>", 17, "main()"), ("main", 14, "total = step(n)"),
        ("step", 6, "a = square(n)"), ("square", 3, "y = x * x"),
    ]  # fmt: skip
    assert where["selected"] == 3
    stop = go(running, "next", pause, "s1")
    assert (stop["outcome"], stop["function"], stop["line"]) == ("paused", "square", 4)
    running.wait_state("paused", pause="s1", reason="step")
    stop = go(running, "finish", "s1", "s2")
    assert (stop["function"], stop["line"]) == ("step", 7)
    end(rig)


def test_cells_run_in_the_selected_frame_and_the_state_tells_how_far_up(rig, running):
    pause = stop_in(running, "square")
    told = running.ask("px_select_request", {"up": 2, "places": place(pause)})
    assert (told["moved"], told["function"], told["line"], told["source"]) == (2, "main", 14, "total = step(n)")
    running.wait_state("paused", depth=2, function="square")
    assert running.run("total == (n - 1) ** 2", place=f"frame:{pause}")[0].data()["data"]["text/plain"] == "True"
    assert running.ask("px_select_request", {"up": -9, "places": place(pause)})["moved"] == 2
    stop = go(running, "step", pause, "s1")
    assert (stop["function"], stop["line"]) == ("square", 4)
    end(rig)


def test_a_step_or_a_selection_from_an_old_pause_is_stale(rig, paused):
    """P10: nothing is changed by it."""
    assert go(paused, "next", "p1", "s1")["outcome"] == "paused"
    paused.wait_state("paused", pause="s1")
    assert go(paused, "next", "p1", "s2")["outcome"] == "stale"
    answer = paused.ask("px_select_request", {"up": 1, "places": place("p1")})
    assert (answer["status"], answer["why"]) == ("refused", "stale: it is in another pause now")
    assert paused.ask("px_resume_request", {"pause": "s1"}) == {"outcome": "resumed"}
    end(rig)


def test_conditions_see_the_frame_and_the_rank(rig, running):
    """And a hit count, and a breakpoint that goes away."""
    spec = {"number": 3, "file": "sim.py", "line": 3, "condition": "x % 5 == rank and all(x > i for i in (1, 2))"}
    assert running.ask("px_break_request", spec | {"once": True, "hits": 2})["line"] == 3
    pause = running.wait_state("paused", reason="breakpoint 3")["pause"]
    assert running.run("x % 5, x > 5", place=f"frame:{pause}")[0].data()["data"]["text/plain"] == "(0, True)"
    assert running.ask("px_breaks_request", {})["breaks"] == []
    end(rig)


def test_a_condition_that_fails_stops_and_says_why(rig, running):
    """P10: a mistyped name is not a breakpoint that never stops."""
    running.ask("px_break_request", {"number": 1, "file": "sim.py", "line": 3, "condition": "xx > 1"})
    reason = running.wait_state("paused")["reason"]
    assert reason == "breakpoint 1: xx > 1 raises NameError: name 'xx' is not defined"
    end(rig)


def test_breakpoints_are_listed_counted_and_cleared(rig, running):
    running.ask("px_break_request", {"number": 1, "file": "sim.py", "line": 5})
    running.ask("px_break_request", {"number": 2, "function": "nowhere.at_all"})
    listed = running.ask("px_breaks_request", {})["breaks"]
    assert [(one["number"], one["file"], one["function"]) for one in listed] == [
        (1, "sim.py", ""),
        (2, "", "nowhere.at_all"),
    ]
    assert running.ask("px_clear_request", {"numbers": [2, 7]})["cleared"] == [2]
    assert running.ask("px_clear_request", {"numbers": []})["cleared"] == [1]
    end(rig)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"file": "sim.py", "line": 99}, "nothing runs at or after line 99 of sim.py"),
        ({"file": "sim.py", "line": 3, "condition": "x ="}, "only a single expression"),
        ({"watch": "nothing > 1"}, "not watched: nothing > 1 raises NameError"),
    ],
)
def test_what_cannot_stop_is_refused(rig, running, spec, why):
    """P10: one line, and no breakpoint is left behind."""
    answer = running.ask("px_break_request", {"number": 1, **spec})
    assert answer["status"] == "error"
    assert why in answer["why"]
    assert running.ask("px_breaks_request", {})["breaks"] == []
    end(rig)


def test_a_breakpoint_at_a_line_that_does_not_run_moves_to_the_next_that_does(rig, running):
    (rig.directory / "other.py").write_text("def f():\n    # nothing\n\n    return 1\n")
    answer = running.ask("px_break_request", {"number": 1, "file": "sim.py", "line": 8})
    assert (answer["line"], answer["function"]) == (8, "<module>")
    assert running.ask("px_break_request", {"number": 2, "file": "other.py", "line": 2})["file"] == ""
    end(rig)


def test_a_module_that_is_imported_later_has_its_breakpoints(rig):
    """Set before the file is loaded, by file and by function."""
    sim = "import os\nprint('on', flush=True)\nwhile not os.path.exists('go'): pass\nimport other\nother.f()"
    rig.start("sim.py", files={"sim.py": sim, "other.py": "x = 1\n\ndef f():\n    return x\n"})
    rig.node.attend(1)
    rig.node.wait_text("on")
    assert rig.node.ask("px_break_request", {"number": 1, "file": "other.py", "line": 1})["file"] == ""
    assert rig.node.ask("px_break_request", {"number": 2, "function": "other.f"})["file"] == ""
    (rig.directory / "go").touch()
    assert rig.node.wait_state("paused", reason="breakpoint 1")["line"] == 1
    rig.node.ask("px_resume_request", {"pause": ""})
    assert rig.node.wait_state("paused", reason="breakpoint 2")["line"] == 4
    rig.node.ask("px_resume_request", {"pause": ""})


def test_a_rank_that_starts_has_the_breakpoints_that_others_got(rig):
    """The controller's: they are there before user code starts, and nobody is answered."""
    engine = rig.start("--hold", "sim.py", files={"sim.py": SIM})
    rig.node.wait_state("starting")
    rig.node.attend(1)
    rig.node.request("px_breakpoints", {"breaks": [{"number": 4, "file": "sim.py", "line": 9}]})
    rig.node.ask("px_start_request")
    assert rig.node.wait_state("paused")["reason"] == "breakpoint 4"
    end(rig)
    assert engine is not None


def test_a_step_meets_a_breakpoint_on_its_way(rig, running):
    """It stops there, under the id of the step."""
    running.ask("px_break_request", {"number": 1, "file": "sim.py", "line": 14})
    pause = running.wait_state("paused", reason="breakpoint 1")["pause"]
    running.ask("px_break_request", {"number": 2, "file": "sim.py", "line": 4})
    assert go(running, "next", pause, "s1")["line"] == 4
    assert running.wait_state("paused", pause="s1")["reason"] == "breakpoint 2"
    end(rig)


def test_one_line_stops_once_for_a_step_and_a_breakpoint(rig, running):
    """A trace and sys.monitoring both see the line."""
    running.ask("px_break_request", {"number": 1, "file": "sim.py", "line": 14})
    pause = running.wait_state("paused", reason="breakpoint 1")["pause"]
    n = running.run("n", place=f"frame:{pause}")[0].data()["data"]["text/plain"]
    for index, line in enumerate((15, 12, 13, 14, 15)):
        assert go(running, "next", pause, f"s{index}")["line"] == line
        pause = f"s{index}"
    running.wait_state("paused", pause=pause)
    said = [one.data() for one in running.run(f"n - {n}", place=f"frame:{pause}")]
    assert said[0]["data"]["text/plain"] == "1", said
    end(rig)


def test_a_watch_stops_after_the_line_that_makes_it_true(rig, running):
    """In whichever function that is; and it ends with its frame, which is said."""
    pause = stop_in(running, "step")
    running.ask("px_clear_request", {"numbers": []})
    running.forget()
    answer = running.ask("px_break_request", {"number": 2, "watch": "'a' in locals() and a == n * n"})
    assert (answer["status"], answer["function"]) == ("ok", "step")
    assert 0 < answer["cost"] < 1
    running.ask("px_resume_request", {"pause": pause})
    state = running.wait_state("paused")
    assert (state["line"], state["reason"][:8]) == (7, "watch 2:")
    running.ask("px_resume_request", {"pause": ""})
    running.wait(lambda one: one.type == "px_notice" and "has ended with step" in one.data()["text"], "its end")
    end(rig)


def test_source_comes_from_the_rank(rig, paused):
    answer = paused.ask("px_source_request", {"file": str(rig.directory / "sim.py"), "first": 2, "count": 3})
    assert answer == {"status": "ok", "first": 2, "lines": ["def square(x):", "    y = x * x", "    return y"]}
    assert paused.ask("px_source_request", {"file": "/no/such.py", "first": 1, "count": 3})["status"] == "error"
    end(rig)


def test_where_answers_for_a_rank_that_runs(rig, running):
    """P6: its running stack, without a pause."""
    entries = running.ask("px_frames_request", {"full": True})["entries"]
    assert "main" in [one[2] for one in entries]
    end(rig)
