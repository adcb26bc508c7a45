"""An interrupt reaches its cell, once, whatever the main thread is about to do."""

import signal
import threading
import time

import pytest

from pxshell.engine import interrupts as module
from pxshell.engine.interrupts import Interrupts
from pxshell.testing.waiting import wait_until


@pytest.fixture
def interrupts():
    return Interrupts(threading.get_ident())


def sent_from_another_thread(interrupts, said=None):
    thread = threading.Thread(target=lambda: (said if said is not None else []).append(interrupts.interrupt("c")))
    thread.start()
    return thread


def test_an_interrupt_is_raised_in_the_cell_in_flight_and_in_no_other(interrupts):
    said = []
    with pytest.raises(KeyboardInterrupt), interrupts.allowed("c"):
        sent_from_another_thread(interrupts, said)
        time.sleep(10)
    wait_until(lambda: said, 30, "the one who interrupts is told")
    assert said == ["interrupted"]
    assert interrupts.interrupt("c") == "not running"
    with interrupts.allowed("d"):
        assert interrupts.interrupt("c") == "not running"


def test_a_cell_that_has_not_begun_is_interrupted_as_it_begins(interrupts):
    """P3: it is told as busy before it can be interrupted, and an interrupt may come before the cell itself."""
    assert interrupts.interrupt("c", may_come=True) == "pending"
    with interrupts.allowed("another"):
        pass
    with pytest.raises(KeyboardInterrupt), interrupts.allowed("c"):
        pytest.fail("it has begun")
    with interrupts.allowed("c"):
        pass


def test_a_signal_on_the_way_into_a_cell_or_out_of_it_is_the_programs(interrupts):
    """P5: ours stands in for a cell only, though it may be there a moment longer."""
    handled = []
    before = signal.signal(signal.SIGINT, lambda *_: handled.append(1))
    try:
        with interrupts.allowed("c"):
            pass
        interrupts._handle(signal.SIGINT, None)
    finally:
        signal.signal(signal.SIGINT, before)
    assert handled == [1]


def test_few_cells_are_remembered_that_never_come(interrupts):
    """P7: the oldest are forgotten."""
    for number in range(module._REMEMBERED + 1):
        interrupts.interrupt(str(number), may_come=True)
    with interrupts.allowed("0"):
        pass
    for number in (1, module._REMEMBERED):
        with pytest.raises(KeyboardInterrupt), interrupts.allowed(str(number)):
            pytest.fail("it has begun")


def test_a_signal_that_came_before_the_main_thread_fell_asleep_is_sent_again(interrupts, monkeypatch):
    """P3: else the cell would sleep its time out. The first one is lost here, as one before a system call."""
    killed, sends = [], signal.pthread_kill

    def lose_the_first(thread, number):
        killed.append(number)
        if len(killed) > 1:
            sends(thread, number)

    monkeypatch.setattr(module.signal, "pthread_kill", lose_the_first)
    with pytest.raises(KeyboardInterrupt), interrupts.allowed("c"):
        sent_from_another_thread(interrupts).join()
        time.sleep(30)
    assert len(killed) >= 2  # a busy machine may lose the second one just so


def test_one_that_was_sent_again_in_vain_interrupts_nothing_more(interrupts, monkeypatch):
    """P5: what a cell does to clean up is not interrupted by the echo."""
    monkeypatch.setattr(module, "_AGAIN_S", (0.0,))
    with interrupts.allowed("c"):
        try:
            # Held back until both have been sent: this thread is in one long call of C.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            sent_from_another_thread(interrupts).join()
            wait_until(lambda: interrupts._sent.again, 30, "it is sent again")
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            pytest.fail("not interrupted")
        except KeyboardInterrupt:
            interrupts._handle(signal.SIGINT, None)  # the second one: it changes nothing
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)  # somebody else's is one


def test_when_the_cell_has_ended_nothing_is_sent_again(interrupts, monkeypatch):
    killed, has_ended = [], threading.Event()

    def pauses():
        assert has_ended.wait(30)
        yield 0.0

    monkeypatch.setattr(module.signal, "pthread_kill", lambda *sent: killed.append(sent))
    monkeypatch.setattr(module, "_AGAIN_S", pauses())
    with interrupts.allowed("c"):
        sent_from_another_thread(interrupts).join()
    has_ended.set()
    wait_until(lambda: "pxshell-interrupt" not in {one.name for one in threading.enumerate()}, 30, "nobody waits")
    assert len(killed) == 1
