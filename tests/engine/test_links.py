"""What the main thread does at the io thread's door; Ctrl-C may be raised in the midst of it."""

import sys
from pathlib import Path

import pytest

from pxshell.engine import links
from pxshell.engine.links import IoThread
from pxshell.protocol.message import Message
from pxshell.protocol.types import Role
from pxshell.transport.base import make_hello

#: At a function's start and end, and after a call of C.
_MOMENTS = {"call", "return", "c_return", "c_exception"}


class InterruptError(BaseException):
    """What is raised."""


class Moments:
    """Raises at the n-th moment at which a signal handler could run."""

    def __init__(self, number):
        self.left = number

    def __call__(self, frame, event, _):
        if event in _MOMENTS and frame.f_code.co_filename != __file__:
            self.left -= 1
            if self.left < 0:
                sys.setprofile(None)
                raise InterruptError


@pytest.fixture
def io():
    nothing = lambda *_: None  # noqa: E731 - nobody is there
    hello = make_hello(Role.ENGINE)
    io = IoThread(hello, Path("nowhere"), bound=None, received=nothing, left=nothing, brief_over=nothing)
    yield io
    io.abandon()


@pytest.mark.parametrize("name", ["post", "wait_for_room"])
def test_what_is_raised_in_the_main_thread_leaves_no_lock_taken(io, monkeypatch, name):
    """P3: else nothing this rank says would ever leave it."""
    monkeypatch.setattr(links, "_ROOM_LOOK", 0.001)
    message = Message.make("stream", "s1", {"name": "stdout", "text": "x" * 100})
    moment = 0
    while True:
        # Full for somebody who waits for room, until that is interrupted or found no moment more.
        io._pending = links._ROOM_BYTES + 1 if name == "wait_for_room" else 0
        sys.setprofile(Moments(moment))
        try:
            io.post([message]) if name == "post" else io.wait_for_room()
        except InterruptError:
            moment += 1
        else:
            break
        finally:
            sys.setprofile(None)
        assert io._lock.acquire(blocking=False), f"moment {moment}"
        io._lock.release()
        if name == "wait_for_room" and moment > 20:
            break  # it looks again and again
    assert moment > 3
