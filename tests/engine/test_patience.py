"""Waiting in Python for what MPI does: it ends, it can be given up, and it lets a pause in."""

from __future__ import annotations

import threading

import pytest

from pxshell.engine.patience import Patience
from pxshell.errors import CallAbortedError
from pxshell.testing.waiting import wait_until

MAIN = threading.main_thread().ident


class Asked:
    """A pauser that counts how often it is asked, and then does something."""

    def __init__(self, then=lambda: None):
        self.frames = []
        self._then = then

    def stop_if_asked(self, frame):
        self.frames.append(frame.f_code.co_name)
        self._then()
        return False


def test_what_is_done_at_once_asks_nobody():
    """A message that is there costs no look at a clock."""
    asked = Asked()
    Patience(asked, MAIN).until(lambda: True, "Recv")
    assert asked.frames == []


def test_what_takes_longer_lets_a_pause_in_until_it_is_done():
    """P6: a rank that waits is not held in C."""
    looks = iter([False] * 1000 + [True])
    asked = Asked()
    Patience(asked, MAIN).until(lambda: next(looks), "Recv")
    assert asked.frames
    assert set(asked.frames) == {"_wait"}


def test_each_wait_is_counted():
    """Who looks twice can tell one wait from the next of the same call."""
    patience = Patience(Asked(), MAIN)
    for number in range(3):
        assert patience.waits == number
        patience.until(lambda: True, "Recv")


def test_a_call_that_is_given_up_raises_and_the_next_does_not():
    """The rank is free; what it does next is its own."""
    patience = Patience(Asked(lambda: calls.append(patience.give_up())), MAIN)
    calls = []
    with pytest.raises(CallAbortedError, match="Recv was given up"):
        patience.until(lambda: False, "Recv")
    assert calls == ["Recv"]
    patience.until(lambda: True, "Send")


def test_a_rank_that_waits_in_nothing_has_nothing_to_give_up():
    """P10: and its next call is not harmed."""
    patience = Patience(Asked(), MAIN)
    assert patience.give_up() == ""
    looks = iter([False] * 300 + [True])
    patience.until(lambda: next(looks), "Recv")


def test_other_threads_wait_without_being_paused():
    """A thread of the program is not what `%pxsignal` means."""
    asked, done = Asked(), threading.Event()
    thread = threading.Thread(target=lambda: Patience(asked, MAIN).until(done.is_set, "Recv"))
    thread.start()
    done.set()
    thread.join(30)
    assert not thread.is_alive()
    assert asked.frames == []


def test_it_is_given_up_from_another_thread():
    """The control thread asks, the main thread waits."""
    patience = Patience(Asked(), MAIN)
    freed = []
    thread = threading.Thread(target=lambda: freed.append(wait_until(patience.give_up, 30, "the main thread waits")))
    thread.start()
    with pytest.raises(CallAbortedError):
        patience.until(lambda: False, "Allreduce")
    thread.join()
    assert freed == ["Allreduce"]
