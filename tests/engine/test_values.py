"""Values to and from a rank: push, pull and apply."""

from __future__ import annotations

import pytest

from pxshell.protocol.pickles import pack, unpack


def pull(node, *expressions):
    return node.reply_to(node.request("px_pull_request", {"expressions": list(expressions)}))


def push(node, **values):
    return node.reply_to(node.request("px_push_request", {}, buffers=pack(values)))


def apply(node, function, *args, **kwargs):
    return node.reply_to(node.request("px_apply_request", {}, buffers=pack((function, args, kwargs))))


def test_what_is_pushed_can_be_pulled_again(node):
    """Both reach the namespace of cells."""
    assert push(node, a=1, b=[2]).data() == {"status": "ok"}
    node.run("a += 1")
    assert unpack(pull(node, "a", " b[0] ").buffers) == [2, 2]


def test_a_pushed_array_is_the_ranks_own(node):
    """It can be written into."""
    numpy = pytest.importorskip("numpy")
    push(node, u=numpy.arange(100000.0))
    assert node.run("u[3] = 7; float(u.sum())")[0].data()["data"]["text/plain"] == "4999950004.0"


def test_nobody_waits_for_what_a_push_takes_the_place_of(node, tmp_path):
    """Giving back the memory of a large array takes as long as a copy of it: the answer is sent before."""
    gate = tmp_path / "gate"
    waits = f"while not os.path.exists({str(gate)!r}): time.sleep(0.001)"
    node.run(
        f"import os, time\nclass Slow:\n    def __del__(self):\n        {waits}\n        print('gone')\nold = Slow()"
    )
    request = node.request("px_push_request", {}, buffers=pack({"old": 1}))
    assert node.reply_to(request).data() == {"status": "ok"}
    gate.touch()
    node.wait_text("gone", request)
    assert unpack(pull(node, "old").buffers) == [1]


def test_a_pulled_array_is_what_it_was_at_the_pull(node):
    """Cells that follow do not change it on its way."""
    node.run("import numpy as np; u = np.zeros(1000000)")
    request = node.request("px_pull_request", {"expressions": ["u"]})
    node.run("u[:] = 1")
    (u,) = unpack(node.reply_to(request).buffers)
    assert u.sum() == 0


def test_functions_are_applied(node):
    """By value, with what they print."""
    reply = apply(node, lambda x, y: x + y, 1, y=2)
    assert unpack(reply.buffers) == 3
    request = node.request("px_apply_request", {}, buffers=pack((print, ("hello",), {})))
    node.reply_to(request)
    assert node.text(request) == "hello\n"


@pytest.mark.parametrize("expression", ["nothing", "1 +", "__import__('threading').Lock()", "1/0"])
def test_what_cannot_be_pulled_is_one_line(node, expression):
    """P10: and the rank goes on."""
    reply = pull(node, expression).data()
    assert reply["status"] == "error"
    assert "\n" not in reply["evalue"]
    assert unpack(pull(node, "rank").buffers) == [0]


def test_a_failing_function_says_how(node):
    """With its traceback."""
    reply = apply(node, divmod, 1, 0).data()
    assert reply["ename"] == "ZeroDivisionError"
    assert "Traceback" in reply["traceback"][0]


def test_a_pull_can_be_interrupted(node):
    """It runs in the main thread, as cells do."""
    node.run("import time")
    request = node.request("px_pull_request", {"expressions": ["[print('on'), time.sleep(1000)]"]})
    node.wait_text("on", request)
    node.ask("interrupt_request", {"cell": request})
    assert node.reply_to(request).data()["ename"] == "KeyboardInterrupt"


def test_peek_pulls_while_a_cell_runs(node):
    """From the side; nothing is assigned there."""
    request = node.cell("import time\nn = 5\nprint('on')\ntime.sleep(1000)")
    node.wait_text("on", request)
    asked = node.request("px_pull_request", {"expressions": ["n"], "places": [["peek", "0"]]})
    assert unpack(node.reply_to(asked).buffers) == [5]
    pushed = node.request("px_push_request", {"places": [["peek", "0"]]}, buffers=pack({"n": 1}))
    assert node.reply_to(pushed).data()["status"] == "refused"
    node.ask("interrupt_request", {"cell": request})
    node.reply_to(request)


_FAILS = """
import gc, weakref
refs = []
class Array: pass
def fail():
    array = Array()
    refs.append(weakref.ref(array))
    raise ValueError(len(refs))
def kept():
    gc.collect()
    return [number for number, ref in enumerate(refs) if ref() is not None]
"""


@pytest.mark.parametrize("way", ["a cell", "a function", "a pull"])
def test_only_the_last_failure_keeps_its_frames(node, way):
    """P7: for the post-mortem; those before it give their memory back, however many there were."""

    def fail():
        import __main__

        __main__.fail()

    node.run(_FAILS)
    for _ in range(5):
        if way == "a cell":
            node.run("fail()")
        elif way == "a function":
            assert apply(node, fail).data()["ename"] == "ValueError"
        else:
            pull(node, "fail()")
    assert unpack(pull(node, "kept()").buffers) == [[4]]


def test_a_long_answer_is_not_kept_for_a_request_that_comes_again(node):
    """P7, P2: the program's memory is not for what others have pulled; the request is answered, and does not run."""
    content = {"expressions": ["list.append(ran, 1) or 'x' * 100_000"]}
    node.run("ran = []")
    request = node.request("px_pull_request", content)
    assert len(unpack(node.reply_to(request).buffers)[0]) == 100_000
    node.request("px_pull_request", content, id=request)

    def answers():
        return [one for one in node.said_for(request) if one.type == "px_pull_reply"]

    node.wait_for(lambda: len(answers()) == 2, "it is answered again")
    again = answers()[1]
    assert again.data()["status"] == "refused"
    assert "is not kept" in again.data()["why"]
    assert again.size < 1000
    assert unpack(pull(node, "len(ran)").buffers) == [1]
