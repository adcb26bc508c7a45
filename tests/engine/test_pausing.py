"""Pausing and resuming the main thread."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import queue
import signal
import sys
import threading
import time

import pytest
from engine.pause_harness import REACHED, Rank

from pxshell.engine import pausing
from pxshell.engine.pause_states import (
    AlreadyPaused,
    Armed,
    Cancelled,
    Held,
    Idle,
    Passed,
    Paused,
    PauseState,
    Resumed,
)
from pxshell.engine.sync import SyncCondition

HAS_SIGNAL = hasattr(signal, "SIGRTMIN")
NUMBER = signal.SIGRTMIN + 6 if HAS_SIGNAL else None


@pytest.fixture
def rank():
    tracer = sys.gettrace()
    sys.settrace(None)
    rank = Rank()
    rank.pauser.install_signal()
    yield rank
    rank.close()
    sys.settrace(tracer)


def spin(until, limit=60.0):
    """A program: count until told to stop; the time limit is for broken tests."""
    n = 0
    end = time.monotonic() + limit
    REACHED.set()
    while not until.is_set():
        n += 1
        assert time.monotonic() < end
    return n


def test_a_running_loop_stops_at_its_next_line_and_goes_on(rank):
    """P5: stop in user code, look, go on, with no trace left."""
    done = threading.Event()

    def user():
        paused = rank.pause()
        assert paused.place.function == "spin"
        assert paused.place.file == __file__
        n = rank.do(lambda p: p.namespace["n"])
        assert n == rank.do(lambda p: p.frame.f_locals["n"])
        assert rank.pauser.state is PauseState.PAUSED
        assert rank.pauser.pause_id == "p1"
        rank.do(change)
        assert rank.resume("p1") == "resumed"
        done.set()

    def change(paused):
        paused.namespace["n"] = -1_000_000_000
        assert paused.namespace.write_back().changed == ("n",)

    assert rank.run(lambda: spin(done), user) < 0
    assert [type(event) for event in rank.told] == [Paused, Resumed]


def test_nothing_is_traced_before_and_after(rank):
    """P5: not paused, a program runs at full speed: no tracer, no trace function in any frame."""
    done = threading.Event()
    traces = []

    def program():
        frame = sys._getframe()
        traces.append((sys.gettrace(), frame.f_trace))
        spin(done)
        traces.append((sys.gettrace(), frame.f_trace))

    def user():
        rank.pause()
        rank.do(lambda p: traces.append((sys.gettrace(), p.frame.f_trace)))
        rank.resume()
        done.set()

    rank.run(program, user)
    assert traces == [(None, None)] * 3


def test_a_tracer_of_the_program_is_put_back(rank):
    """P5: coverage and debuggers find their tracer again."""
    done = threading.Event()
    lines = []

    def local(frame, event, arg):
        lines.append(event)
        return local

    def tracer(frame, event, arg):
        return local if frame.f_code.co_name == "after" else None

    def after():
        return 1

    def program():
        frame = sys._getframe()
        sys.settrace(tracer)
        frame.f_trace = local
        spin(done)
        after()
        result = sys.gettrace(), frame.f_trace
        sys.settrace(None)
        frame.f_trace = None
        return result

    def user():
        rank.pause()
        rank.resume()
        done.set()

    assert rank.run(program, user) == (tracer, local)
    assert lines.count("return") == 1


def test_a_stop_is_in_user_code_though_libraries_are_on_top(rank):
    """P5: `line` waits until library frames have ended, where no lock is held."""

    def number(text):
        return int(text)

    done = threading.Event()

    def program():
        while not done.is_set():
            REACHED.set()
            json.loads("[" + "1," * 20000 + "1]", parse_int=number)

    def user():
        for i in range(5):
            paused = rank.pause(f"p{i}")
            assert paused.place.file == __file__
            assert rank.do(lambda p: p.frame.f_code.co_filename) == __file__
            rank.resume()
        done.set()

    rank.run(program, user)


@pytest.mark.skipif(not HAS_SIGNAL, reason="no signal to spare here")
def test_a_sleep_is_interrupted_and_resumed(rank):
    """Policy of facts.md: no line for 300 ms, then a signal stops it inside what waits."""

    def program():
        REACHED.set()
        t = time.monotonic()
        time.sleep(1.5)
        return time.monotonic() - t

    def user():
        paused = rank.pause()
        assert paused.place.function.endswith("program")
        assert rank.do(lambda p: "t" in p.namespace)
        rank.resume()

    assert rank.run(program, user) >= 1.5


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

    class AlarmError(Exception):
        pass

    def alarm(*_):
        raise AlarmError

    rank.pauser.install_signal()
    before = signal.signal(signal.SIGALRM, lambda *_: alarms.append(1))
    alarms = []
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
        with pytest.raises(AlarmError):
            rank.run(lambda: _ended_by(alarm, program), user)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert alarms == [1]


def _ended_by(alarm, program):
    """Sleep long, but be woken after the pause."""
    signal.signal(signal.SIGUSR2, alarm)
    timer = threading.Timer(1.0, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR2))
    timer.start()
    try:
        return program()
    finally:
        timer.join()
        signal.signal(signal.SIGUSR2, signal.SIG_DFL)


def wait_in_c(mutex):
    """Wait in C until somebody unlocks a mutex: no signal ends that."""
    REACHED.set()
    mutex()
    return 1


class Mutex:
    """A pthread mutex, which ctypes waits for with the GIL released, and which no signal interrupts."""

    def __init__(self):
        import ctypes

        libc = ctypes.CDLL(None)
        mutex = ctypes.create_string_buffer(128)
        libc.pthread_mutex_init(mutex, None)
        # Partials are no frames: the place where a thread waits is the caller's.
        self.lock = functools.partial(libc.pthread_mutex_lock, mutex)
        self.unlock = functools.partial(libc.pthread_mutex_unlock, mutex)


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


def test_resume_outcomes(rank):
    """Design 4: a stale id is answered, never ignored silently."""
    done = threading.Event()

    def user():
        assert rank.pauser.resume("p1") == "not paused"
        rank.pause("p1")
        assert rank.pauser.resume("p0") == "stale"
        rank.request("p2")
        assert rank.next_event(AlreadyPaused).current == "p1"
        assert not rank.pauser.cancel("p1")
        assert rank.resume("p1") == "resumed"
        assert rank.pauser.resume("p1") == "not paused"
        done.set()

    rank.run(lambda: spin(done), user)


def test_an_idle_thread_answers_idle(rank):
    """Nothing waits for ever: no user code, no pause."""
    rank.request("p1")
    assert rank.next_event(Idle) == Idle("p1")


def test_user_code_that_ends_first_answers_idle(rank):
    """P3: a request is accounted for when the program ends before it could stop."""
    condition = SyncCondition("n", 10**12, __file__, "spin")
    done = threading.Event()

    def user():
        rank.request("p1", condition=condition)
        rank.next_event(Armed)
        done.set()

    rank.run(lambda: spin(done), user)
    assert rank.next_event(Idle) == Idle("p1")
    assert sys.gettrace() is None


def test_a_newer_request_replaces_a_pending_one_and_the_same_one_changes_nothing(rank):
    """One request at a time; requests are idempotent by id."""
    condition = SyncCondition("n", 10**12, __file__, "spin")
    done = threading.Event()

    def user():
        rank.request("p1", condition=condition)
        rank.next_event(Armed)
        rank.request("p1", condition=condition)
        assert rank.pause("p2").pause_id == "p2"
        rank.resume("p2")
        assert rank.pauser.cancel("p2") is False
        rank.request("p3", condition=condition)
        rank.next_event(Armed)
        assert rank.pauser.cancel("p3") is True
        done.set()

    rank.run(lambda: spin(done), user)
    assert [type(e) for e in rank.told] == [Armed, Cancelled, Paused, Resumed, Armed, Cancelled]


def step_loop(until):
    total = 0
    REACHED.set()
    for step in range(10**9):
        total += step
        if until.is_set():
            break
    return total == step * (step + 1) // 2


def first_line_of_step():
    return step_loop.__code__.co_firstlineno + 4


def test_a_condition_stops_at_the_first_line_of_the_step(rank):
    """Sync pause: the same line of the same step."""
    done = threading.Event()

    def user():
        for i in range(20):
            found = rank.pauser.probe("step")
            while found.value is None:
                found = rank.pauser.probe("step")
            target = found.value + 2000
            rank.request(f"p{i}", condition=SyncCondition("step", target, found.place.file, found.place.function))
            event = rank.next_event((Paused, Passed))
            if isinstance(event, Paused):
                assert (event.sync_value, event.place.line) == (target, first_line_of_step())
                assert rank.do(lambda p: p.namespace["step"]) == target
                rank.resume()
        done.set()

    assert rank.run(lambda: step_loop(done), user) is True
    assert any(isinstance(event, Paused) for event in rank.told)


def test_a_synchronised_pause_from_an_unsynchronised_one(rank):
    """One operation: the pause ends and the thread is armed, before it runs another line."""
    done = threading.Event()

    def user():
        first = rank.pause("p1")
        if first.place.function != "step_loop" or rank.pauser.probe("step").value is None:
            rank.resume()
            return user()
        step = rank.pauser.probe("step").value
        rank.request("p2", condition=SyncCondition("step", step + 2, __file__, "step_loop"))
        paused = rank.next_event(Paused)
        assert (paused.pause_id, paused.sync_value, paused.place.line) == ("p2", step + 2, first_line_of_step())
        rank.request("p3", condition=SyncCondition("step", step, __file__, "step_loop"))
        assert rank.next_event(Passed) == Passed("p3", step + 2)
        assert rank.pauser.state is PauseState.PAUSED
        rank.resume("p2")
        done.set()
        return None

    assert rank.run(lambda: step_loop(done), user) is True


def test_a_target_that_is_passed_is_said(rank):
    """Sync pause: a rank beyond the target says so, and runs on."""
    done = threading.Event()

    def user():
        while not (rank.pauser.probe("step").value or 0) > 10:
            pass
        rank.request("p1", condition=SyncCondition("step", 5, __file__, "step_loop"))
        assert rank.next_event(Passed).value > 5
        done.set()

    assert rank.run(lambda: step_loop(done), user) is True


def test_a_condition_waits_for_c_without_interrupting_it(rank):
    """Sync pause: a rank that waits in MPI is armed when it comes back; no signal, no held."""
    mutex, done = Mutex(), threading.Event()
    mutex.lock()

    def program():
        REACHED.set()
        mutex.lock()
        return step_loop(done)

    def user():
        rank.request("p1", condition=SyncCondition("step", 3, __file__, "step_loop"))
        assert rank.pauser.deadline() is None
        mutex.unlock()
        assert rank.next_event(Armed) == Armed("p1", None)
        assert rank.next_event(Paused).sync_value == 3
        rank.resume()
        done.set()

    assert rank.run(program, user) is True
    mutex.unlock()


def test_breakpoint_stops_right_here(rank):
    """`breakpoint()` and `pxshell.pause()` stop in their caller."""

    def program():
        x = 1
        REACHED.set()
        stopped = rank.pauser.breakpoint_here(sys._getframe(), "b1")
        return x, stopped

    def user():
        paused = rank.next_event(Paused)
        assert (paused.pause_id, paused.reason) == ("b1", "breakpoint")
        assert rank.do(lambda p: rank.pauser.breakpoint_here(sys._getframe(), "b2")) is False
        rank.do(lambda p: (p.namespace.update(x=5), p.namespace.write_back()))
        rank.resume("b1")

    assert rank.run(program, user) == (5, True)
    assert rank.pauser.breakpoint_here(sys._getframe(), "b3") is False


def test_a_breakpoint_answers_a_pending_request(rank):
    """The rank has stopped: that is what was asked for."""

    def program():
        REACHED.set()
        rank.request("p1", condition=SyncCondition("nothing", 1, __file__, "x"))
        rank.pauser.breakpoint_here(sys._getframe(), "b1")

    def user():
        assert rank.next_event(Paused).pause_id == "b1"
        rank.resume("b1")

    rank.run(program, user)
    assert Cancelled("p1") in rank.told


def test_cells_run_in_a_pause_without_being_paused_themselves(rank):
    """User code nests: a cell of a paused frame begins and ends."""
    done = threading.Event()

    def run_cell(_):
        rank.pauser.begin_user_code()
        try:
            rank.pauser.request("p2")
            return sum(i for i in range(100))
        finally:
            rank.pauser.end_user_code()

    def user():
        rank.pause("p1")
        assert rank.do(run_cell) == 4950
        rank.next_event(AlreadyPaused)
        assert rank.pauser.state is PauseState.PAUSED
        rank.resume("p1")
        done.set()

    rank.run(lambda: spin(done), user)


def test_ctrl_c_in_a_cell_does_not_end_the_pause(rank):
    """A KeyboardInterrupt raised out of the service is a cell's."""
    done = threading.Event()

    def interrupted(_):
        raise KeyboardInterrupt

    def user():
        rank.pause("p1")
        rank.work.put(interrupted)
        assert rank.do(lambda p: p.pause_id) == "p1"
        rank.resume("p1")
        done.set()

    rank.run(lambda: spin(done), user)


def test_a_service_that_fails_ends_the_pause_safely(rank, caplog):
    """P5: our failure is logged, the program goes on."""
    done = threading.Event()

    def fails(_):
        raise ValueError("broken")

    def user():
        rank.pause("p1")
        rank.work.put(fails)
        assert rank.next_event(Resumed) == Resumed("p1")
        done.set()

    rank.run(lambda: spin(done), user)
    assert "broken" in caplog.text
    caplog.clear()


def test_a_service_that_returns_ends_the_pause():
    """An engine that shuts down lets the program go."""
    rank = Rank(service=lambda paused: None)
    done = threading.Event()

    def user():
        rank.pause("p1")
        rank.next_event(Resumed)
        done.set()

    rank.run(lambda: spin(done), user)
    rank.close()


def test_the_handle_lets_everything_go_after_the_pause(rank):
    """P5: the program's objects do not live longer because somebody looked."""
    done = threading.Event()
    handles = []

    def user():
        rank.pause("p1")
        rank.do(lambda p: handles.append((p, p.namespace, p.wait_released(0))))
        rank.resume("p1")
        done.set()

    rank.run(lambda: spin(done), user)
    handle, namespace, was_released = handles[0]
    assert not was_released
    assert handle.wait_released(0)
    woken = []
    handle.add_release_callback(lambda: woken.append(1))
    assert woken == [1]
    with pytest.raises(RuntimeError, match="p1 has ended"):
        _ = handle.namespace
    assert namespace.write_back().changed == ()


def test_asyncio_programs_stop_in_their_coroutines(rank):
    """Facts 1: `line` stops in the next step of a coroutine."""
    done = threading.Event()

    async def worker():
        n = 0
        REACHED.set()
        while not done.is_set():
            await asyncio.sleep(0)
            n += 1
        return n

    def user():
        for i in range(5):
            assert rank.pause(f"p{i}").place.function.endswith(("worker", "program"))
            rank.resume()
        done.set()

    def program():
        return asyncio.run(worker())

    assert rank.run(program, user) > 0


def test_an_exception_in_flight_stays_in_flight(rank):
    """P5: a pause in a handler or a finally block keeps the exception."""
    done = threading.Event()

    def program():
        try:
            try:
                raise ValueError("mine")
            finally:
                spin(done)
        except ValueError as error:
            return str(error), sys.exc_info()[1] is error

    def user():
        rank.pause()
        assert rank.do(lambda p: sys.exc_info()[0]) in {None, ValueError}
        rank.resume()
        done.set()

    assert rank.run(program, user) == ("mine", True)


def test_ctrl_c_reaches_the_program_while_it_is_armed(rank):
    """P5: a program's own KeyboardInterrupt is not lost in our trace function, and the request stands."""
    done, seen = threading.Event(), queue.SimpleQueue()
    condition = SyncCondition("n", 10**12, __file__, "spin")

    def program():
        caught = 0
        while not done.is_set():
            try:
                spin(done)
            except KeyboardInterrupt:
                caught += 1
                seen.put(caught)
        return caught

    def user():
        rank.request("p1", condition=condition)
        rank.next_event(Armed)
        for i in range(20):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            assert seen.get(timeout=10) == i + 1
        assert rank.pauser.state is PauseState.ARMED
        rank.pauser.cancel("p1")
        done.set()

    assert rank.run(program, user) == 20


def test_a_forked_child_is_not_paused(rank):
    """Design 3: a rank's forked children are not ranks."""
    statuses = []

    def program():
        REACHED.set()
        rank.pauser.request("p1", condition=SyncCondition("n", 10**12, __file__, "spin"))
        pid = os.fork()
        if pid == 0:
            os._exit(0 if sys.gettrace() is None and rank.pauser.state is PauseState.IDLE else 3)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking a process with threads: what users do
        rank.run(program)
    assert statuses == [0]


def test_threads_of_the_program_run_on(rank):
    """Only the main thread stops; closures shared with threads keep their values."""
    done = threading.Event()

    def program():
        count = 0

        def work():
            nonlocal count
            while not done.is_set():
                count += 1

        thread = threading.Thread(target=work)
        thread.start()
        spin(done)
        thread.join()
        return count

    def user():
        rank.pause()
        rank.resume()
        done.set()

    assert rank.run(program, user) > 0


def test_pausing_can_be_repeated_hundreds_of_times(rank):
    """One machine, no leftovers: every request leads to one pause."""
    done = threading.Event()

    def user():
        for i in range(300):
            rank.pause(f"p{i}")
            assert rank.resume(f"p{i}") == "resumed"
        done.set()

    rank.run(lambda: spin(done), user)
    assert len(rank.told) == 600


def test_patience_is_as_documented():
    """The policy that worked."""
    assert pausing.PATIENCE == 0.3
