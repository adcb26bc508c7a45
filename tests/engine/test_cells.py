"""Cells on a rank without a script: what comes back, in which order."""

from __future__ import annotations

import pytest


def types(said):
    return [one.type for one in said]


def one(said, kind):
    found = [message.data() for message in said if message.type == kind]
    assert len(found) == 1, (kind, types(said), [message.data() for message in said])
    return found[0]


def test_a_value_is_said_before_the_reply_which_is_last(node):
    """One way up, reply last."""
    said = node.run("1 + 1")
    assert types(said) == ["execute_result", "execute_reply"]
    assert one(said, "execute_result") == {"data": {"text/plain": "2"}, "metadata": {}}
    assert one(said, "execute_reply") == {"status": "ok", "user_expressions": {}}


def test_messages_carry_rank_parent_origin_and_digest(node):
    """P4: equal messages of two ranks, or of two cells with equal parent, have equal digests."""
    said = node.run("'x'")
    assert all(str(message.ranks) == "0" and message.header.origin == "c1" for message in said)
    assert all(len(message.header.digest) == 16 for message in said)


def test_text_and_values_keep_their_order(node):
    """P1: text goes through pipes, values through the link, and nobody can tell."""
    said = node.run("import sys\nfor i in range(3):\n    print(i)\n    print('e', i, file=sys.stderr)\n    display(i)")
    shown = [m.data()["text"] if m.type == "stream" else m.data().get("data", {}).get("text/plain") for m in said[:-1]]
    assert "".join(shown) == "".join(f"{i}\ne {i}\n{i}" for i in range(3))
    assert [m.data()["name"] for m in said if m.type == "stream"] == ["stdout", "stderr"] * 3


def test_c_level_text_comes_before_the_reply(node):
    """P1: what C printed and did not flush belongs to the cell."""
    request = node.cell("import ctypes; _ = ctypes.PyDLL(None).printf(b'from C')")
    node.reply_to(request)
    assert node.text(request) == "from C"


def test_a_megabyte_printed_in_c_with_the_gil_held_does_not_hang(node):
    """The node reads the pipe, never the engine."""
    request = node.cell(
        "import ctypes\nlibc = ctypes.PyDLL(None)\nline = b'x' * 1023\n"
        "for _ in range(1024):\n    _ = libc.puts(line)\n_ = libc.write(2, b'y' * 1000000, 1000000)"
    )
    node.reply_to(request)
    assert node.text(request) == ("x" * 1023 + "\n") * 1024
    assert node.text(request, "stderr") == "y" * 1000000


def test_what_a_cell_prints_is_not_kept_in_the_rank(node):
    """P7: a rank that prints for a week is no larger after it."""
    node.run("for _ in range(100):\n    print('x' * 1000)\n'done'")
    kept = "[one.output_type for ones in get_ipython().history_manager.outputs.values() for one in ones]"
    assert one(node.run(kept), "execute_result")["data"]["text/plain"] == "['execute_result']"


def test_rank_and_size_are_there(node):
    """A fresh REPL defines them."""
    assert one(node.run("rank, size"), "execute_result")["data"]["text/plain"] == "(0, 2)"


def test_an_error_names_cell_line_source_and_the_users_frames(node):
    """Identical tracebacks fold, and show only the user's frames."""
    node.run("import json\ndef f(text):\n    return json.loads(text)", cell=3)
    said = node.run("f('{')", cell=4)
    error = one(said, "error")
    assert (error["ename"], error["cell"], error["line"]) == ("JSONDecodeError", 3, 3)
    assert error["source"] == "return json.loads(text)"
    short, full = "\n".join(error["traceback"]), "\n".join(error["full"])
    assert "decoder.py" in full
    assert "decoder.py" not in short
    assert "interactiveshell" not in full
    assert one(said, "execute_reply")["status"] == "error"


def test_a_syntax_error_says_where(node):
    """One error message, and nothing of the cell ran."""
    error = one(node.run("x = 1\ny = = 2", cell=7), "error")
    assert (error["ename"], error["cell"], error["line"], error["source"]) == ("SyntaxError", 7, 2, "y = = 2")
    assert one(node.run("'x' in globals()"), "execute_result")["data"]["text/plain"] == "False"


@pytest.mark.parametrize(
    ("code", "name"),
    [("raise ExceptionGroup('two', [ValueError(1), TypeError(2)])", "ExceptionGroup"),
     ("try:\n    1/0\nexcept Exception as e:\n    raise ValueError('x') from e", "ValueError"),
     ("import sys; sys.exit(3)", "SystemExit"),
     ("%no_such_magic", "UsageError"),
     ("return 1", "SyntaxError"),
     ("class E(Exception):\n    def __str__(self): raise RuntimeError\nraise E", "E")],
)  # fmt: skip
def test_every_failure_is_one_error_message(node, code, name):
    """P3: success and error never look alike, whatever was raised."""
    said = node.run(code)
    assert one(said, "error")["ename"] == name
    assert one(said, "execute_reply")["status"] == "error"
    assert one(node.run("1"), "execute_reply")["status"] == "ok"


def test_display_updates_and_clears(node):
    """What has a display id is routed by it and does not fold."""
    said = node.run(
        "h = display('a', display_id='d')\nh.update('b')\nfrom IPython.display import clear_output\nclear_output()"
    )
    assert types(said) == ["display_data", "update_display_data", "clear_output", "execute_reply"]
    assert [m.header.key for m in said[:2]] == ["d", "d"]
    assert said[0].header.digest == b""


def test_magics_and_shell_commands_run(node):
    """%magics and !cmd."""
    assert "7" in one(node.run("%precision 3\nx = !echo 7\nx"), "execute_result")["data"]["text/plain"]
    request = node.cell("!echo from a child")
    node.reply_to(request)
    node.wait_text("from a child", request)


def test_question_mark_shows_what_ipython_would_page(node):
    """There is no pager on a rank."""
    said = node.run("len?")
    assert "number of items" in one(said, "display_data")["data"]["text/plain"]


def test_user_expressions_are_answered(node):
    """Jupyter's user_expressions."""
    reply = one(node.run("a = 3", user_expressions={"x": "a + 1"}), "execute_reply")
    assert reply["user_expressions"]["x"]["data"]["text/plain"] == "4"


def test_await_at_top_level_and_tasks_between_cells(node):
    """What a cell started goes on while the rank idles."""
    node.run("""
import asyncio
async def later():
    await asyncio.sleep(0.01)
    print("later")
task = asyncio.create_task(later())
await asyncio.sleep(0)
""")
    node.wait_for(lambda: "later" in node.log, "the task's text")
    assert one(node.run("await asyncio.sleep(0, 5)"), "execute_result")["data"]["text/plain"] == "5"


def test_input_is_asked_for_and_answered(node):
    """The question names its prompt; getpass hides what is typed."""
    request = node.cell("name = input('who? ')\nimport getpass\nsecret = getpass.getpass('key: ')\nname + secret")
    question = node.wait(lambda m: m.type == "input_request" and m.data()["prompt"] == "who? ", "a question")
    assert question.parent == request
    assert question.data() == {"prompt": "who? ", "password": False}
    node.request("input_reply", {"value": "ada"})
    node.wait(lambda m: m.type == "input_request" and m.data()["password"], "the second question")
    node.request("input_reply", {"value": "!"})
    assert one(node.until_reply(request), "execute_result")["data"]["text/plain"] == "'ada!'"


def test_a_question_can_be_interrupted(node):
    """Ctrl-C while `input` waits."""
    request = node.cell("input('?')")
    node.wait(lambda m: m.type == "input_request", "the question")
    assert node.ask("interrupt_request", {"cell": request}) == {"outcome": "interrupted"}
    assert one(node.until_reply(request), "error")["ename"] == "KeyboardInterrupt"


def test_without_somebody_to_answer_input_raises(node):
    """It never reads the stdin of the job."""
    assert one(node.run("input()", allow_stdin=False), "error")["ename"] == "StdinNotImplementedError"


def test_interrupt_reaches_the_cell_in_flight_and_no_other(node):
    """KeyboardInterrupt in the cell that was meant."""
    request = node.cell("import time\nprint('on')\ntime.sleep(1000)")
    node.wait_text("on", request)
    assert node.ask("interrupt_request", {"cell": "other"}) == {"outcome": "pending"}
    assert node.ask("interrupt_request", {"cell": request}) == {"outcome": "interrupted"}
    error = one(node.until_reply(request), "error")
    assert error["ename"] == "KeyboardInterrupt"
    assert error["full"] == error["traceback"], "of what raises it no frame is shown"
    for cell in ("", request):
        assert node.ask("interrupt_request", {"cell": cell}) == {"outcome": "not running"}


def test_an_interrupt_that_has_overtaken_its_cell_ends_it_at_once(node):
    """P3: Ctrl-C right after Enter takes the lane that is quicker; the cell ran on for ever, as one that waits in C."""
    assert node.ask("interrupt_request", {"cell": "hasty"}) == {"outcome": "pending"}
    reply = node.reply_to(node.cell("while True: pass", id="hasty")).data()
    assert (reply["status"], reply["ename"]) == ("error", "KeyboardInterrupt")
    assert node.run("1")[-1].data()["status"] == "ok"


def test_a_cell_that_waits_behind_another_is_interrupted_where_it_waits(node):
    """P3: and the other one runs on."""
    first = node.cell("print('on')\nwhile True: pass")
    node.wait_text("on", first)
    second = node.cell("print('not this')")
    node.peek("1")  # on the same lane behind it
    assert node.ask("interrupt_request", {"cell": second}) == {"outcome": "interrupted"}
    reply = node.reply_to(second).data()
    assert (reply["status"], reply["why"]) == ("refused", "it was interrupted before it began")
    node.ask("interrupt_request", {"cell": first})
    node.reply_to(first)
    assert "not this" not in node.log


def test_interrupt_ends_an_awaiting_cell(node):
    """And its coroutine does not go on behind the next cell."""
    request = node.cell("import asyncio\nprint('on')\nawait asyncio.sleep(1000)\nprint('not this')")
    node.wait_text("on", request)
    node.ask("interrupt_request", {"cell": request})
    assert node.reply_to(request).data()["status"] == "error"
    node.run("await asyncio.sleep(0.01)")
    assert "not this" not in node.log


def test_system_exit_is_a_failure_without_advice_for_a_shell(node):
    """It ends no rank, and IPython's word on how to leave a shell is wrong here."""
    request = node.cell("raise SystemExit(3)")
    said = node.until_reply(request)
    assert (one(said, "error")["ename"], one(said, "error")["evalue"]) == ("SystemExit", "3")
    assert "stream" not in types(said)
    assert one(node.run("1 + 1"), "execute_result")["data"]["text/plain"] == "2"


def test_cells_queue_behind_a_running_cell(node):
    """All ranks run cells in one order."""
    first, second = node.cell("import time; time.sleep(0.05); print('first')"), node.cell("print('second')")
    node.reply_to(second)
    replies = [m.parent for m in node.said if m.type == "execute_reply"]
    assert replies[-2:] == [first, second]


def test_a_request_that_comes_twice_runs_once(node):
    """P2: requests are idempotent by id."""
    node.run("n = 0")
    request = node.cell("n += 1; n")
    node.reply_to(request)
    content = {"code": "n += 1; n", "places": [["idle", "0"]], "cell": 1, "filename": "<cell 1>"}
    node.request("execute_request", content, id=request)
    node.wait_for(lambda: len([m for m in node.said_for(request) if m.type == "execute_reply"]) == 2, "the kept reply")
    assert one(node.run("n"), "execute_result")["data"]["text/plain"] == "1"


def test_a_paused_place_is_refused_while_idle(node):
    """Nothing waits for a place unless asked to."""
    reply = node.reply_to(node.cell("1", place="frame:p1")).data()
    assert (reply["status"], reply["state"]) == ("refused", "idle")
    assert "stale" in reply["why"]


def test_figures_are_shown(node):
    """Matplotlib, inline."""
    pytest.importorskip("matplotlib")
    said = node.run("%matplotlib inline\nimport matplotlib.pyplot as plt\n_ = plt.plot([1, 2])")
    assert one(said, "display_data")["data"]["image/png"].startswith("iVBOR")


def test_comms_go_both_ways(node):
    """Widgets: each comm is one rank's, by its id."""
    node.run("""
import comm
c = comm.create_comm(target_name="t", data={"a": 1})
c.on_msg(lambda message: c.send({"got": message["content"]["data"]}))
""")
    opened = node.wait(lambda m: m.type == "comm_open", "the comm")
    assert opened.data()["target_name"] == "t"
    assert opened.header.key == opened.data()["comm_id"]
    node.request("comm_msg", {"comm_id": opened.data()["comm_id"], "data": 5})
    answer = node.wait(lambda m: m.type == "comm_msg", "its answer")
    assert answer.data()["data"] == {"got": 5}
    assert opened.data()["comm_id"] in node.ask("comm_info_request")["comms"]


def test_text_after_the_reply_is_late(node):
    """What threads write afterwards goes to the same client and never reopens the cell."""
    request = node.cell(
        "import threading\ngo = threading.Event()\nthreading.Thread(target=lambda: (go.wait(), print('late'))).start()"
    )
    node.reply_to(request)
    node.run("1")
    node.request("execute_request", {"code": "go.set()", "cell": 2, "filename": "<cell 2>"})
    node.wait_for(lambda: "late" in node.log, "the thread's text")


def test_a_rank_idles_again_after_each_cell(node):
    """The state is told on both lanes, and names the cell."""

    def places():
        return [m.data()["activity"] for m in node.said if m.type == "px_place"]

    request = node.cell("1")
    node.reply_to(request)
    node.wait_state("busy", cell=request)
    node.wait_state("idle", counter=3)
    node.wait_for(lambda: places() == ["idle", "busy", "idle"], "the places")


@pytest.mark.parametrize(("end", "status"), [("'the end'", 0), ("raise SystemExit(3)", 3), ("1 / 0", 1)])
def test_a_child_that_a_cell_has_forked_ends_with_the_cell(node, end, status):
    """Design 3: it is no rank. It would wait for cells for ever, and the cell for it."""
    fork = "import os\nif not (child := os.fork()):\n    print('child', flush=True)\n"
    wait = "else:\n    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    said = node.run(f"{fork}    {end}\n{wait}")
    assert types(said)[-1] == "execute_reply"
    text = "".join(m.data()["text"] for m in said if m.type == "stream" and m.data()["name"] == "stdout")
    assert "child\n" in text
    assert text.endswith(f"{status}\n")
    assert one(node.run("1 + 1"), "execute_result")["data"] == {"text/plain": "2"}
