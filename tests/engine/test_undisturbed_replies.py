"""A signal handler of the program may raise at any moment: every request is answered, once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from pxshell.engine import undisturbed
from pxshell.engine.interrupts import Interrupts
from pxshell.engine.outbox import Outbox, Request
from pxshell.engine.output import Pipes
from pxshell.engine.running import Runner
from pxshell.engine.undisturbed import StandIn
from pxshell.engine.work import IDLE, Job, Work
from pxshell.protocol.pending import is_reply

OURS = str(Path(undisturbed.__file__).parent)


class HandlerError(Exception):
    """What the handler raises."""


class Moments:
    """Raises at the n-th moment at which a handler could run in our code: at a function's start, after a call of C."""

    def __init__(self, number):
        self.left = number

    def __call__(self, frame, event, _):
        if event not in ("call", "c_return") or not frame.f_code.co_filename.startswith(OURS):
            return
        self.left -= 1
        if self.left < 0:
            sys.setprofile(None)
            raise HandlerError


class Rank:
    """The main thread's loop, with two jobs that wait in its queue."""

    def __init__(self):
        self.replies = []
        self.raised = set()
        self.ended = 0
        self.outbox = Outbox(0, "e", 0, Pipes(), self._post)
        self.work = Work()
        answered = lambda job, reply: None  # noqa: E731 - nobody repeats a request here
        main = threading.main_thread().ident
        self.runner = Runner(
            self.outbox, Interrupts(main), answered, lambda: None, StandIn(), lambda depth: None, Path()
        )
        for name in ("q1", "q2"):
            self.work.put(Job("px_pull_request", Request(name, "c1"), {"expressions": ["1"]}, IDLE))

    def _post(self, messages, _haste):
        replies = [message for message in messages if is_reply(message)]
        self.replies += [message.parent for message in replies]
        self.raised |= {message.data().get("ename") for message in replies}

    def _count(self):
        self.ended += 1
        if self.ended == 2:
            self.work.finish()

    def run(self, moment):
        """Serve both jobs; return whether the moment came."""
        moments = Moments(moment)
        sys.setprofile(moments)
        try:
            while self._does_next():
                pass
        finally:
            sys.setprofile(None)
        return moments.left < 0

    def _does_next(self):
        try:
            job = self.work.wait()
            if job is not None:
                self.runner.run(job, None, partial(self.work.begin, job), self._count)
        except HandlerError:
            return True
        return job is not None


def test_a_handler_that_raises_at_any_moment_loses_no_reply():
    """P3: whatever the moment, each request is answered once, in order, and names nothing that was not raised.

    P5: the program's own handler of SIGINT is back afterwards.
    """
    Rank().run(1_000_000)  # what is imported with the first
    moment, sigint = 0, signal.getsignal(signal.SIGINT)
    while True:
        rank = Rank()
        has_come = rank.run(moment)
        assert (rank.replies, rank.ended) == (["q1", "q2"], 2), f"moment {moment}"
        assert rank.raised <= {None, "HandlerError"}, f"moment {moment}"
        assert signal.getsignal(signal.SIGINT) is sigint, f"moment {moment}"
        if not has_come:
            break
        moment += 1
    assert moment > 100


def test_a_step_is_done_once_and_to_its_end_and_then_raises_what_came():
    """The handler's error is not lost either."""
    done = []
    begun = threading.Event()

    def step():
        begun.set()
        os.kill(os.getpid(), signal.SIGUSR1)
        done.append(threading.get_ident())

    def handler(*_):
        raise HandlerError

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        stand_in = StandIn()
        once = stand_in.once(step)
        with pytest.raises(HandlerError):
            once.do()
        once.do()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(done) == 1
    assert done[0] != threading.get_ident()


def test_a_fault_of_the_step_itself_is_raised():
    """An error of ours is not hidden."""
    with pytest.raises(ZeroDivisionError):
        StandIn().do(lambda: 1 / 0)


def test_without_handlers_the_main_thread_does_it_itself(monkeypatch):
    """A thread costs some of what a small cell takes. SIGALRM is that of the tests' time limit."""
    monkeypatch.setattr(undisturbed, "_NUMBERS", [signal.SIGUSR1, signal.SIGUSR2])
    done = []
    StandIn().do(lambda: done.append(threading.get_ident()))
    assert done == [threading.get_ident()]


def test_the_stand_in_counts_as_the_main_thread():
    """What it says has its place among what the main thread has printed."""
    stand_in = StandIn()
    seen = []
    stand_in.do(lambda: seen.append(stand_in.is_here))
    assert (seen, stand_in.is_here) == ([True], True)
    other = threading.Thread(target=lambda: seen.append(stand_in.is_here))
    other.start()
    other.join()
    assert seen == [True, False]


# Not two at a time: a handler that raises while what it has raised is being caught, again and again, ends any program.
HANDLER = """
import signal, time
class Alarm(Exception): pass
last = 0.0
def handle(*_):
    global last
    now = time.monotonic()
    if now - last > 0.01:
        last = now
        raise Alarm
signal.signal(signal.SIGUSR1, handle)
"""


def test_a_real_rank_answers_every_cell_under_a_storm_of_signals(rig):
    """P3: a hundred cells while a handler raises again and again, wherever that is."""
    engine = rig.start()
    node = rig.node
    node.wait_state("idle")
    node.run(HANDLER)
    is_over = threading.Event()

    def storm():
        while not is_over.wait(0.002):
            engine.send_signal(signal.SIGUSR1)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        requests = [node.cell(f"x = {number}", cell=number) for number in range(100)]
        for request in requests:
            node.reply_to(request)
    finally:
        is_over.set()
        thread.join()
    node.run("signal.signal(signal.SIGUSR1, signal.SIG_IGN)")
    replies = [one.parent for one in node.said if one.type == "execute_reply" and one.parent in requests]
    assert replies == requests
