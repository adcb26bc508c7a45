"""Stacks read from the side."""

from __future__ import annotations

import gc
import json
import sys
import threading
import weakref

import pytest

from pxshell.engine import stacks
from pxshell.engine.frames import Place


@pytest.fixture
def blocked():
    """A thread that waits in C, inside a library, called by user code."""
    ready, go = threading.Event(), threading.Event()

    def waits():
        ready.set()
        go.wait(30)

    def outer():
        waits()

    thread = threading.Thread(target=outer)
    thread.start()
    ready.wait(30)
    while not any("wait" in e.function and not e.is_user for e in stacks.stack(thread.ident, full=True)):
        pass
    yield thread, waits, outer
    go.set()
    thread.join()


def test_a_blocked_thread_is_seen_from_the_side(blocked):
    """P6: a stack is readable while the thread waits in C."""
    thread, waits, outer = blocked
    entries = stacks.stack(thread.ident)
    assert [e.function for e in entries[:2]] == [outer.__qualname__, waits.__qualname__]
    assert [e.is_user for e in entries] == [True, True, False]
    assert entries[2].function == "Event.wait"
    assert stacks.user_place(thread.ident) == Place(__file__, entries[1].line, waits.__qualname__)


def test_a_full_stack_has_every_frame(blocked):
    """Full means full: the frames below and above the user's too."""
    full = stacks.stack(blocked[0].ident, full=True)
    assert full[0].function == "Thread._bootstrap"
    assert full[-1].function == "Condition.wait"


def test_of_library_frames_between_user_frames_the_first_is_shown():
    """The call that the user wrote stays visible, the library's inner calls do not."""
    seen = []

    def default(_):
        seen.append(stacks.stack_of(sys._getframe()))
        return 1

    json.dumps(object(), default=default)
    last = [e.function for e in seen[0]][-3:]
    assert last == [default.__qualname__.rsplit(".<locals>", 1)[0], "dumps", default.__qualname__]


def test_a_stack_keeps_no_frame_alive():
    """P5: looking must not lengthen the life of a local."""

    class Big:
        pass

    def holds():
        big = Big()
        entries = stacks.stack(threading.get_ident())
        return weakref.ref(big), entries

    ref, entries = holds()
    gc.collect()
    assert entries
    assert ref() is None


def test_an_unknown_thread_has_an_empty_stack():
    """P10: no exception for a thread that has just ended."""
    assert stacks.stack(-1) == ()
    assert stacks.user_place(-1) is None


def test_a_stack_without_user_code_stays_whole(monkeypatch):
    """An idle rank shows where it idles."""
    monkeypatch.setattr(stacks, "is_user_code", lambda _: False)
    entries = stacks.stack_of(sys._getframe())
    assert entries == stacks.stack_of(sys._getframe(), full=True)[:-1] + entries[-1:]
