"""Single expressions from the side."""

from __future__ import annotations

import sys
import threading

import pytest

from pxshell.engine import peek, stacks
from pxshell.engine.frames import innermost_user_frame
from pxshell.engine.namespace import FrameNamespace
from pxshell.errors import UsageError


@pytest.mark.parametrize("code", ["u.max()", " (source, tag) ", "[x for x in y]", "lambda: 1", "f'{a}'"])
def test_single_expressions_pass(code):
    """What held ranks accept."""
    peek.check_single_expression(code)


@pytest.mark.parametrize(
    "code", ["x = 1", "(x := 1)", "await f()", "lambda: (yield)", "[x async for x in y]", "1\n2", "", "del x", "x\0"]
)
def test_everything_else_is_refused(code):
    """P10: one line that says what is possible."""
    with pytest.raises(UsageError, match="not run") as caught:
        peek.check_single_expression(code)
    assert "\n" not in str(caught.value)


def test_an_expression_sees_locals_and_globals_of_a_blocked_thread():
    """P6: a thread that waits in C is looked into without stopping it."""
    ready, go = threading.Event(), threading.Event()

    def blocked():
        rows = [1, 2]
        ready.set()
        go.wait(30)
        return rows

    thread = threading.Thread(target=blocked)
    thread.start()
    ready.wait(30)
    frame = innermost_user_frame(stacks.running_frame(thread.ident))
    assert peek.evaluate("[row + len(rows) for row in rows]", frame) == [3, 4]
    assert peek.evaluate("threading.__name__", frame) == "threading"
    with pytest.raises(NameError):
        peek.evaluate("nothing_there", frame)
    go.set()
    thread.join()


def test_an_expression_sees_what_cells_keep_in_a_paused_frame():
    """The namespace of a pause has the scratch names too."""
    a = 1
    namespace = FrameNamespace(sys._getframe())
    namespace["tmp"] = 4
    assert peek.evaluate("a + tmp", namespace) == 5
    assert a
