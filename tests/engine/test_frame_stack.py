"""The stack of a stopped program: one frame selected, in which cells run."""

from __future__ import annotations

import functools
import gc
import sys
import weakref

import pytest

from pxshell.engine.frame_stack import FrameStack, StackFrame


def cell(stack, source):
    """Run a cell in the selected frame, as the engine does."""
    namespace = stack.namespace
    exec(compile(source, "<cell>", "exec"), namespace.globals, namespace)
    return namespace.write_back()


def outer(use, start=10):
    level = start
    result = inner(use)
    return level, result


def inner(use):
    level = 1
    use()
    return level


def names(stack):
    return [one.place.function for one in stack.frames]


def stopped(act):
    """Run `outer`, and stop it in `inner`; returns what it returned."""
    return outer(lambda: act(FrameStack.from_frame(sys._getframe(1))))


def test_cells_run_in_the_selected_frame():
    """P5: names are read and assigned where one stands, in each frame its own."""
    seen = []

    def act(stack):
        assert names(stack)[-2:] == ["outer", "inner"]
        cell(stack, "level += 1; apart = 'kept'")
        assert stack.up() == 1
        seen.append((stack.selected.place.function, stack.depth, stack.namespace["start"]))
        cell(stack, "level += 5")
        assert stack.namespace["apart"] == "kept"
        assert stack.down() == 1
        seen.append((stack.selected.place.function, stack.depth, stack.namespace["level"]))

    assert stopped(act) == (15, 2)
    assert seen == [("outer", 1, 10), ("inner", 0, 2)]


def test_where_the_stack_ends_the_selection_stays():
    """P10: going too far goes as far as it can, and says how far."""

    def act(stack):
        assert stack.down() == 0
        assert stack.up(1000) == stack.index + stack.depth > 0 or stack.index == 0
        top = stack.index
        assert stack.up() == 0
        assert stack.index == top == 0

    stopped(act)


def library(source):
    """Run source whose file is one of the standard library; returns its names."""
    namespace = {"sys": sys}
    exec(compile(source, functools.__file__, "exec"), namespace)
    return namespace


def test_frames_of_libraries_are_passed_by_unless_asked_for():
    """A callback of a library stands in the user's code; what called it is one `full` away."""
    seen = []

    def callback():
        stack = FrameStack.from_frame(sys._getframe())
        assert stack.up() == 1
        seen.append((stack.selected.place.function, stack.depth))
        stack.down()
        assert stack.up(full=True) == 1
        seen.append((stack.selected.place.function, stack.selected.is_user, stack.depth))

    library("def call(function): function()")["call"](callback)
    here = "test_frames_of_libraries_are_passed_by_unless_asked_for"
    assert seen == [(here, 1), ("call", False, 1)]


def test_a_traceback_is_a_stack_that_stands_where_it_was_raised():
    """The lines are those that raised, and the innermost user frame is selected."""

    def failing():
        value = 5
        try:
            raise ValueError(value)
        finally:
            value = 6

    try:
        outer(failing)
    except ValueError as error:
        stack = FrameStack.from_traceback(error.__traceback__)
    raised = failing.__code__.co_firstlineno + 3
    assert (stack.selected.place.line, stack.namespace["value"]) == (raised, 6)
    stack.up()
    assert stack.selected.place.function == "inner"
    cell(stack, "found = level + 1")
    assert stack.namespace["found"] == 2


def test_a_stack_without_user_code_stands_at_its_innermost_frame():
    """The failure of a library's own script."""
    frame = library("def f(): return sys._getframe()\nframe = f()")["frame"]
    stack = FrameStack([StackFrame.of(frame), StackFrame.of(frame, 7)])
    assert (len(stack.frames), stack.index, stack.depth) == (2, 1, 0)
    assert (stack.selected.place.function, stack.selected.place.line) == ("f", 7)


def test_a_closed_stack_holds_nothing_of_the_program():
    """P5: no object lives longer because one looked."""

    class Thing:
        pass

    kept = []

    def act(stack):
        cell(stack, "mine = thing")
        kept.append(stack)
        stack.close()

    def program():
        thing = Thing()
        references.append(weakref.ref(thing))
        act(FrameStack.from_frame(sys._getframe()))
        return thing is None

    references = []
    program()
    gc.collect()
    assert references[0]() is None
    assert kept[0].frames == ()
    with pytest.raises(RuntimeError, match="let go"):
        _ = kept[0].selected
