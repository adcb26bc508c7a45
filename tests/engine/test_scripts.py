"""A script under an engine sees what `python sim.py` shows it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest


def plain(directory, *arguments):
    """Run plain Python and return status, stdout and stderr."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=directory, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return done.returncode, done.stdout, done.stderr


def under_engine(rig, *arguments, **environment):
    """Run under an engine and return the same, as the node has read it."""
    engine = rig.start(*arguments, **environment)
    status, _, err = engine.finish()
    rig.node.wait_for(lambda: rig.node.left, "the end of the link")
    assert not err
    return status, rig.node.text(), rig.node.text(name="stderr")


ABOUT = """
    import sys, os, helper
    print(__name__, __file__, sys.argv, sys.path[0], __spec__, __package__, __doc__, __cached__, __builtins__)
    print(sys.modules["__main__"].__dict__ is globals(), sorted(k for k in globals() if k.startswith("__")))
    print(repr(sys.stdin.read()), helper.name, type(__loader__).__name__, __annotations__)
    kept = {"PXSHELL_CLAIMED", "PXSHELL_DIR", "PXSHELL_RUNTIME_DIR", "PXSHELL_TEST_RUN"}
    print([n for n in os.environ if n.startswith("PXSHELL") and n not in kept])
    import atexit
    atexit.register(print, "at exit")
"""


@pytest.mark.parametrize("path", ["sub/sim.py", "./sub/../sub/sim.py"])
def test_main_path_argv_and_stdin_are_plain_pythons(rig, path):
    """`__main__`, `__file__`, argv, `sys.path[0]`, sibling imports, stdin, atexit."""
    files = {"sub/sim.py": ABOUT, "sub/helper.py": "name = 'sibling'"}
    engine = rig.start(path, "--steps", "5", files=files)
    done = engine.finish()
    assert done[0] == 0, done
    status, out, err = plain(rig.directory, path, "--steps", "5")
    assert (status, err) == (0, "")
    rig.node.wait_text("at exit")
    assert rig.node.text() == out


def test_a_module_runs_as_with_dash_m(rig):
    """-m: spec, package and path as the interpreter sets them."""
    files = {"pkg/__init__.py": "", "pkg/__main__.py": """
        import sys
        from . import part
        print(__name__, __package__, __spec__.name, sys.argv, sys.path[0] , part.__name__, __file__)
    """, "pkg/part.py": ""}  # fmt: skip
    engine = rig.start("-m", "pkg", "x", files=files)
    done = engine.finish()
    assert done[0] == 0, done
    rig.node.wait_text("\n")
    assert rig.node.text() == plain(rig.directory, "-m", "pkg", "x")[1]


ENDINGS = {
    "pass": 0,
    "import sys; sys.exit(7)": 7,
    "raise SystemExit": 0,
    "import sys; sys.exit('text')": 1,
    "import sys; sys.exit(256 + 3)": 3,
    "def f():\n    raise ValueError('no')\nf()": 1,
    "x = = 1": 1,
    "raise KeyboardInterrupt": -signal.SIGINT,
    "import os; os._exit(5)": 5,
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": -signal.SIGKILL,
    "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.05), print('thread'))).start()": 0,
    "import atexit, os\natexit.register(os._exit, 9)": 9,
    "import sys\nsys.excepthook = lambda *a: print('hook', a[0])\n1/0": 1,
}


@pytest.mark.parametrize("program", ENDINGS)
def test_exit_status_and_traceback_are_plain_pythons(rig, program):
    """What ends the program, and what it says then; `sys.exit` on one rank is not lost."""
    (rig.directory / "sim.py").write_text(program)
    expected = plain(rig.directory, "sim.py")
    assert expected[0] == ENDINGS[program]
    assert under_engine(rig, "sim.py") == expected


def test_the_end_of_a_script_is_reported(rig):
    """An execute_reply with parent "run" and the exit status, then the state."""
    rig.script("import sys; print('x'); sys.exit(4)").finish()
    reply = rig.node.reply_to("run").data()
    assert (reply["status"], reply["exit"]) == ("ok", 4)
    assert rig.node.wait_state("ended")["exit"] == 4
    said = [m.type for m in rig.node.said_for("run")]
    assert said == ["stream", "execute_reply"]


def test_an_uncaught_exception_is_reported(rig):
    """P4: a failed rank is never one of the good ones."""
    rig.script("1/0").finish()
    reply = rig.node.reply_to("run").data()
    assert (reply["status"], reply["ename"], reply["exit"]) == ("error", "ZeroDivisionError", 1)


@pytest.mark.parametrize("arguments", [["none.py"], ["-m", "none_such"], ["-m", "json.none"], ["empty"]])
def test_what_is_not_there_is_said_as_python_says_it(rig, arguments):
    """Exit status and message of plain Python."""
    (rig.directory / "empty").mkdir()
    assert under_engine(rig, *arguments) == plain(rig.directory, *arguments)


POOLS = """
    import multiprocessing, sys, os, pickle
    from concurrent.futures import ProcessPoolExecutor

    class Point:
        def __init__(self, x): self.x = x

    def double(p):
        print("child", p.x, flush=True)
        return Point(2 * p.x)

    if __name__ == "__main__":
        method = sys.argv[1]
        context = multiprocessing.get_context(method)
        with context.Pool(1) as pool:
            print(pool.map(double, [Point(1)])[0].x)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            print(pool.submit(double, Point(4)).result().x)
        print(pickle.loads(pickle.dumps(Point(3))).x)
"""


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_pools_of_processes_work(rig, method):
    """Functions and classes of `__main__` are found; the children's output reaches the pipes; they are no ranks."""
    rig.start("sim.py", method, files={"sim.py": POOLS})
    status = rig.engines[0].finish()[0]
    assert status == 0, rig.node.log
    rig.node.wait_text("3\n")
    assert sorted(rig.node.text().split("\n")) == sorted(["child 1", "2", "child 4", "8", "3", ""])
    assert len(rig.node.hellos) == 1


def test_a_forked_child_may_fall_off_the_end_of_the_script(rig):
    """It is no rank: it holds no socket, says nothing, and its end is its own."""
    rig.script("""
        import os, sys, atexit
        atexit.register(print, "bye")
        pid = os.fork()
        if pid:
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        else:
            print("err", file=sys.stderr)
            import stat
            held = [f for f in range(3, 50) if os.path.exists(f"/proc/self/fd/{f}")]
            print("child", sum(stat.S_ISSOCK(os.stat(f).st_mode) for f in held))
            sys.exit(3)
    """).finish()
    rig.node.wait_state("ended")
    assert rig.node.text() == "child 0\nbye\n3\nbye\n"
    assert rig.node.text(name="stderr") == "err\n"
    assert len([m for m in rig.node.said if m.type == "execute_reply"]) == 1


def test_subprocesses_print_into_the_pipes(rig):
    """And claim no rank, not by `join` either."""
    rig.script("""
        import subprocess, sys, os
        subprocess.run([sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr)"])
        code = "import pxshell, pxshell.engine.join as j; pxshell.join(); print(j.current_engine())"
        subprocess.run([sys.executable, "-c", code])
    """).finish()
    rig.node.wait_state("ended")
    assert rig.node.text() == "out\nNone\n"
    assert rig.node.text(name="stderr") == "err\n"


def test_a_held_script_waits_for_its_start(rig):
    """User code starts when the front end is attached."""
    rig.start("--hold", "sim.py", files={"sim.py": "print('on')"})
    rig.node.wait_state("starting")
    assert "stacks" not in rig.node.text()
    assert rig.node.ask("px_stacks_request")["status"] == "ok"
    assert rig.node.text() == ""
    assert rig.node.ask("px_start_request") == {"status": "ok"}
    rig.node.wait_text("on\n")


def test_an_attended_script_leaves_its_names(rig):
    """As after `python -i`: idle, with the script's namespace; then it exits with the script's status."""
    engine = rig.start("--hold", "sim.py", files={"sim.py": "import sys\nx = 5\ndef f(): return x\nsys.exit(3)"})
    rig.node.attend(1, stay=True)
    rig.node.ask("px_start_request")
    assert rig.node.reply_to("run").data()["exit"] == 3
    rig.node.wait_state("idle")
    said = rig.node.run("x = 6; f()")
    assert said[0].data()["data"]["text/plain"] == "6"
    rig.node.request("px_stop_request", {"grace": 5})
    done = engine.finish()
    assert done[0] == 3, done


def test_an_attended_script_ends_when_nobody_stays(rig):
    """The client that stayed has left: the rank ends as plain Python does."""
    engine = rig.start("--hold", "sim.py", files={"sim.py": "x = 5"})
    rig.node.attend(1, stay=True)
    rig.node.ask("px_start_request")
    rig.node.wait_state("idle")
    rig.node.attend(0)
    done = engine.finish()
    assert done[0] == 0, done


def test_a_cell_is_refused_while_a_script_runs(rig):
    """At once, with the present state; a queued one waits for the script's end."""
    rig.script("import time, sys\nprint('on')\nwhile not hasattr(sys, 'go'): time.sleep(0.01)\nx = 'of the script'")
    rig.node.attend(1, stay=True)
    rig.node.wait_text("on")
    reply = rig.node.reply_to(rig.node.cell("1")).data()
    assert (reply["status"], reply["state"]) == ("refused", "busy")
    queued = rig.node.cell("x", queue=True)
    assert rig.node.run("setattr(__import__('sys'), 'go', 1)", place="peek")[-1].data()["status"] == "ok"
    assert rig.node.until_reply(queued)[0].data()["data"]["text/plain"] == "'of the script'"
    rig.node.request("px_stop_request", {"grace": 5})


def test_peek_reads_a_running_script(rig):
    """Single expressions, from the side, in the running frame."""
    rig.script("import time\ndef main():\n    step = 41\n    print('on')\n    while True: time.sleep(0.01)\nmain()")
    rig.node.wait_text("on")
    assert rig.node.peek("step + 1") == "42"
    assert rig.node.reply_to(rig.node.cell("step = 2", place="peek")).data()["status"] == "error"
    said = rig.node.run("step", place="peek")
    assert [m.type for m in said] == ["execute_result", "execute_reply"]
    entries = rig.node.ask("px_stacks_request", {"full": False})["entries"]
    assert [entry[2] for entry in entries if entry[3]] == ["<module>", "main"]


def test_a_peek_that_blocks_blocks_nothing_else(rig):
    """P6: an expression that waits for ever costs itself."""
    rig.script(
        "import time, threading\nlock = threading.Lock()\nlock.acquire()\nprint('on')\nwhile True: time.sleep(0.01)"
    )
    rig.node.wait_text("on")
    rig.node.cell("lock.acquire()", place="peek")
    assert rig.node.ask("px_stacks_request")["status"] == "ok"
    assert rig.node.peek("1") == "1"
    assert rig.node.ask("px_pause_request", {"pause": "p", "mode": "line"})["outcome"] == "paused"


@pytest.mark.leaves_files
def test_a_script_goes_on_alone_when_its_node_dies(rig):
    """P8: nothing that it prints fails; its own descriptors get it."""
    (rig.directory / "node-lives").touch()
    engine = rig.script("""
        import sys, time, os
        print("on", flush=True)
        while os.path.exists("node-lives"): time.sleep(0.01)
        for i in range(20000): print("line", i)
        print("error", file=sys.stderr)
        os.write(1, b"raw\\n")
        print("done")
    """)
    rig.node.wait_text("on")
    rig.node.close()
    (rig.directory / "node-lives").unlink()
    status, out, err = engine.finish()
    assert status == 0, rig.node.log
    assert out.split("\n")[-3:] == ["raw", "done", ""]
    assert err == "error\n"


@pytest.mark.parametrize("cell", [None, "while True: pass"])
def test_a_rank_without_script_ends_with_its_node(rig, cell):
    """Nobody could reach it any more."""
    engine = rig.start()
    rig.node.wait_state("idle")
    if cell:
        rig.node.cell(cell)
        rig.node.wait_state("busy")
    rig.node.close()
    engine.finish()


def test_a_flood_keeps_its_order_and_loses_nothing(rig):
    """P2, with stderr between."""
    rig.script("""
        import sys
        for i in range(20000):
            print("o", i)
            if not i % 100: print("e", i, file=sys.stderr)
    """).finish()
    rig.node.wait_state("ended")
    assert rig.node.text() == "".join(f"o {i}\n" for i in range(20000))
    assert rig.node.text(name="stderr") == "".join(f"e {i}\n" for i in range(0, 20000, 100))


@pytest.mark.parametrize("form", ["directory", "archive"])
def test_directories_and_archives_run(rig, form):
    """`python DIR` and `python FILE.zip`."""
    import zipfile

    if form == "directory":
        (rig.directory / "app").mkdir()
        (rig.directory / "app" / "__main__.py").write_text("import sys; print(__name__, __package__, sys.path[0])")
    else:
        with zipfile.ZipFile(rig.directory / "app", "w") as archive:
            archive.writestr("__main__.py", "import sys; print(__name__, __package__, sys.path[0])")
    assert under_engine(rig, "app") == plain(rig.directory, "app")


def test_a_signal_from_elsewhere_does_not_end_an_idle_rank(rig):
    """An mpiexec that hands Ctrl-C on, or `%pxsignal INT`."""
    engine = rig.start()
    rig.node.wait_state("idle")
    engine.send_signal(signal.SIGINT)
    assert rig.node.run("1")[-1].data()["status"] == "ok"
    engine.send_signal(signal.SIGINT)
    assert rig.node.run("1")[-1].data()["status"] == "ok"


def test_a_handler_that_a_cell_has_left_does_not_end_an_idle_rank(rig):
    """P3: Python's own handler of Ctrl-C, say, which raises wherever the main thread is."""
    engine = rig.start()
    rig.node.wait_state("idle")
    rig.node.run("import signal; signal.signal(signal.SIGINT, signal.default_int_handler)")
    for _ in range(20):
        engine.send_signal(signal.SIGINT)
        assert rig.node.run("1")[-1].type == "execute_reply"
    assert rig.node.log == ""


def test_a_signal_from_elsewhere_does_not_end_a_rank_whose_script_has_just_ended(rig):
    """As above, from the moment at which it is told."""
    engine = rig.start("--hold", "sim.py", files={"sim.py": "x = 1"})
    rig.node.wait_state("starting")
    rig.node.attend(stay=True)
    rig.node.ask("px_start_request")
    rig.node.reply_to("run")
    engine.send_signal(signal.SIGINT)
    assert rig.node.run("x")[0].data()["data"]["text/plain"] == "1"


def test_a_pause_that_came_before_the_start_stops_the_first_line(rig):
    """Design 9: a front end arms its pause, then lets user code start."""
    rig.start("--hold", "sim.py", files={"sim.py": "x = 1\ny = 2\nx = 3\n"})
    rig.node.wait_state("starting")
    assert rig.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})["outcome"] == "pending"
    rig.node.ask("px_start_request")
    assert rig.node.wait_state("paused")["line"] == 1
    assert rig.node.run("'x' in globals()", place="frame:p1")[0].data()["data"]["text/plain"] == "False"
    rig.node.ask("px_resume_request", {"pause": "p1"})
    assert rig.node.reply_to("run").data()["exit"] == 0


def test_a_pause_that_is_withdrawn_before_the_start_stops_nothing(rig):
    """P5: what is not paused runs as it would."""
    rig.start("--hold", "sim.py", files={"sim.py": "print('on')"})
    rig.node.wait_state("starting")
    rig.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})
    assert rig.node.ask("px_resume_request", {"pause": "p1"})["outcome"] == "resumed"
    rig.node.ask("px_start_request")
    assert rig.node.reply_to("run").data()["exit"] == 0


def test_a_synchronised_pause_before_the_start_stops_at_the_first_value(rig):
    """Where a name is assigned first, in whatever function."""
    rig.start("--hold", "sim.py", files={"sim.py": """
        def main():
            total = 0
            for step in range(5, 9):
                total += step
        main()
    """})  # fmt: skip
    rig.node.wait_state("starting")
    sync = {"mode": "sync", "expression": "step", "target": None, "file": "", "function": ""}
    assert rig.node.ask("px_pause_request", {"pause": "p1", **sync})["outcome"] == "pending"
    rig.node.ask("px_start_request")
    state = rig.node.wait_state("paused")
    assert (state["value"], state["function"], state["reason"]) == (5, "main", "sync")
    rig.node.ask("px_resume_request", {"pause": "p1"})
    assert rig.node.reply_to("run").data()["exit"] == 0
