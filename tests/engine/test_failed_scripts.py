"""A script that fails while somebody holds it keeps its frames, and ends as plain Python would when it is let go."""

from __future__ import annotations

import subprocess
import sys

import pytest

SIM = """
    import atexit, sys
    atexit.register(print, "at exit")
    factor = 7

    def step(number, u):
        try:
            total = sum(u) * factor
            return total / (number - 1)
        finally:
            number = -1
            print("finally")

    def main():
        u = [1, 2, 3]
        for n in range(5):
            step(n, u)

    main()
"""
PLACE = {
    "function": "step",
    "line": 9,
    "reason": "exception",
    "cell": "run",
    "why": "ZeroDivisionError: division by zero",
}


def plain(directory, *arguments):
    """Run plain Python and return status, stdout and stderr."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=directory, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return done.returncode, done.stdout, done.stderr


def failed(rig, text=SIM, **attend):
    """Start a program that a client holds; return the engine, and the state in which it has failed."""
    engine = rig.start("--hold", "sim.py", files={"sim.py": text})
    rig.node.attend(1, hold=True, **attend)
    rig.node.ask("px_start_request")
    return engine, rig.node.wait_state("failed")


def resume(rig, state):
    return rig.node.ask("px_resume_request", {"pause": state["pause"]})["outcome"]


def answer(messages):
    """Return the text of the answer of a cell, or of its error."""
    content = messages[0].data()
    return content["data"]["text/plain"] if "data" in content else f"{content['ename']}: {content['evalue']}"


def test_a_failed_script_stands_where_it_raised(rig):
    """P3: the state says where and why; the line is that of the exception, not of the `finally` that ran after it."""
    _, state = failed(rig)
    assert {name: state[name] for name in PLACE} == PLACE
    rig.node.wait_for(lambda: rig.node.text() == "finally\n" * 2, "what it printed")
    assert rig.node.text(name="stderr").endswith("ZeroDivisionError: division by zero\n")


def test_a_failed_script_ends_as_plain_python_once_it_is_let_go(rig):
    """P5: status, what it prints and in which order are plain Python's; the reply to the script is its failure."""
    engine, state = failed(rig)
    assert resume(rig, state) == "resumed"
    status, _, err = engine.finish()
    rig.node.wait_for(lambda: rig.node.left, "the end of the link")
    rig.node.wait_text("at exit\n")  # the pipe may be read after the link has ended
    assert not err
    assert (status, rig.node.text(), rig.node.text(name="stderr")) == plain(rig.directory, "sim.py")
    assert rig.node.reply_to("run").data()["ename"] == "ZeroDivisionError"
    assert rig.node.wait_state("ended")["exit"] == 1


def test_cells_completion_and_values_work_in_the_frames_of_a_failed_script(rig):
    """P6: as in a paused frame: locals, globals, assignment, completion, inspection, peeking, data."""
    _, state = failed(rig)
    place = f"frame:{state['pause']}"
    assert answer(rig.node.run("number, total, [factor * n for n in u]", place=place)) == "(-1, 42, [7, 14, 21])"
    assert answer(rig.node.run("u.append(total); extra = 5; u", place=place)) == "[1, 2, 3, 42]"
    assert answer(rig.node.run("extra + factor", place=place)) == "12"
    assert rig.node.ask("complete_request", {"code": "tot", "cursor_pos": 3})["matches"] == ["total"]
    assert answer(rig.node.run("total + 1", place="peek")) == "43"
    assert rig.node.ask("px_probe_request", {"expression": "total"})["value"] == 42
    pulled = rig.node.ask("px_pull_request", {"expressions": ["u"], "places": [[place, "0"]]})
    assert pulled["status"] == "ok"
    assert rig.node.ask("px_stacks_request")["status"] == "ok"


def test_a_cell_of_a_failed_script_has_its_own_exceptions(rig):
    """The exception that is looked at is not the context of those that cells raise."""
    _, state = failed(rig)
    said = rig.node.run("undefined", place=f"frame:{state['pause']}")
    assert "ZeroDivisionError" not in "".join(said[0].data()["full"])


def test_stacks_of_a_failed_script_are_those_of_its_exception(rig):
    """Its main thread is in pxshell meanwhile, which nobody wants to see."""
    failed(rig)
    entries = rig.node.ask("px_stacks_request")["entries"]
    assert [(line, function) for _, line, function, is_user in entries if is_user] == [
        (19, "<module>"),
        (17, "main"),
        (9, "step"),
    ]


def test_a_failed_script_refuses_a_pause_and_a_stale_resume(rig):
    """P10: in one line, and nothing is changed by it."""
    _, state = failed(rig)
    for mode in (
        {"mode": "line"},
        {"mode": "sync", "expression": "n", "target": 9, "file": "sim.py", "function": "main"},
    ):
        reply = rig.node.ask("px_pause_request", {"pause": "p", **mode})
        assert (reply["outcome"], "it has failed" in reply["why"]) == ("refused", True)
    assert rig.node.ask("px_resume_request", {"pause": "other"})["outcome"] == "stale"
    assert answer(rig.node.run("total", place=f"frame:{state['pause']}")) == "42"


def test_a_rank_that_stays_is_idle_after_its_failure(rig):
    """With the script's names, as any script that has ended while somebody stays; then it ends with its status."""
    engine, state = failed(rig, stay=True)
    resume(rig, state)
    rig.node.wait_state("idle")
    assert answer(rig.node.run("factor")) == "7"
    rig.node.request("px_stop_request", {"grace": 5})
    done = engine.finish()
    assert done[0] == 1, done


HOOK = """
    import sys, os
    def hook(kind, error, tb):
        print("hook", kind.__name__, flush=True)
        os._exit(5)
    sys.excepthook = hook
    1 / 0
"""


def test_a_hook_of_the_program_waits_until_the_exception_goes_on(rig):
    """It may end the process, and with `MPI_Abort` all others: not before the user has looked."""
    engine, state = failed(rig, HOOK)
    assert rig.node.text() == ""
    rig.node.request("px_resume_request", {"pause": state["pause"]})  # unanswered, maybe: the process ends at once
    done = engine.finish()
    assert done[0] == 5, done
    rig.node.wait_text("hook ZeroDivisionError")


NOT_HELD = {
    "nobody holds": {"clients": 1},
    "only watchers": {"clients": 2, "watching": 2},
    "nobody is there": {"clients": 0},
}


@pytest.mark.parametrize("who", NOT_HELD)
def test_a_failure_that_nobody_holds_is_plain_pythons(rig, who):
    """P8: exit status and output as without pxshell."""
    engine = rig.start("--hold", "sim.py", files={"sim.py": SIM})
    rig.node.attend(**NOT_HELD[who])
    rig.node.ask("px_start_request")
    status, _, err = engine.finish()
    rig.node.wait_for(lambda: rig.node.left, "the end of the link")
    rig.node.wait_text("at exit\n")  # the pipe may be read after the link has ended
    assert not err
    assert (status, rig.node.text(), rig.node.text(name="stderr")) == plain(rig.directory, "sim.py")
    assert not any(m.type == "px_state" and m.data()["activity"] == "failed" for m in rig.node.said)


@pytest.mark.parametrize("text", ["import sys; sys.exit(3)", "raise KeyboardInterrupt", "x = = 1", "pass"])
def test_what_is_no_failure_is_not_held(rig, text):
    """`sys.exit`, an interrupt that was asked for, and source that cannot be compiled: nothing to look at."""
    engine = rig.start("--hold", "sim.py", files={"sim.py": text})
    rig.node.attend(1, hold=True)
    rig.node.ask("px_start_request")
    engine.finish()
    assert not any(m.type == "px_state" and m.data()["activity"] == "failed" for m in rig.node.said)


@pytest.mark.leaves_files
def test_a_failed_script_ends_when_its_node_dies(rig):
    """P3: nobody could let it go any more."""
    engine, _ = failed(rig)
    rig.node.close()
    done = engine.finish()
    assert done[0] == 1, done


def test_a_failed_script_ends_when_the_cluster_is_stopped(rig):
    """As a paused one does."""
    engine, _ = failed(rig)
    rig.node.request("px_stop_request", {"grace": 5})
    done = engine.finish()
    assert done[0] == 1, done


# The last exception of a cell.


def post(rig):
    reply = rig.node.ask("px_post_request", {"places": [["idle", "0"]]})
    return rig.node.wait_state("failed") if reply["status"] == "ok" else reply


def test_post_stops_in_the_frames_of_the_last_exception_of_a_cell(rig):
    """`%pxdebug post`: as in a failed script; the resume ends it, and the rank is idle again."""
    rig.start()
    rig.node.wait_state("idle")
    rig.node.run("def half(n):\n    kept = n // 2\n    return kept / 0\nhalf(9)")
    state = post(rig)
    assert (state["function"], state["line"], state["file"]) == ("half", 3, "<cell 1>")
    assert answer(rig.node.run("n, kept", place=f"frame:{state['pause']}")) == "(9, 4)"
    assert rig.node.reply_to(rig.node.cell("1")).data()["status"] == "refused"
    rig.node.forget()
    assert resume(rig, state) == "resumed"
    rig.node.wait_state("idle")
    assert answer(rig.node.run("half.__name__")) == "'half'"


def test_post_without_an_exception_is_refused(rig):
    """P10."""
    rig.start()
    rig.node.wait_state("idle")
    rig.node.run("1")
    assert post(rig) == {"status": "refused", "why": "no cell has raised here"}
    assert answer(rig.node.run("2")) == "2"


def test_post_looks_at_the_script_that_failed_while_nobody_held_it(rig):
    """It is as `pdb.pm()` after `python -i`."""
    rig.start("--hold", "sim.py", files={"sim.py": SIM})
    rig.node.attend(1, stay=True)
    rig.node.ask("px_start_request")
    rig.node.wait_state("idle")
    state = post(rig)
    assert answer(rig.node.run("total", place=f"frame:{state['pause']}")) == "42"
    rig.node.request("px_stop_request", {"grace": 5})
