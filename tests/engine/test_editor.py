"""An editor's debugger in a real rank, through messages: no port, stops that are pauses, a rank as before."""

from __future__ import annotations

import itertools
import signal
import sys
from pathlib import Path

import attack
import pytest
from dap_client import DapClient

from pxshell.debug.relay import pythons_own
from pxshell.protocol.tunnel import Chunk, Tunnel
from pxshell.testing.waiting import wait_until

PROGRAM = """
    import os, time
    def work(step, gain):
        doubled = step * 2
        total = doubled * gain
        return total
    def main():
        gain, step, total = 3, 0, 0
        print("on", flush=True)
        while gain and not os.path.exists('stop'):
            step += 1
            total = work(step, gain)
            time.sleep(0.001)
        print("end", step, total, flush=True)
    main()
"""
LINE = 4  # doubled = ...
_numbers = itertools.count(1)


class Editor(DapClient):
    """An editor at the other end of a tunnel to the rank of a fake node."""

    def __init__(self, node) -> None:
        self._node = node
        self._tunnel = Tunnel()
        self.id = f"t{next(_numbers)}"
        super().__init__(lambda data: self._post(self._tunnel.send(data)))
        node.listen(self._heard)

    def open(self) -> dict:
        return self._node.ask("px_debug_open_request", {"who": "a test"}, key=self.id)

    def disconnect(self) -> None:
        """Say good-bye as the front end does, and wait until the rank has."""
        self._node.request("px_debug_close", {"why": "the editor has gone"}, key=self.id)
        self.wait_over()

    def _post(self, chunks) -> None:
        for chunk in chunks:
            self._node.request("px_debug_data", chunk.to_content(), key=self.id, buffers=[chunk.data])

    def _heard(self, message) -> None:
        if message.header.key != self.id:
            return
        if message.type == "px_debug_close":
            self.ended()
            return
        data = bytes(message.buffers[0]) if message.buffers else b""
        content = message.data()
        self._post(self._tunnel.receive(Chunk(content["at"], content["taken"], data)))
        self._post(self._tunnel.use(len(data)))
        self.feed(data)


@pytest.fixture
def running(rig):
    """Give a rank that runs the program, somebody attached."""
    rig.engine = rig.script(PROGRAM)
    rig.node.attend(1)
    rig.node.wait_text("on")
    return rig


def file_of(rig) -> str:
    return str(rig.directory / "sim.py")


def begin(rig, **breakpoint_) -> Editor:
    editor = Editor(rig.node)
    assert editor.open() == {"status": "ok"}
    editor.attach([{"line": LINE, **breakpoint_}] if breakpoint_ else [], file_of(rig))
    return editor


def test_a_running_rank_stops_at_a_conditional_breakpoint_in_the_users_frame(running):
    """P6: evaluate, change, step and go on; while it stands its state says where, and cells run in the frame."""
    editor = begin(running, condition="step % 50 == 0")
    running.node.wait_state("debugging")
    stopped = editor.event("stopped", reason="breakpoint")
    top = editor.top(stopped)
    assert (top["name"], top["line"], top["source"]["path"]) == ("work", LINE, file_of(running))
    state = running.node.wait_state("debugging", function="work", line=LINE, reason="breakpoint of the editor")
    step = int(editor.value("step", top))
    assert step % 50 == 0
    editor.request("setVariable", variablesReference=editor.variables(top)[""], name="gain", value="1000")
    said = running.node.run("step, gain", place=f"frame:{state['pause']}")
    assert said[0].data()["data"]["text/plain"] == f"({step}, 1000)"
    now = editor.now
    editor.request("next", threadId=stopped["threadId"])
    top = editor.top(editor.event("stopped", since=now, reason="step"))
    assert (top["line"], editor.value("doubled * gain", top)) == (LINE + 1, str(step * 2000))
    now = editor.now
    editor.request("continue", threadId=stopped["threadId"])
    editor.event("stopped", since=now, reason="breakpoint")
    editor.disconnect()
    running.node.wait(lambda m: m.type == "px_state" and m.data()["activity"] == "busy", "that it runs again")


def test_log_points_exceptions_and_steps_in_and_out(rig):
    """What else an editor's user sets: each in a real rank."""
    rig.engine = rig.script("""
        import os, time
        def check(step):
            if step % 50 == 0:
                raise ValueError(step)
            return step
        def main():
            step = 0
            print("on", flush=True)
            while not os.path.exists("stop"):
                step += 1
                try:
                    check(step)
                except ValueError:
                    pass
                time.sleep(0.001)
        main()
    """)
    rig.node.attend(1)
    rig.node.wait_text("on")
    editor = Editor(rig.node)
    assert editor.open() == {"status": "ok"}
    editor.attach([{"line": 10, "logMessage": "at {step}", "condition": "step % 20 == 0"}], file_of(rig))
    assert editor.event("output")["output"].startswith("at ")
    editor.request("setExceptionBreakpoints", filters=["raised"])
    stopped = editor.event("stopped", reason="exception")
    thread = stopped["threadId"]
    top = editor.top(stopped)
    assert (top["name"], top["line"]) == ("check", 5)
    assert editor.request("exceptionInfo", threadId=thread)["exceptionId"].endswith("ValueError")
    editor.request("setExceptionBreakpoints", filters=[])
    editor.request("setBreakpoints", source={"path": file_of(rig)}, breakpoints=[{"line": 13}])
    now = editor.now
    editor.request("continue", threadId=thread)
    editor.event("stopped", since=now, reason="breakpoint")
    now = editor.now
    editor.request("stepIn", threadId=thread)
    assert editor.top(editor.event("stopped", since=now, reason="step"))["name"] == "check"
    now = editor.now
    editor.request("stepOut", threadId=thread)
    assert editor.top(editor.event("stopped", since=now, reason="step"))["name"] == "main"
    editor.disconnect()


def test_the_frames_that_the_editor_sees_are_the_users(running):
    """Ours below and above them are hidden, also when it asks for all code."""
    editor = Editor(running.node)
    editor.open()
    editor.attach([{"line": LINE}], file_of(running), justMyCode=False)
    frames = editor.request("stackTrace", threadId=editor.event("stopped")["threadId"])["stackFrames"]
    own = str(Path(__file__).parents[2] / "pxshell")
    assert [one["name"] for one in frames[:3]] == ["work", "main", "<module>"]
    assert not [one for one in frames if one.get("source", {}).get("path", "").startswith(own)]
    names = [one["name"] for one in pythons_own(editor.request("threads")["threads"])]
    assert names == ["MainThread"]


def test_a_paused_rank_is_handed_over_and_stays_paused_afterwards(running):
    """P5: the editor sees the frame where it stands; when it leaves, the pause is the same, and cells run."""
    running.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})
    place = running.node.wait_state("paused")
    editor = begin(running)
    stopped = editor.event("stopped")
    top = editor.top(stopped)
    assert (top["name"], top["line"]) == (place["function"], place["line"])
    assert running.node.run("gain", place="frame:p1")[0].data()["data"]["text/plain"] == "3"
    editor.disconnect()
    running.node.forget()
    assert running.node.run("gain", place="frame:p1")[0].data()["data"]["text/plain"] == "3"
    assert running.node.ask("px_resume_request", {"pause": "p1"}) == {"outcome": "resumed"}


def stands_in(node, pause):
    """Wait until the rank is paused without an editor, then let it go."""
    node.wait_state("paused", pause=pause)
    assert node.run("gain", place=f"frame:{pause}")[0].data()["data"]["text/plain"] == "3"
    assert node.ask("px_resume_request", {"pause": pause}) == {"outcome": "resumed"}


@pytest.mark.parametrize(
    "asked",
    [
        {"mode": "line"},
        {"mode": "sync", "expression": "step", "target": 50, "file": "sim.py", "function": "main"},
    ],
    ids=["line", "sync"],
)
def test_a_pause_that_was_asked_for_while_an_editor_was_there_stays_when_it_leaves(running, asked):
    """P5, P6: its peers stand at the same step, and wait for whoever asked."""
    editor = begin(running)
    target = {**asked}
    if "expression" in asked:
        target |= {"target": int(peek(running.node, "step")) + 50, "file": file_of(running)}
    running.node.ask("px_pause_request", {"pause": "p1", **target})
    editor.event("stopped")
    running.node.wait_state("debugging", pause="p1")
    running.node.forget()
    editor.disconnect()
    stands_in(running.node, "p1")


def test_a_rank_at_the_editors_breakpoint_stays_when_somebody_has_asked_for_a_pause(running):
    """P6: the pause was answered, so it holds; without it the rank goes on with the editor's going."""
    editor = begin(running, condition="step % 50 == 0")
    editor.event("stopped")
    own = running.node.wait_state("debugging", function="work")["pause"]
    assert running.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})["outcome"] == "paused"
    running.node.forget()
    editor.disconnect()
    stands_in(running.node, own)


def test_a_program_that_fails_while_it_is_debugged_stays_failed_when_the_editor_leaves(rig):
    """P5: with its exception an MPI job may end, which is nothing for an editor's going."""
    rig.start("--hold", "sim.py", files={"sim.py": PROGRAM.replace("total = doubled * gain", "total = doubled / 0")})
    rig.node.attend(1, hold=True)
    editor = begin(rig)
    rig.node.ask("px_start_request")
    pause = rig.node.wait_state("debugging", reason="exception")["pause"]
    rig.node.forget()
    editor.disconnect()
    rig.node.wait_state("failed", pause=pause)
    assert rig.node.run("doubled", place=f"frame:{pause}")[0].data()["data"]["text/plain"] == "2"
    assert rig.node.ask("px_resume_request", {"pause": pause}) == {"outcome": "resumed"}
    rig.node.wait_state("ended", exit=1)


def test_a_handed_over_rank_goes_on_at_the_editors_word_and_stops_at_its_breakpoints(running):
    """As one that was running."""
    running.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})
    running.node.wait_state("paused")
    editor = begin(running, hitCondition="3")
    thread = editor.event("stopped")["threadId"]
    now = editor.now
    editor.request("continue", threadId=thread)
    top = editor.top(editor.event("stopped", since=now, reason="breakpoint"))
    assert (top["name"], top["line"]) == ("work", LINE)
    editor.disconnect()


def test_what_a_failed_rank_has_left_is_handed_over_and_stays_afterwards(rig):
    """P5: the frames of the traceback with their variables; when the editor has left, the rank has failed as before."""
    rig.start("--hold", "sim.py", files={"sim.py": PROGRAM.replace("total = doubled * gain", "total = doubled / 0")})
    rig.node.attend(1, hold=True)
    rig.node.ask("px_start_request")
    state = rig.node.wait_state("failed")
    editor = begin(rig)
    stopped = editor.event("stopped", reason="exception")
    top = editor.top(stopped)
    assert (top["name"], top["line"], top["source"]["path"]) == ("work", LINE + 1, file_of(rig))
    assert editor.value("(step, doubled)", top) == "(1, 2)"
    names = [frame["name"] for frame in editor.request("stackTrace", threadId=stopped["threadId"])["stackFrames"]]
    assert names == ["work", "main", "<module>"]
    told = editor.request("exceptionInfo", threadId=stopped["threadId"])
    assert (told["exceptionId"], told["description"]) == ("ZeroDivisionError", "division by zero")
    assert rig.node.run("doubled", place=f"frame:{state['pause']}")[0].data()["data"]["text/plain"] == "2"
    editor.disconnect()
    rig.node.forget()
    assert rig.node.run("doubled", place=f"frame:{state['pause']}")[0].data()["data"]["text/plain"] == "2"
    assert rig.node.ask("px_resume_request", {"pause": state["pause"]}) == {"outcome": "resumed"}
    rig.node.wait_state("ended", exit=1)


def test_the_prompt_resumes_what_the_editor_has_stopped_and_the_editor_is_told(running):
    """One rank, one state: both see the same."""
    editor = begin(running, condition="step % 50 == 0")
    editor.event("stopped")
    state = running.node.wait_state("debugging", function="work")
    now = editor.now
    assert running.node.ask("px_resume_request", {"pause": state["pause"]}) == {"outcome": "resumed"}
    editor.event("continued", since=now)
    editor.event("stopped", since=now)
    editor.disconnect()


def test_the_prompt_pauses_what_the_editor_lets_run_and_the_editor_is_told(running):
    """And a pause that was asked for is answered."""
    editor = begin(running)
    assert running.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})["outcome"] == "paused"
    top = editor.top(editor.event("stopped"))
    assert top["name"] in {"work", "main"}
    editor.disconnect()


def test_the_editor_pauses_a_running_rank(running):
    """Its pause button."""
    editor = begin(running)
    thread = editor.request("threads")["threads"][0]["id"]
    editor.request("pause", threadId=thread)
    assert editor.top(editor.event("stopped", reason="pause"))["name"] in {"work", "main"}
    editor.disconnect()


def test_attaching_works_ten_times_over_and_opens_no_port(running):
    """P9: nothing listens on the rank's machine, before, during or after; no thread of debugpy is left."""
    before = attack.tcp_listeners(running.engine.pid)
    threads = None
    for _ in range(10):
        editor = begin(running, condition="step % 20 == 0")
        editor.event("stopped")
        assert attack.tcp_listeners(running.engine.pid) == before
        running.node.forget()
        editor.disconnect()
        running.node.wait_state("busy")
        now = running.node.wait_for(lambda: settled_threads(running), "the threads of debugpy to end")
        threads = threads or now
        assert now == threads
    assert attack.tcp_listeners(running.engine.pid) == before == []


def test_an_editor_that_comes_while_the_last_ones_stop_ends_leaves_the_rank_running(running):
    """P5: that the main thread is slow to leave, with a cell here, makes no pause of others of it."""
    first = begin(running, condition="step % 20 == 0")
    first.event("stopped")
    pause = running.node.wait_state("debugging", reason="breakpoint of the editor")["pause"]
    cell = running.node.cell("print('in it', flush=True); import time; time.sleep(1)", place=f"frame:{pause}")
    running.node.wait_text("in it", cell)
    first.disconnect()
    second = begin(running, condition="step % 20 == 0")
    second.event("stopped")
    running.node.forget()
    second.disconnect()
    running.node.wait_state("busy")


def settled_threads(rig):
    found = peek(rig.node, "sorted(t.name for t in __import__('threading').enumerate())")
    return None if "pydevd." in found or "pxshell-debugger" in found else found


def peek(node, code):
    return node.run(code, place="peek")[0].data()["data"]["text/plain"]


@pytest.mark.parametrize("is_stopped", [True, False])
def test_no_trace_is_left_when_the_editor_has_gone(running, is_stopped):
    """P5: neither of the thread, nor of its frames, nor a monitor: the rank has its full speed again."""
    editor = begin(running, condition="step % 50 == 0" if is_stopped else "False")
    if is_stopped:
        editor.event("stopped")
    running.node.forget()
    editor.disconnect()
    running.node.wait_state("busy")
    # Kept, should the main thread still be on its way out of the editor's stop.
    running.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})
    running.node.wait_state("paused", pause="p1")
    code = """
import sys, threading
frame, found = sys._getframe(), [sys.gettrace(), threading.gettrace()]
while frame:
    found.append(frame.f_trace)
    frame = frame.f_back
if sys.version_info >= (3, 12):
    tools = sys.monitoring
    found.append(tools.get_tool(tools.DEBUGGER_ID))
    tools.use_tool_id(tools.DEBUGGER_ID, "test")
    found += [tools.get_local_events(tools.DEBUGGER_ID, one.__code__) or None for one in (work, main)]
    tools.free_tool_id(tools.DEBUGGER_ID)
    found.append(None if type(tools.set_local_events) is type(len) else "replaced")
[one for one in found if one is not None]
"""
    assert running.node.run(code, place="frame:p1")[0].data()["data"]["text/plain"] == "[]"


HELD_UP = """
import os, pydevd, time
debugger = pydevd.get_global_debugger()
def held_up(*tracer, enable=debugger.enable_tracing):
    if tracer:
        open("held", "w").close()
        while os.path.exists("hold"):
            time.sleep(0.001)
    enable(*tracer)
debugger.enable_tracing = held_up
"""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the debugger has no trace function there")
def test_no_trace_is_left_though_the_editor_goes_while_its_trace_function_begins_to_trace(running):
    """P5: it goes on where it was when it was told to end, and traced the rank for good."""
    begin(running).disconnect()
    (running.directory / "hold").touch()
    assert peek(running.node, f"exec({HELD_UP!r}, {{}}) or 1") == "1"
    editor = begin(running)
    wait_until((running.directory / "held").exists, 30, "the main thread is about to be traced")
    running.node.forget()
    editor.disconnect()
    running.node.wait_state("busy")
    assert peek(running.node, "1 + 1") == "2"  # so that the main thread has been told
    (running.directory / "hold").unlink()
    running.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})
    running.node.wait_state("paused", pause="p1")
    said = running.node.run("__import__('sys').gettrace()", place="frame:p1")
    assert [message.type for message in said] == ["execute_reply"], said


def test_a_second_editor_is_refused_and_told_who_holds_the_rank(running):
    """P10: and the first goes on."""
    editor = begin(running, condition="step % 50 == 0")
    editor.event("stopped")
    answer = Editor(running.node).open()
    assert answer["status"] == "refused"
    assert "debugged by a test" in answer["why"]
    editor.disconnect()


def test_an_idle_rank_can_be_debugged_and_its_cells_run(node):
    """Breakpoints of the files that they call hold."""
    editor = Editor(node)
    assert editor.open() == {"status": "ok"}
    editor.attach()
    node.wait_state("debugging")
    assert node.run("1 + 1")[0].data()["data"]["text/plain"] == "2"
    editor.disconnect()
    node.forget()
    assert node.run("1 + 2")[0].data()["data"]["text/plain"] == "3"


def test_a_step_out_of_a_file_into_a_cell_lets_the_cell_go_on_and_a_pause_between_cells_is_none(node, tmp_path):
    """P6: in code of ours around the cell the rank would stand where no prompt knows it, and run no cell."""
    module = tmp_path / "stepped.py"
    module.write_text("def f(x):\n    y = x + 1\n    return y\n")
    editor = Editor(node)
    assert editor.open() == {"status": "ok"}
    editor.attach([{"line": 2}], str(module))
    node.wait_state("debugging")
    thread = editor.request("threads")["threads"][0]["id"]
    editor.request("pause", threadId=thread)
    assert node.run(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import stepped")[-1].data()["status"] == "ok"
    request = node.cell("x = stepped.f(1)")
    editor.event("stopped", reason="breakpoint")
    editor.request("stepOut", threadId=thread)
    assert node.reply_to(request).data()["status"] == "ok"
    assert node.run("x + 1")[0].data()["data"]["text/plain"] == "3"
    editor.disconnect()


def test_lost_bytes_end_the_session_and_the_rank_goes_on(running):
    """P2: a stream with a hole is not read on."""
    editor = begin(running, condition="step % 50 == 0")
    editor.event("stopped")
    running.node.forget()
    running.node.request("px_debug_data", {"at": 10**6, "taken": 0}, key=editor.id, buffers=[b"x"])
    editor.wait_over()
    running.node.wait_state("busy")


def test_a_request_over_which_debugpy_fails_ends_the_session_and_the_next_editor_may_come(running):
    """P3: debugpy's reader ends without a word; whoever waits for an answer is told, and the program runs on."""
    editor = begin(running)
    editor.begin("setBreakpoints", {"source": {"path": file_of(running)}, "breakpoints": [{"line": "x"}]})
    editor.wait_over()
    running.node.wait_state("busy")
    begin(running).disconnect()


def test_when_the_node_is_lost_the_program_runs_on_alone(running):
    """P8: within the time that it takes to notice; it does not stand at a breakpoint for ever."""
    editor = begin(running, condition="step % 50 == 0")
    editor.event("stopped")
    running.node.close()
    (running.directory / "stop").touch()
    status, out, err = running.engine.finish()
    assert (status, "end " in out) == (0, True), (status, out, err)


def test_ctrl_c_while_it_stands_ends_the_cell_or_nothing(running):
    """As in any pause: the editor stays, and the rank stands where it stood."""
    editor = begin(running, condition="step % 50 == 0")
    thread = editor.event("stopped")["threadId"]
    state = running.node.wait_state("debugging", function="work")
    request = running.node.cell("print('in')\nwhile True: pass", place=f"frame:{state['pause']}")
    running.node.wait_text("in", request)
    assert running.node.ask("interrupt_request", {"cell": request})["outcome"] == "interrupted"
    assert running.node.reply_to(request).data()["ename"] == "KeyboardInterrupt"
    running.engine.send_signal(signal.SIGINT)
    assert running.node.run("step % 50", place=f"frame:{state['pause']}")[0].data()["data"]["text/plain"] == "0"
    assert editor.top({"threadId": thread})["name"] == "work"
    now = editor.now
    editor.request("continue", threadId=thread)
    editor.event("stopped", since=now, reason="breakpoint")
    editor.disconnect()


def test_a_program_that_ends_while_it_is_debugged_ends_as_ever(running):
    """P5: its output, its exit status, and no word of debugpy's."""
    begin(running)
    (running.directory / "stop").touch()
    assert running.engine.finish() == (0, "", "")
    assert running.node.text().startswith("on\nend ")
    assert running.node.text(name="stderr") == ""


def test_a_forked_child_is_not_debugged(rig):
    """Nobody would let it go on."""
    program = """
        import os, time
        def child():
            x = 1
            return x
        print("on", flush=True)
        go = 0
        while not go:
            time.sleep(0.001)
        pid = os.fork()
        if not pid:
            os._exit(child() + 6)
        print("child", os.waitpid(pid, 0)[1] >> 8, flush=True)
    """
    rig.script(program)
    rig.node.attend(1)
    rig.node.wait_text("on")
    editor = Editor(rig.node)
    editor.open()
    editor.attach([{"line": 4}], str(rig.directory / "sim.py"))
    rig.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})
    rig.node.wait_state("debugging", pause="p1")
    rig.node.run("go = 1", place="frame:p1")
    rig.node.ask("px_resume_request", {"pause": "p1"})
    rig.node.wait_text("child 7")


def test_where_a_ranks_files_lie_is_told_without_loading_debugpy(running):
    """It costs nothing until an editor comes."""
    answer = running.node.ask("px_debug_prepare_request")
    assert (answer["status"], answer["root"]) == ("ok", str(running.directory))
    assert peek(running.node, "'debugpy' in __import__('sys').modules") == "False"
    text = running.node.ask("px_file_request", {"file": file_of(running)})["text"]
    assert text == Path(file_of(running)).read_text()
    assert running.node.ask("px_file_request", {"file": "/nowhere.py"})["status"] == "error"
