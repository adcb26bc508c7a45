"""Pausing a main thread that waits: in Python, which a signal ends, and in C, which nothing does."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time

import pytest
from engine.pause_harness import REACHED
from engine.watched_programs import Mutex, wait_in_c

from pxshell.engine.pause_states import Cancelled, Held, Paused, PauseState
from pxshell.testing.waiting import wait_until

HAS_SIGNAL = hasattr(signal, "SIGRTMIN")
NUMBER = signal.SIGRTMIN + 6 if HAS_SIGNAL else None


@pytest.mark.skipif(not HAS_SIGNAL, reason="no signal to spare here")
def test_a_sleep_is_interrupted_and_resumed(rank):
    """Policy of facts.md: no line for 300 ms, then a signal stops it inside what waits."""

    def program():
        REACHED.set()
        t = time.monotonic()
        time.sleep(3)
        return time.monotonic() - t

    def user():
        paused = rank.pause()
        assert paused.place.function.endswith("program")
        assert rank.do(lambda p: "t" in p.namespace)
        rank.resume()

    assert rank.run(program, user) >= 3


@pytest.mark.skipif(not HAS_SIGNAL, reason="no signal to spare here")
@pytest.mark.parametrize("wait", ["lock", "queue", "select", "event"])
def test_python_waits_are_interrupted_and_go_on(rank, wait):
    """P5: locks, queues and select go on waiting after the pause."""
    lock, inbox, event = threading.Lock(), queue.Queue(), threading.Event()
    lock.acquire()
    reader, writer = os.pipe()

    def program():
        import select

        REACHED.set()
        waits = {
            "lock": lock.acquire,
            "queue": inbox.get,
            "select": lambda: bool(select.select([reader], [], [])[0]),
            "event": event.wait,
        }
        return waits[wait]()

    def user():
        rank.pause()
        rank.resume()
        lock.release()
        inbox.put(True)
        event.set()
        os.write(writer, b"x")

    assert rank.run(program, user) is True
    os.close(reader)
    os.close(writer)


@pytest.mark.skipif(not HAS_SIGNAL, reason="no signal to spare here")
def test_now_stops_without_delay(rank):
    """Mode `now` does not wait for a line."""

    def program():
        REACHED.set()
        time.sleep(60) if not rank.told else None
        return "ended"

    def user():
        rank.pauser.request("p1", mode="now")
        rank._wake.set()
        rank.next_event(Paused)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGALRM)
        rank.resume()
        resumed.set()

    class AlarmError(Exception):
        pass

    def alarm(*_):
        raise AlarmError

    rank.pauser.install_signal()
    before = signal.signal(signal.SIGALRM, lambda *_: alarms.append(1))
    alarms, resumed = [], threading.Event()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
        with pytest.raises(AlarmError):
            rank.run(lambda: _ended_by(alarm, program, resumed), user)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert alarms == [1]


def _ended_by(alarm, program, resumed):
    """Sleep long, but be woken after the pause."""
    signal.signal(signal.SIGUSR2, alarm)
    main = threading.main_thread().ident

    def wake():
        assert resumed.wait(60)
        wait_until(lambda: sys._current_frames()[main].f_code is program.__code__, 60, "the program sleeps on")
        signal.pthread_kill(main, signal.SIGUSR2)

    waker = threading.Thread(target=wake)
    waker.start()
    try:
        return program()
    finally:
        waker.join()
        signal.signal(signal.SIGUSR2, signal.SIG_DFL)


def test_a_thread_blocked_in_c_is_held_and_stops_when_it_comes_back(rank):
    """P6: held is said, with the line where it waits; back in Python, the pending pause takes effect."""
    mutex = Mutex()
    mutex.lock()

    def user():
        rank.request("p1")
        held = rank.next_event(Held)
        assert held.place.function == "wait_in_c"
        assert rank.pauser.state is PauseState.HELD
        mutex.unlock()
        paused = rank.next_event(Paused)
        assert paused.place.line == held.place.line + 1
        rank.resume("p1")

    assert rank.run(lambda: wait_in_c(mutex.lock), user) == 1
    mutex.unlock()


def test_resume_of_a_held_thread_withdraws_the_request(rank):
    """Design 6: the pending pause of a held rank falls with the resume."""
    mutex = Mutex()
    mutex.lock()

    def user():
        rank.request("p1")
        rank.next_event(Held)
        assert rank.pauser.resume("other") == "stale"
        assert rank.pauser.resume("p1") == "cancelled"
        mutex.unlock()

    rank.run(lambda: wait_in_c(mutex.lock), user)
    mutex.unlock()
    assert [type(event) for event in rank.told] == [Held, Cancelled]


def test_a_held_thread_has_the_pending_call_only_when_its_signal_is_taken(rank):
    """Facts 1: when the user's code has taken the signal, it keeps it, and that is said."""
    mutex = Mutex()
    mutex.lock()
    caught = []
    if HAS_SIGNAL:
        before = signal.signal(NUMBER, lambda *_: caught.append(1))

    def user():
        rank.request("p1")
        assert "not interrupted" in rank.next_event(Held).note
        mutex.unlock()
        rank.next_event(Paused)
        rank.resume("p1")

    rank.run(lambda: wait_in_c(mutex.lock), user)
    mutex.unlock()
    assert not caught
    if HAS_SIGNAL:
        signal.signal(NUMBER, before)
