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


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("u[step] + np.sum(v)", {"u", "step", "np", "v"}),
        ("[row for row in rows if row > low]", {"rows", "low"}),
        ("lambda a, *b, c=d: a + b", {"d"}),
        ("x = 1", set()),
        ("", set()),
    ],
)
def test_the_names_of_an_expression_are_those_that_it_does_not_bind(expression, names):
    assert peek.names_in(expression) == names


def test_the_frame_of_an_expression_is_the_innermost_that_knows_its_names():
    """Where a program is within its step is chance; what `step` means is not."""

    def inner(u):
        frame = sys._getframe()
        known = {
            names: peek.frame_that_knows(frozenset(names.split()), frame) for names in ("u", "step", "u step", "no")
        }
        return {names: found.f_code.co_name for names, found in known.items()}

    def outer():
        step, u = 3, 4
        assert step and u
        return inner(5)

    assert outer() == {"u": "inner", "step": "outer", "u step": "outer", "no": "inner"}
    assert peek.frame_that_knows(frozenset(["len"]), sys._getframe()) is sys._getframe()


def test_an_expression_sees_what_cells_keep_in_a_paused_frame():
    """The namespace of a pause has the scratch names too."""
    a = 1
    namespace = FrameNamespace(sys._getframe())
    namespace["tmp"] = 4
    assert peek.evaluate("a + tmp", namespace) == 5
    assert a
