"""Programs that pxshell did not start: they listen, and nothing of them is touched until somebody comes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from engine.fake_node import FakeNode

from pxshell.rendezvous.worlds import list_worlds
from pxshell.testing.waiting import wait_until

PYTHON = ("-u",)


def sockets():
    return [engine for world in list_worlds() for engine in world.engines]


@pytest.fixture
def visitor():
    """Give a node that goes to engines."""
    node = FakeNode(None, gives_pipes=False)
    yield node
    node.close()


def attach(visitor) -> None:
    engine = wait_until(sockets, 30, "the engine listens")[0]
    visitor.adopt(engine.path)
    visitor.attend(1)


JOINED = """
    import pxshell, signal, sys, threading, asyncio
    before = [signal.getsignal(n) for n in signal.valid_signals()], sys.breakpointhook, sys.excepthook, sys.displayhook
    main = dict(vars(sys.modules["__main__"]))
    me = pxshell.join()
    assert pxshell.join() == me
    after = [signal.getsignal(n) for n in signal.valid_signals()], sys.breakpointhook, sys.excepthook, sys.displayhook
    print("same", before == after, "write" in vars(sys.stdout), sys.gettrace(), "IPython" in sys.modules)
    print(me.rank, me.size)
    sys.stdout.flush()
    while not hasattr(sys, "go"): threading.Event().wait(0.01)
    print("end")
"""


def test_join_touches_nothing_until_the_first_client(rig, visitor):
    """No handler, hook, stream or module; afterwards a copy of what it prints is sent, and its own output stays."""
    engine = rig.start_alone("sim.py", files={"sim.py": JOINED}, python=PYTHON)
    attach(visitor)
    assert visitor.wait_state("busy")["cell"] == "run"
    assert visitor.hellos[0].script == "sim.py"
    visitor.cell("setattr(sys, 'go', 1)", place="peek")
    status, out, err = engine.finish()
    assert (status, err) == (0, "")
    assert out == "same True False None False\n0 2\nend\n"
    visitor.wait_text("end\n")
    assert visitor.text() == "end\n"
    assert sockets() == []


def test_attaching_pausing_and_leaving_again(rig, visitor):
    """A second client finds it as the first did; text of cells is not put into the job's output."""
    engine = rig.start_alone("sim.py", files={"sim.py": JOINED}, python=PYTHON)
    attach(visitor)
    answer = visitor.ask("px_pause_request", {"pause": "p1", "mode": "line"})
    assert answer["outcome"] == "paused"
    request = visitor.cell("print('of a cell'); me.rank", place="frame:p1")
    visitor.reply_to(request)
    assert visitor.text(request) == "of a cell\n"
    visitor.close()
    second = FakeNode(None, gives_pipes=False)
    try:
        attach(second)
        second.cell("setattr(sys, 'go', 1)", place="peek")
        assert engine.finish()[1].endswith("0 2\nend\n")
    finally:
        second.close()


def test_a_script_under_somebody_elses_launcher_listens(rig, visitor):
    """`mpiexec -n 4 python -m pxshell.engine sim.py`: it runs at once, and its exit status is its own."""
    engine = rig.start_alone("sim.py", files={"sim.py": "import sys, time\nprint('on')\n"
        "while not hasattr(sys, 'go'): time.sleep(0.01)\nprint('end')\nsys.exit(5)"})  # fmt: skip
    attach(visitor)
    visitor.cell("setattr(sys, 'go', 1)", place="peek")
    assert engine.finish() == (5, "on\nend\n", "")
    assert visitor.reply_to("run").data()["exit"] == 5
    assert visitor.wait_state("ended")["exit"] == 5


def test_a_process_is_not_joined_by_its_children(rig):
    """Spawned children import the program again; their `join` does nothing."""
    program = """
        import multiprocessing, pxshell
        me = pxshell.join()
        def where(_):
            from pxshell.engine.join import current_engine
            return current_engine() is None
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool: print(pool.map(where, [1]))
    """
    assert rig.start_alone("sim.py", files={"sim.py": program}, python=PYTHON).finish() == (0, "[True]\n", "")


def test_join_without_a_safe_directory_says_one_line(rig):
    """The program runs on."""
    (rig.directory / "open").mkdir(mode=0o755)
    (rig.directory / "open").chmod(0o755)
    engine = rig.start_alone(
        "sim.py", files={"sim.py": "import pxshell\npxshell.join()\nprint('on')"}, python=PYTHON,
        PXSHELL_RUNTIME_DIR=str(rig.directory / "open"),
    )  # fmt: skip
    status, out, err = engine.finish()
    assert (status, out, err.count("\n")) == (0, "on\n", 1)
    assert "mode" in err


def test_join_loads_neither_ipython_nor_asyncio_nor_zmq(rig):
    """Light until somebody comes."""
    heavy = ("IPython", "asyncio", "zmq", "ipykernel", "traitlets", "hashlib", "psutil", "subprocess")
    code = f"import sys, pxshell; pxshell.join(); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=rig.directory)
    assert done.stdout == "[]\n", done.stderr


def test_an_idle_engine_is_light(rig):
    """Before the first cell: none of the shell's modules."""
    rig.start()
    rig.node.wait_state("idle")
    maps = Path(f"/proc/{rig.engines[0].pid}/maps").read_text()
    assert "libzmq" not in maps
    assert "_asyncio" not in maps
    text = rig.node.peek("'IPython' in __import__('sys').modules")
    assert text == "False"


def test_pause_waits_for_the_first_visitor_when_it_is_to_hold(rig, visitor):
    """PXSHELL_HOLD=1: `pxshell.pause()` stands until somebody attaches, and pauses then."""
    program = "import pxshell\npxshell.join()\nprint('on', flush=True)\npxshell.pause()\nprint('over')"
    engine = rig.start_alone("sim.py", files={"sim.py": program}, python=PYTHON, PXSHELL_HOLD="1")
    attach(visitor)
    state = visitor.wait_state("paused")
    assert (state["line"], state["reason"]) == (4, "breakpoint")
    visitor.ask("px_resume_request", {"pause": state["pause"]})
    assert engine.finish()[:2] == (0, "on\nover\n")


def test_a_forked_child_of_a_program_that_has_joined_prints_as_before(rig, visitor):
    """Before and after the first visitor."""
    program = """
        import os, sys, time, pxshell
        pxshell.join()
        def child(text):
            pid = os.fork()
            if not pid:
                print(text, flush=True)
                os._exit(4)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        child("one")
        while not hasattr(sys, "go"): time.sleep(0.01)
        child("two")
    """
    engine = rig.start_alone("sim.py", files={"sim.py": program}, python=PYTHON)
    attach(visitor)
    visitor.cell("setattr(sys, 'go', 1)", place="peek")
    assert engine.finish()[:2] == (0, "one\n4\ntwo\n4\n")


FAILS = """
    import pxshell, sys, threading
    pxshell.join()
    def work(go=False):
        while not hasattr(sys, "go"): threading.Event().wait(0.01)
        raise OSError("no room")
    print("up")
    work()
"""


@pytest.mark.parametrize("is_held", [True, False])
def test_a_program_that_has_joined_is_held_when_it_fails(rig, visitor, is_held):
    """P8: its frames can be looked at if a client wants that; either way it ends as plain Python does."""
    engine = rig.start_alone("sim.py", files={"sim.py": FAILS}, python=PYTHON)
    attach(visitor)
    visitor.attend(1, hold=is_held)
    visitor.wait_state("busy")
    visitor.cell("setattr(sys, 'go', 1)", place="peek")  # it may have ended before it answers
    if is_held:
        state = visitor.wait_state("failed")
        assert (state["function"], state["why"]) == ("work", "OSError: no room")
        assert visitor.run("go", place=f"frame:{state['pause']}")[-1].data()["status"] == "ok"
        visitor.request("px_resume_request", {"pause": state["pause"]})
    status, out, err = engine.finish()
    assert (status, out) == (1, "up\n")
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith('in work\n    raise OSError("no room")\nOSError: no room\n')
    assert "pxshell" not in err
