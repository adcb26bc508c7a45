"""The loop of processes that must not import asyncio."""

import asyncio
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pxshell.testing.waiting import wait_until
from pxshell.transport.base import Reactor
from pxshell.transport.loop import SelectLoop


@pytest.fixture
def loop():
    made = SelectLoop()
    yield made
    made.close()


@pytest.fixture
def running(loop):
    """The loop, run by a thread, and what waits until it sleeps."""
    sleeps = threading.Event()
    select = loop._selector.select

    def tell(timeout):
        sleeps.set()
        try:
            return select(timeout)
        finally:
            sleeps.clear()

    loop._selector.select = tell
    thread = threading.Thread(target=loop.run)
    thread.start()
    yield loop, lambda: wait_until(sleeps.is_set, 30, "the loop sleeps")
    loop.stop()
    thread.join()


@pytest.fixture
def pair():
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    yield ends
    for end in ends:
        end.close()


def test_readers_and_writers_are_called_until_removed(loop, pair):
    here, there = pair
    calls = []
    loop.add_reader(here.fileno(), calls.append, "read")
    loop.add_writer(here.fileno(), calls.append, "write")
    there.send(b"x")
    assert loop.run_once()
    assert sorted(calls) == ["read", "write"]
    assert loop.remove_writer(here.fileno())
    assert not loop.remove_writer(here.fileno())
    loop.run_once()
    assert calls[2:] == ["read"]
    assert loop.remove_reader(here.fileno())
    assert not loop.run_once()


def test_a_callback_that_another_one_removed_is_not_called(loop, pair):
    here, there = pair
    calls = []

    def take(me, other):
        calls.append(me)
        loop.remove_reader(other.fileno())

    here.send(b"x")
    there.send(b"x")
    loop.add_reader(here.fileno(), take, "here", there)
    loop.add_reader(there.fileno(), take, "there", here)
    loop.run_once()
    assert len(calls) == 1


def test_timers_are_called_in_order_and_not_when_cancelled(loop, monkeypatch):
    calls, now = [], loop.time()
    with monkeypatch.context() as one_moment:
        one_moment.setattr(loop, "time", lambda: now)
        loop.call_later(0.02, calls.append, "late")
        loop.call_later(0.0, calls.append, "first")
        loop.call_later(0.0, calls.append, "second")
        loop.call_later(0.01, calls.append, "never").cancel()
        loop.call_later(0.03, loop.stop)
    loop.run()
    assert calls == ["first", "second", "late"]


def test_calls_of_other_threads_wake_the_loop(loop):
    calls = []
    thread = threading.Thread(
        target=loop.call_soon_threadsafe, args=(lambda: calls.append(threading.current_thread()),)
    )
    thread.start()
    while not calls:
        assert loop.run_once(10.0)
    thread.join()
    assert calls == [threading.current_thread()]


def test_another_thread_may_stop_it(loop):
    thread = threading.Thread(target=loop.run)
    thread.start()
    loop.stop()
    thread.join(30)
    assert not thread.is_alive()


def test_a_failing_callback_is_logged_and_the_loop_goes_on(loop, caplog):
    loop.call_soon_threadsafe(lambda: 1 / 0)
    loop.call_soon_threadsafe(loop.stop)
    loop.run()
    assert "ZeroDivisionError" in caplog.text


def test_a_call_that_asks_for_itself_keeps_nobody_waiting(loop, pair):
    here, there = pair
    calls = []

    def again():
        loop.call_soon_threadsafe(again)

    again()
    loop.add_reader(here.fileno(), calls.append, "read")
    there.send(b"x")
    for _ in range(3):
        loop.run_once()
    assert "read" in calls


def test_an_idle_loop_sleeps(loop):
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        task = Path(f"/proc/self/task/{thread.native_id}")
        if not task.exists():
            pytest.skip("needs /proc")

        def switches():
            lines = (task / "status").read_text().splitlines()
            return int(next(line for line in lines if line.startswith("voluntary_ctxt")).split()[1])

        def sleeps_on():
            before = switches()
            threading.Event().wait(0.3)
            return switches() - before <= 1

        # Not at once: until it has come there it waits for us, who have the GIL.
        wait_until(sleeps_on, 30, "the loop sleeps")
    finally:
        loop.stop()
        thread.join()


def test_a_closed_loop_takes_calls_without_complaint():
    loop = SelectLoop()
    loop.close()
    loop.call_soon_threadsafe(print)
    assert not loop.remove_reader(0)


def test_asyncio_and_the_small_loop_are_reactors():
    def takes(reactor: Reactor) -> Reactor:
        return reactor

    loop = asyncio.new_event_loop()
    for reactor in (takes(loop), takes(SelectLoop())):
        assert all(callable(getattr(reactor, name)) for name in Reactor.__dict__ if not name.startswith("_"))
        reactor.close()


def test_the_unix_driver_imports_neither_asyncio_nor_zmq():
    """An engine is the user's process: it gets no more modules than it needs."""
    code = "import sys, pxshell.transport.unix, pxshell.transport.loop as _; print({'asyncio', 'zmq'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "set()\n", "")


def test_a_call_is_made_at_once_in_the_thread_that_asks_while_the_loop_sleeps(running):
    """Behind what was asked for before; a loop that is busy makes it itself."""
    loop, wait_for_sleep = running
    made = []

    def make(name):
        made.append((name, threading.get_ident()))

    wait_for_sleep()
    loop.call_along_threadsafe(make, "along")
    loop.call_now_threadsafe(make, "now")
    assert made == [("along", threading.get_ident()), ("now", threading.get_ident())]

    may_end, has_begun = threading.Event(), threading.Event()
    loop.call_soon_threadsafe(lambda: (has_begun.set(), may_end.wait(30)))
    assert has_begun.wait(30)
    loop.call_now_threadsafe(make, "later")
    assert len(made) == 2
    may_end.set()
    wait_until(lambda: len(made) == 3, 30, "the loop has made it")
    assert made[2] != ("later", threading.get_ident())


def test_what_goes_along_waits_for_something_else(running):
    """Nobody is woken for it."""
    loop, wait_for_sleep = running
    made = []
    wait_for_sleep()
    loop.call_along_threadsafe(made.append, 1)
    wait_for_sleep()
    assert made == []
    loop.call_soon_threadsafe(made.append, 2)
    wait_until(lambda: made == [1, 2], 30, "both were made")


def test_a_timer_of_another_thread_wakes_the_loop(running):
    """It would sleep for longer."""
    loop, wait_for_sleep = running
    rung = threading.Event()
    wait_for_sleep()
    loop.call_now_threadsafe(loop.call_later, 0.01, rung.set)
    assert rung.wait(30)
