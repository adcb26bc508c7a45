"""Ways into the running main thread."""

from __future__ import annotations

import signal
import sys
import threading
import time

import pytest

from pxshell.engine import arming
from pxshell.engine.arming import Arming, StopSignal, call_in_main


def spin_until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end


def test_a_call_runs_in_the_main_thread_with_the_frame_that_runs():
    """Facts 1: a pending call needs no signal."""
    seen = []

    def visit(frame):
        seen.append((threading.current_thread(), frame.f_code.co_name))

    thread = threading.Thread(target=lambda: [call_in_main(visit) for _ in range(3)])
    thread.start()
    spin_until(lambda: len(seen) == 3)
    thread.join()
    assert {thread for thread, _ in seen} == {threading.main_thread()}


def test_a_call_that_fails_is_logged_and_the_next_one_runs(caplog):
    """P5: our failures are not printed into the program's stderr."""
    seen = []

    def fails(_):
        raise ValueError("broken")

    call_in_main(fails)
    call_in_main(seen.append)
    spin_until(lambda: seen)
    assert "broken" in caplog.text
    caplog.clear()


def test_ctrl_c_during_a_call_reaches_the_program():
    """P5: ctypes would swallow it; it is delivered again, and the call made again."""
    calls = []

    def interrupted(_):
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call_in_main(interrupted)
        spin_until(lambda: False)
    assert len(calls) == 2


def test_calls_from_many_threads_all_run():
    """No call is lost between the last look and the token's return."""
    seen = []
    threads = [threading.Thread(target=lambda: [call_in_main(seen.append) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    spin_until(lambda: len(seen) == 2000)
    for thread in threads:
        thread.join()
    assert len(arming._token) == 1


def test_traces_leave_frames_that_return_and_are_put_back():
    """P5: no frame is kept, no trace stays, another tracer is put back."""
    lines = []
    mine = Arming(lambda code: code.co_name == "traced", lambda frame: lines.append(frame.f_lineno), list)

    def traced():
        first = 1
        return first + 1

    def other():
        return 1

    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        mine.install(sys._getframe())
        traced()
        other()
        assert not mine._frames
        mine.remove()
        assert sys.gettrace() is None
        assert len(lines) == 2
    finally:
        sys.settrace(tracer)


def test_an_exception_in_the_trace_function_removes_the_trace_and_says_so():
    """P5: the interpreter stops tracing then; the one who armed arms again."""
    broken = []

    def visit(_):
        raise KeyboardInterrupt

    mine = Arming(lambda _: True, visit, lambda: broken.append(sys.gettrace()))

    def traced():
        return 1

    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        with pytest.raises(KeyboardInterrupt):
            mine.install(None)
            traced()
        assert broken == [None]
        assert not mine.is_live
        assert sys.gettrace() is None
    finally:
        sys.settrace(tracer)


def test_a_system_without_a_spare_signal_says_so():
    """Without SIGRTMIN, as on macOS: pending call and trace only."""
    stop = StopSignal(lambda *_: None)
    stop.number = None
    stop.install()
    stop.restore()
    assert not stop.is_ready
    assert "no signal to spare" in stop.send(0)


@pytest.mark.skipif(not hasattr(signal, "SIGRTMIN"), reason="no signal to spare here")
def test_a_signal_that_the_program_has_taken_stays_its_own():
    """Facts 1: never take a signal away."""
    taken = []

    def users(*_):
        taken.append(1)

    stop = StopSignal(lambda *_: None)
    assert "not installed in time" in stop.send(threading.main_thread().ident)
    before = signal.signal(stop.number, users)
    try:
        stop.install()
        assert "is used by the program" in stop.send(threading.main_thread().ident)
        stop.restore()
        assert signal.getsignal(stop.number) is users
    finally:
        signal.signal(stop.number, before)
    assert not taken
