"""What a pause leaves alone: exceptions in flight, Ctrl-C, other threads, children, event loops; and cells in it."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import sys
import threading

import pytest
from engine.pause_harness import REACHED, Rank
from engine.watched_programs import spin

from pxshell.engine.pause_states import AlreadyPaused, Armed, PauseState, Resumed
from pxshell.engine.sync import SyncCondition


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
        rank.do(lambda p: handles.append((p, p.namespace, p.is_released)))
        rank.resume("p1")
        done.set()

    rank.run(lambda: spin(done), user)
    handle, namespace, was_released = handles[0]
    assert not was_released
    assert handle.is_released
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
    condition = SyncCondition("n", 10**12, spin.__code__.co_filename, "spin")

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
            assert seen.get(timeout=30) == i + 1
        assert rank.pauser.state is PauseState.ARMED
        rank.pauser.cancel("p1")
        done.set()

    assert rank.run(program, user) == 20


def test_a_forked_child_is_not_paused(rank):
    """Design 3: a rank's forked children are not ranks."""
    statuses = []

    def program():
        REACHED.set()
        rank.pauser.request("p1", condition=SyncCondition("n", 10**12, spin.__code__.co_filename, "spin"))
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
