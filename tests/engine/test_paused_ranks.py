"""A paused rank: cells in its frame, what is refused, how it goes on."""

from __future__ import annotations

import re
import signal

import pytest

LOOP = """
    import time, sys
    def work(field, gain):
        total = 0
        print("on", flush=True)
        for step in range(10**9):
            total = sum(x * gain for x in field)
            time.sleep(0.001)
            if gain == 0: break
        return step, total
    print("end", work([1, 2, 3], 2)[1])
"""


@pytest.fixture
def paused(rig):
    """Give a node whose rank is paused as p1."""
    rig.script(LOOP)
    rig.node.attend(1)
    rig.node.wait_text("on")
    answer = rig.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})
    assert answer["outcome"] == "paused"
    assert (answer["function"], answer["file"]) == ("work", str(rig.directory / "sim.py"))
    # The answer comes a moment before the rank takes cells there.
    rig.node.wait_state("paused")
    return rig.node


#: An engine whose main thread stands, once it has said that it runs a cell, until it has been asked to pause.
ASKED_AS_TOLD = """
import sys, threading
from pxshell.engine.activity import ActivityReport
from pxshell.engine.main import main
from pxshell.engine.pausing import Pauser

asked, change, request = threading.Event(), ActivityReport.change, Pauser.request

def change_and_wait(self, event, *, is_brief=False, **facts):
    change(self, event, **facts)
    assert event != "begin" or asked.wait(60)

def request_and_tell(self, *args, **options):
    request(self, *args, **options)
    asked.set()

ActivityReport.change, Pauser.request = change_and_wait, request_and_tell
sys.exit(main())
"""


def at(node, code, pause="p1", **more):
    """Run a cell in the frame; return what its last expression shows."""
    said = node.run(code, place=f"frame:{pause}", **more)
    shown = [m.data()["data"]["text/plain"] for m in said if m.type == "execute_result"]
    reply = said[-1].data()
    return shown[0] if shown else reply


def test_a_pause_is_told_as_a_state_with_its_place(paused):
    """And as a place on the work lane, after all that was printed before."""
    state = paused.wait_state("paused")
    assert (state["pause"], state["function"], state["reason"], state["cell"]) == ("p1", "work", "request", "run")
    paused.wait(lambda m: m.type == "px_place" and m.data()["activity"] == "paused", "the place")


def test_cells_see_and_change_the_frames_names(paused):
    """Closures and comprehensions see the locals; changed ones are written back; the program goes on with them."""
    assert at(paused, "field") == "[1, 2, 3]"
    assert at(paused, "[x * gain for x in field]") == "[2, 4, 6]"
    assert at(paused, "(lambda: gain + len(field))()") == "5"
    assert at(paused, "gain = 0; field = [5]")["status"] == "ok"
    assert paused.ask("px_resume_request", {"pause": "p1"}) == {"outcome": "resumed"}
    paused.wait_text("end")


def test_magics_display_input_and_shell_commands_work_in_a_frame(paused):
    """As in the idle place."""
    assert at(paused, "x = !echo {gain}\nx[0]") == "'2'"
    said = paused.run("display(gain)", place="frame:p1")
    assert said[0].data()["data"]["text/plain"] == "2"
    request = paused.cell("int(input('n? ')) + gain", place="frame:p1")
    paused.wait(lambda m: m.type == "input_request", "the question")
    paused.request("input_reply", {"value": "40"})
    assert paused.until_reply(request)[-2].data()["data"]["text/plain"] == "42"


def test_text_of_a_cell_in_a_frame_is_the_cells(paused):
    """And the script's text goes on to be the script's."""
    request = paused.cell("print('mine')", place="frame:p1")
    paused.reply_to(request)
    assert paused.text(request) == "mine\n"
    at(paused, "gain = 0")
    paused.ask("px_resume_request", {"pause": ""})
    paused.wait_text("end")


def test_a_failing_cell_leaves_the_pause(paused):
    """It shows the cell's frames, not the script's below it."""
    said = paused.run("1 / (gain - 2)", place="frame:p1", cell=9)
    error = said[0].data()
    assert (error["ename"], error["cell"], error["line"]) == ("ZeroDivisionError", 9, 1)
    assert "sim.py" not in "".join(error["full"])
    assert at(paused, "gain") == "2"


def test_a_cell_in_a_frame_can_be_interrupted(paused):
    """The pause stays."""
    request = paused.cell("print('in')\nwhile True: pass", place="frame:p1")
    paused.wait_text("in", request)
    assert paused.ask("interrupt_request", {"cell": request})["outcome"] == "interrupted"
    assert paused.reply_to(request).data()["ename"] == "KeyboardInterrupt"
    assert at(paused, "gain") == "2"


def test_await_in_a_frame_is_a_clear_error(paused):
    """Its event loop stands still with it."""
    said = paused.run("import asyncio; await asyncio.sleep(0)", place="frame:p1")
    assert said[-1].data()["status"] == "error"
    assert "paused" in said[0].data()["evalue"]


def test_stale_and_idle_places_are_refused(paused):
    """Never ignored, never run elsewhere."""
    reply = paused.reply_to(paused.cell("1", place="frame:p0")).data()
    assert (reply["status"], reply["state"]) == ("refused", "paused")
    assert "stale" in reply["why"]
    assert paused.reply_to(paused.cell("1", place="idle")).data()["status"] == "refused"
    assert paused.ask("px_resume_request", {"pause": "p0"}) == {"outcome": "stale"}
    assert paused.ask("px_resume_request", {"pause": "p1"}) == {"outcome": "resumed"}
    reply = paused.reply_to(paused.cell("1", place="frame:p1")).data()
    assert reply["status"] == "refused"


def test_pull_and_push_use_the_frames_names(paused):
    """Values go as pickles; what is pushed is written back."""
    from pxshell.protocol.pickles import pack, unpack

    request = paused.request("px_pull_request", {"expressions": ["gain", "field[0]"], "places": [["frame:p1", "0"]]})
    assert unpack(paused.reply_to(request).buffers) == [2, 1]
    pushed = paused.request("px_push_request", {"places": [["frame:p1", "0"]]}, buffers=pack({"gain": 0}))
    assert paused.reply_to(pushed).data() == {"status": "ok"}
    paused.ask("px_resume_request", {"pause": ""})
    paused.wait_text("end")


def test_completion_and_inspection_know_the_frame(paused):
    """Also while it runs again."""
    for _ in range(2):
        found = paused.ask("complete_request", {"code": "fie", "cursor_pos": 3})
        assert "field" in found["matches"]
        assert (found["cursor_start"], found["cursor_end"]) == (0, 3)
        shown = paused.ask("inspect_request", {"code": "field", "cursor_pos": 3, "detail_level": 0})
        assert "list" in shown["data"]["text/plain"]
        paused.ask("px_resume_request", {"pause": ""})


def test_a_program_that_sleeps_in_python_is_paused_all_the_same(rig):
    """A line of user code does not come: it stops inside the call."""
    rig.script("import time\nprint('on', flush=True)\ntime.sleep(1000)\nprint('woken')")
    rig.node.wait_text("on")
    answer = rig.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})
    assert (answer["outcome"], answer["line"]) == ("paused", 3)


def test_a_rank_in_c_is_held_and_its_pause_falls_with_the_resume(rig):
    """It stands where it is; only single expressions run, from the side."""
    rig.script("""
        import ctypes, signal
        libc = ctypes.CDLL(None)
        semaphore = ctypes.create_string_buffer(64)
        libc.sem_init(semaphore, 0, 0)
        # A C library that does not give up its wait at a signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        def stuck(tag):
            print("on", flush=True)
            libc.sem_wait(semaphore)
            print("free")
        stuck(7)
    """)
    rig.node.wait_text("on")
    rig.node.wait_for(lambda: rig.node.ask("px_where_request", {})["line"] == 10, "the rank is at sem_wait")
    answer = rig.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})
    assert (answer["outcome"], answer["function"]) == ("held", "stuck")
    assert rig.node.wait_state("held")["pause"] == "p1"
    assert rig.node.peek("tag") == "7"
    reply = rig.node.reply_to(rig.node.cell("tag", place="frame:p1")).data()
    assert (reply["status"], reply["state"]) == ("refused", "held")
    assert rig.node.ask("px_resume_request", {"pause": "p1"}) == {"outcome": "resumed"}
    rig.node.wait_state("busy", counter=3)
    rig.node.cell("libc.sem_post(semaphore)", place="peek")
    rig.node.wait_text("free")


def test_a_synchronised_pause_stops_where_the_value_is_reached(rig):
    """Armed at once, stopped at the step."""
    rig.script(LOOP)
    rig.node.wait_text("on")
    found = rig.node.wait_for(lambda: probe_of(rig.node), "a value")
    target = found["value"] + 20
    content = {name: found[name] for name in ("file", "function")}
    asked = {"pause": "s1", "mode": "sync", "expression": "step", "target": target, **content}
    assert rig.node.ask("px_pause_request", asked)["outcome"] == "pending"
    state = rig.node.wait_state("paused")
    assert (state["value"], state["reason"], state["pause"]) == (target, "sync", "s1")
    assert at(rig.node, "step", pause="s1") == str(target)


def probe_of(node):
    """Ask for the loop variable's value, which is None while there is none; the lock of the node is reentrant."""
    found = node.ask("px_probe_request", {"expression": "step"})
    return found if found["status"] == "ok" else None


def test_breakpoint_pauses_when_somebody_is_attached(rig):
    """And the front end is told where."""
    rig.start("--hold", "sim.py", files={"sim.py": "def f(x):\n    breakpoint()\n    return x\nprint(f(5))"})
    rig.node.attend(1)
    rig.node.ask("px_start_request")
    state = rig.node.wait_state("paused")
    assert (state["function"], state["reason"]) == ("f", "breakpoint")
    assert at(rig.node, "x", pause=state["pause"]) == "5"
    rig.node.ask("px_resume_request", {"pause": state["pause"]})
    rig.node.wait_text("5\n")


def test_px_pause_chooses_condition_and_rank(rig):
    """The program says when it stops, and which rank."""
    program = "import pxshell\nx = 1\npxshell.pause(x > 1)\npxshell.pause(rank=1)\npxshell.pause(rank=0)\nprint('done')"
    rig.start("--hold", "sim.py", files={"sim.py": program})
    rig.node.attend(1)
    rig.node.ask("px_start_request")
    assert rig.node.wait_state("paused")["line"] == 5


def test_breakpoint_with_nobody_attached_says_one_line_and_goes_on(rig):
    """A batch job does not stand still for ever."""
    done = rig.script("breakpoint()\nprint('on')").finish()
    assert done[0] == 0, done
    rig.node.wait_state("ended")
    assert rig.node.text() == "on\n"
    assert rig.node.text(name="stderr").count("\n") == 1
    assert "sim.py:1" in rig.node.text(name="stderr")


def test_breakpoint_in_a_cell_pauses_as_in_a_program(node):
    """Also before it is told that somebody is there: who asks is. The steps go through the cell, to its end."""
    request = node.cell("z = rank\nbreakpoint()\nz += 1\nfor i in (7,):\n    z += i\nz")
    state = node.wait_state("paused")
    assert (state["line"], state["reason"], state["cell"]) == (2, "breakpoint", request)
    node.attend(1)
    pause = state["pause"]
    for line in (3, 4, 5, 4, 6):
        places = [[f"frame:{pause}", "0"]]
        pause = f"s{line}{pause}"
        told = node.ask("px_step_request", {"pause": pause, "kind": "next", "line": 0, "places": places})
        assert (told["outcome"], told["line"]) == ("paused", line)
    assert at(node, "z + 100", pause=pause) == "108"
    node.ask("px_resume_request", {"pause": pause})
    assert node.reply_to(request).data()["status"] == "ok"


def test_breakpoint_in_a_cell_goes_on_when_its_client_has_gone(node, tmp_path):
    """A cell that outlives who sent it does not stand still for ever."""
    node.attend(1)
    go = tmp_path / "go"
    request = node.cell(f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.001)\nbreakpoint()")
    node.wait_state("busy")
    node.attend(0)
    node.ask("px_probe_request", {"expression": "1"})
    go.touch()
    assert node.reply_to(request).data()["status"] == "ok"
    assert "nobody is attached, going on" in node.text(request, name="stderr")


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("breakpoint()", "a cell in a paused frame"),
        ("import threading as th; t = th.Thread(target=lambda: breakpoint()); t.start(); t.join()", "another thread"),
    ],
)
def test_where_breakpoint_cannot_stop_it_says_so(paused, code, what):
    """P10: one line, and the program goes on."""
    request = paused.cell(code, place="frame:p1", filename="<px cell 3>")
    assert paused.reply_to(request).data()["status"] == "ok"
    text = paused.text(request, name="stderr")
    assert re.fullmatch(rf"pxshell: breakpoint at cell 3, line 1: {what}.* does not stop, going on\n", text), text


def test_a_cell_of_an_idle_rank_can_be_paused(node):
    """A cell is user code as well."""
    request = node.cell("import time\ndef f(n):\n    print('in', flush=True)\n    while n: time.sleep(0.001)\nf(3)")
    node.wait_text("in", request)
    assert node.ask("px_pause_request", {"pause": "p1", "mode": "line"})["outcome"] == "paused"
    assert at(node, "n = 0; n") == "0"
    node.ask("px_resume_request", {"pause": "p1"})
    assert node.reply_to(request).data()["status"] == "ok"


def test_an_idle_rank_cannot_be_paused(node):
    """No user code runs there."""
    assert node.ask("px_pause_request", {"pause": "p1", "mode": "line"})["outcome"] == "idle"


def test_cells_run_in_a_program_that_is_inside_asyncio(rig):
    """No second loop is started."""
    rig.script("""
        import asyncio
        async def main():
            n = 1
            print("on", flush=True)
            while n: await asyncio.sleep(0.001)
        asyncio.run(main())
        print("over")
    """)
    rig.node.wait_text("on")
    assert rig.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})["outcome"] == "paused"
    rig.node.wait_state("paused")
    assert at(rig.node, "n = 0; n") == "0"
    rig.node.ask("px_resume_request", {"pause": "p1"})
    rig.node.wait_text("over")


def test_what_a_signal_handler_raises_while_paused_is_raised_in_the_program(rig):
    """P5: an alarm ends the pause and arrives where the program stands, never in pxshell."""
    engine = rig.script("""
        import os, signal, time
        def ring(*_): raise TimeoutError("late")
        signal.signal(signal.SIGALRM, ring)
        try:
            while True:
                print("on", flush=True)
                time.sleep(0.01)
        except TimeoutError as error:
            print("caught", error)
    """)
    rig.node.wait_text("on")
    assert rig.node.ask("px_pause_request", {"pause": "p", "mode": "line"})["outcome"] == "paused"
    engine.send_signal(signal.SIGALRM)
    done = engine.finish()
    assert done[0] == 0, done
    assert "caught late\n" in rig.node.text()
    assert "Traceback" not in rig.node.text(name="stderr")


def test_a_cell_of_which_others_have_just_heard_can_be_paused(rig):
    """P6: who sees a rank busy and pauses it was told that no user code runs, and the cell ran on."""
    rig.start(python=("engine.py",), files={"engine.py": ASKED_AS_TOLD})
    rig.node.wait_state("idle")
    cell = rig.node.cell("import time\nfor step in range(10**9): time.sleep(0.001)")
    rig.node.wait_state("busy", cell=cell)
    assert rig.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})["outcome"] in ("paused", "held")
    rig.node.wait_state("paused", cell=cell)
