"""A rank without links: the test's main thread runs the program, other threads are its control thread and its user."""

from __future__ import annotations

import _thread
import queue
import sys
import threading
import time
import traceback
import types

from pxshell.engine.pause_states import Paused, PauseState, Resumed
from pxshell.engine.pausing import Pauser

LONG = 30.0
REACHED = threading.Event()
"""Set by programs where their user may begin: what surrounds them here is user code as well."""


def no_user_code(function):
    """Give a function, and what is defined in it, a file name that is not the user's: pauses pass it by."""
    function.__code__ = _renamed(function.__code__)
    return function


def _renamed(code):
    constants = tuple(_renamed(c) if isinstance(c, types.CodeType) else c for c in code.co_consts)
    return code.replace(co_filename="<frozen pause_harness>", co_consts=constants)


class Rank:
    """A pauser, a control thread that ticks, and a service that runs functions until the pause ends."""

    def __init__(self, **options):
        self.events = queue.SimpleQueue()
        self.told = []
        self.work = queue.SimpleQueue()
        self.pauser = Pauser(
            on_event=self._on_event, service=options.pop("service", self._serve), strict=True, **options
        )
        self._wake = threading.Event()
        self._ended = False
        self._control = threading.Thread(target=self._tick_when_due, daemon=True)
        self._control.start()
        self.errors = []

    def _on_event(self, event):
        self.told.append(event)
        self.events.put(event)
        self._wake.set()

    def _serve(self, paused):
        paused.add_release_callback(lambda: self.work.put(None))
        while (function := self.work.get()) is not None:
            function(paused)

    def _tick_when_due(self):
        while not self._ended:
            due = self.pauser.deadline()
            self._wake.wait(None if due is None else max(0.0, due - time.monotonic()))
            self._wake.clear()
            self.pauser.tick()

    def request(self, *args, **kwargs):
        self.pauser.request(*args, **kwargs)
        self._wake.set()

    def next_event(self, kind, timeout=LONG):
        """Wait for the next event of a kind; others in between are left out."""
        end = time.monotonic() + timeout
        while True:
            event = self.events.get(timeout=max(0.0, end - time.monotonic()))
            if isinstance(event, kind):
                return event

    def do(self, function):
        """Run a function in the paused main thread and return what it returns."""
        answer = queue.SimpleQueue()
        self.work.put(lambda paused: answer.put(function(paused)))
        return answer.get(timeout=LONG)

    def pause(self, pause_id="p1", **kwargs):
        self.request(pause_id, **kwargs)
        return self.next_event(Paused)

    def resume(self, pause_id=None):
        outcome = self.pauser.resume(pause_id)
        self.next_event(Resumed)
        return outcome

    def run(self, program, user=None):
        """Run a program in this thread, and meanwhile a user in another; returns what the program returns."""
        thread = threading.Thread(target=self._act, args=(user,)) if user else None
        REACHED.clear()
        self.pauser.begin_user_code()
        try:
            if thread:
                thread.start()
            return program()
        finally:
            self.pauser.end_user_code()
            if thread:
                thread.join(LONG)
            if self.errors:
                raise self.errors[0]

    def _act(self, user):
        try:
            assert REACHED.wait(LONG)
            user()
        except BaseException as error:
            self.errors.append(error)
            traceback.print_exc()
            while self.pauser.resume() != "not paused":
                time.sleep(0.01)
            _thread.interrupt_main()  # the program would wait for the user for ever

    def close(self):
        self.pauser.close()
        assert self.pauser.state is PauseState.IDLE
        assert sys.gettrace() is None
        self._ended = True
        self._wake.set()
        self._control.join(LONG)


for _method in [value for value in vars(Rank).values() if isinstance(value, types.FunctionType)]:
    no_user_code(_method)
