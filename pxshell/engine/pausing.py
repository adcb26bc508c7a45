"""The pauser: stops the main thread in user code, serves there, and lets it go on as if nothing had been.

Who runs what. `request`, `resume`, `cancel`, `tick` and the properties are for any thread (the control thread of an
engine). `breakpoint_here`, `stop_after`, `stop_if_asked`, `install_signal` and `close` are for the main thread;
`expect_user_code`, `begin_user_code` and `end_user_code` for it or who stands in for it. Private methods whose comment
says so are entered by the interpreter in the main thread, between any two bytecodes.

One lock guards the state. The main thread marks that it is inside before it takes the lock, because a pending call or a
signal may interrupt it there; such a visitor goes away and is called again. `on_event` and release callbacks run with
the lock held, in whichever thread: they may put into a queue, and may not call back. The order of events is thereby the
order of the steps. Ctrl-C may come between any two bytecodes of ours as well, so what must happen is repeated until it
has happened.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from types import CodeType, FrameType
from typing import Any, Literal, TypeVar

from pxshell.engine.arming import Arming, StopSignal, call_in_main, interrupt_again
from pxshell.engine.frames import innermost_user_frame, is_own_code, is_users, place_of
from pxshell.engine.pause_machine import PATIENCE, PauseMachine, PauseRequest
from pxshell.engine.pause_states import PauseEvent, PauseState, ResumeOutcome
from pxshell.engine.paused_frame import PausedFrame
from pxshell.engine.postmortem import Failure
from pxshell.engine.stacks import running_frame, user_place
from pxshell.engine.standing_stops import StandingStop
from pxshell.engine.step_rules import StepKind, make_rule
from pxshell.engine.sync import Probe, SyncCondition, probe

__all__ = ["PATIENCE", "HandlerRaisedError", "PausedFrame", "Pauser"]

_log = logging.getLogger("pxshell.engine")
_T = TypeVar("_T")


class HandlerRaisedError(Exception):
    """A signal handler of the program has raised while it stood: the pause ends, and the program goes on with that."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class Pauser:
    """Stop, serve and resume the main thread.

    Args:
        on_event: Told of every event; see the module's text for what it may do.
        service: Called in the main thread while it is stopped; returns when the pause ends. Ctrl-C raised out of it
            is taken for a cell's and it is called again; `HandlerRaisedError` ends the pause, and what it carries is
            raised in the program; another exception is logged and ends the pause.
        main_ident: The identifier of the main thread.
        strict: Raise on an illegal step, as tests do, instead of logging it.
        clock: What `deadline` and `tick` count in.
        new_id: Gives the pauses of breakpoints their ids.
    """

    def __init__(
        self,
        *,
        on_event: Callable[[PauseEvent], None],
        service: Callable[[PausedFrame], None],
        main_ident: int | None = None,
        strict: bool = False,
        clock: Callable[[], float] = time.monotonic,
        new_id: Callable[[], str] | None = None,
    ) -> None:
        self._service = service
        self._main: int = main_ident or threading.main_thread().ident or 0
        self._clock = clock
        self._lock = threading.Lock()  # guards the machine
        self._machine = PauseMachine(on_event, strict=strict)
        self._is_inside = False  # the main thread's own: it holds the lock, or is about to take it
        self._was_missed = False  # the main thread's own: somebody came while it was inside
        self._new_id = new_id or map("b{}".format, itertools.count(1)).__next__
        self._standing_lock = threading.Lock()  # guards the two; the main thread reads the second without
        self._stops: dict[str, StandingStop] = {}
        self._standing: tuple[StandingStop, ...] = ()  # replaced as a whole
        self._arming: tuple[PauseRequest | None, tuple[StandingStop, ...], Arming] | None = (
            None  # the main thread's own
        )
        #: Frame and instruction at which a trace stopped last; other tools see the same line after it.
        self._traced_stop: tuple[int, int] | None = None  # the main thread's own
        #: Whether another tool has a stop at this line, and so will see the event that a trace sees first.
        self.is_seen_again: Callable[[FrameType], bool] = lambda _: False
        self._answered = 0  # the main thread counts: it runs Python
        self._is_asked = False
        self._signal = StopSignal(self._on_signal)
        self._knows_forks = False

    # -- snapshots, for any thread

    @property
    def main_ident(self) -> int:
        """The identifier of the main thread."""
        return self._main

    @property
    def can_stop(self) -> bool:
        """Whether a breakpoint would stop the main thread: user code runs, and no cell of a pause."""
        return self.state is not PauseState.IDLE and self.paused is None

    @property
    def state(self) -> PauseState:
        """The state now."""
        return self._machine.state

    @property
    def paused(self) -> PausedFrame | None:
        """The pause that goes on, if any."""
        return self._machine.paused

    @property
    def following(self) -> str:
        """The id of the step or synchronised pause that follows the pause which is being left, or ""."""
        return self._machine.following.pause_id if self._machine.following is not None else ""

    @property
    def pause_id(self) -> str | None:
        """The id of the pause that goes on, else of the pending request."""
        holder = self._machine.paused or self._machine.request
        return holder.pause_id if holder else None

    def deadline(self) -> float | None:
        """Return when to call `tick`, in seconds of the clock. Ask again after each request and each event."""
        return self._machine.deadline

    def probe(self, expression: str) -> Probe:
        """Evaluate the expression of a synchronised pause, on the paused frame or on the running stack."""
        return probe(expression, self._paused_frame() or running_frame(self._main))

    def _paused_frame(self) -> FrameType | None:
        """Return the frame that is paused, unless it has just been let go."""
        paused = self.paused
        if paused is not None:
            with suppress(RuntimeError):
                return paused.frame
        return None

    # -- any thread

    def request(
        self, pause_id: str, *, mode: Literal["line", "now"] = "line", condition: SyncCondition | None = None
    ) -> None:
        """Ask the main thread to stop: at its next line of user code, at once, or where a condition holds.

        The answer comes as an event. A request with a condition also ends a pause that goes on, to stop again there.
        A newer request replaces a pending one; the same id again changes nothing. Without a signal to spare, `now`
        is `line`.
        """
        self._watch_forks()
        frame = self._paused_frame() if condition is not None else None
        value = condition.value_on(frame) if condition is not None and frame is not None else None
        if self._locked(self._machine.take, PauseRequest(pause_id, mode, condition), value, self._clock()):
            call_in_main(self._arm)
            if mode == "now":
                self.tick()

    def step(self, pause_id: str, start: str, kind: StepKind, line: int = 0) -> None:
        """Let the main thread go on from the pause `start`, from its selected frame, to the end of a step.

        The answer comes as an event: `Paused` with the new id, `Idle` when user code has ended before, `Held` or
        `Running` when it takes long, after which it may still stop, or `Stale`.
        """
        paused = self.paused
        try:
            rule = make_rule(kind, paused.stack.selected.frame, line) if paused is not None else None
        except RuntimeError:  # the pause has ended meanwhile
            rule = None
        if paused is not None and paused.failure:
            start = ""  # frames that have ended take no step: it is stale
        request = PauseRequest(pause_id, rule=rule or make_rule(StepKind.STEP), start=start)
        self._locked(self._machine.take, request, None, self._clock())

    def stand_at(self, name: str, stop: StandingStop | None) -> None:
        """Stop wherever this says so, from now on, in place of what had that name; None takes it away."""
        self._watch_forks()
        with self._standing_lock:
            self._stops = {key: one for key, one in self._stops.items() if key != name}
            if stop is not None:
                self._stops[name] = stop
            self._standing = tuple(self._stops.values())
        call_in_main(self._arm)

    def resume(self, pause_id: str | None = None) -> ResumeOutcome:
        """End the pause or withdraw the request of this id; without one whatever there is."""
        outcome = self._locked(self._machine.resume, pause_id) or ResumeOutcome.NOT_PAUSED
        if outcome is ResumeOutcome.CANCELLED:
            call_in_main(self._arm)  # which, without a request, disarms
        return outcome

    def finish(self, paused: PausedFrame, *, unless_asked_for: bool = False) -> bool:
        """End a pause that goes on, for the one who serves it, whose cause has gone; returns whether it ends.

        With `unless_asked_for` it stays if somebody else has asked for a pause while it stood.
        """
        return self._locked(lambda: self._machine.finish(paused, unless_asked_for=unless_asked_for)) or False

    def cancel(self, pause_id: str) -> bool:
        """Withdraw a request that has not led to a pause yet; returns whether there was one."""
        is_cancelled = self._locked(self._machine.cancel, pause_id) or False
        if is_cancelled:
            call_in_main(self._arm)
        return is_cancelled

    def tick(self, now: float | None = None) -> None:
        """Do what is due: `line` becomes `now`, and `now` becomes held."""
        now = self._clock() if now is None else now
        whereabouts = lambda: user_place(self._main)  # noqa: E731
        interrupt = lambda: self._signal.send(self._main)  # noqa: E731
        self._locked(self._machine.on_time, now, interrupt, whereabouts, self._position)

    def _position(self) -> object:
        """Return how often the main thread has answered, and ask once more: it does so unless it waits in C."""
        answered = self._answered
        if not self._is_asked:
            self._is_asked = True
            call_in_main(self._answer)
        return answered

    def _answer(self, _: FrameType | None) -> None:
        self._is_asked = False
        self._answered += 1

    # -- main thread

    def expect_user_code(self) -> None:
        """Say that a script will begin: a request that comes before stops it at its first line."""
        self._locked(self._machine.expect)

    def begin_user_code(self) -> None:
        """Say that a script or a cell begins. Nests."""
        if self._locked(self._machine.begin) or self._standing:
            call_in_main(self._arm)

    def end_user_code(self) -> None:
        """Say that it has ended; a request that has not stopped it is answered `Idle`."""
        self._locked(self._machine.end)
        if self._machine.request is not None or (self._standing and self.state is not PauseState.IDLE):
            return
        if threading.get_ident() == self._main:
            self._disarm()
        else:  # somebody stands in for the main thread
            call_in_main(self._arm)  # which, without a request, disarms

    def breakpoint_here(self, frame: FrameType, pause_id: str, reason: str = "breakpoint") -> bool:
        """Stop right here, in the innermost user frame; returns, after the pause, whether there was one.

        There is none in another thread, in a cell of a paused frame, and where no user code is known to run. A pending
        request without condition is answered by this stop, under its own id.
        """
        user_frame = innermost_user_frame(frame)
        if threading.get_ident() != self._main or user_frame is None:
            return False
        return self._pause(PausedFrame(pause_id, user_frame, place_of(user_frame), reason), None)

    def stop_at(self, frame: FrameType, reason: str) -> bool:
        """Stop in exactly this frame, at a line that a standing stop has seen without our trace; as `breakpoint_here`.

        A line at which a trace has stopped already, in the same event, is passed by.
        """
        stopped, self._traced_stop = self._traced_stop, None
        if threading.get_ident() != self._main or stopped == (id(frame), frame.f_lasti):
            return False
        return self._pause(PausedFrame(self._new_id(), frame, place_of(frame), reason), None)

    def stop_if_asked(self, frame: FrameType) -> bool:
        """Stop for a pending request, in code of ours that waits in the place of a call of the user's.

        What waits for a line of the program waits on. Returns, after the pause, whether there was one.
        """
        request = self._machine.request
        user_frame = innermost_user_frame(frame)
        if request is None or request.condition is not None or user_frame is None:
            return False
        return self._pause(PausedFrame(request.pause_id, user_frame, place_of(user_frame), "pause"), request)

    def stop_after(self, failure: Failure, pause_id: str) -> bool:
        """Stop in the frames that an exception has ended; returns, after the pause, whether there was one."""
        return self._pause(PausedFrame.after(failure, pause_id), None)

    def install_signal(self) -> None:
        """Handle the signal now, not with the first request, which a thread that waits in C by then does not notice."""
        self._signal.install()

    def close(self) -> None:
        """Withdraw everything and give the signal back; a pause that goes on is released."""
        self.resume(None)
        self._standing = ()
        self._disarm()
        self._signal.restore()

    # -- the lock

    def _locked(self, function: Callable[..., _T], *args: Any) -> _T | None:
        """Run a step with the lock held; None at once when the main thread was interrupted inside another."""
        if threading.get_ident() != self._main:
            with self._lock:
                return function(*args)
        if self._is_inside:
            self._was_missed = True
            return None
        try:
            self._is_inside = True
            with self._lock:
                return function(*args)
        finally:
            self._is_inside = False
            if self._was_missed:
                self._was_missed = False
                call_in_main(self._arm)

    # -- entered by the interpreter in the main thread

    def _arm(self, frame: FrameType | None) -> None:
        """Make the main thread stop for the pending request and what stands; without either put back what was there."""
        request = self._machine.request
        value = request.condition.value_on(frame) if request is not None and request.condition is not None else None
        arming = self._locked(self._arm_for, request, value)
        if arming is not None:
            arming.install(frame)  # last: see there

    def _arm_for(self, request: PauseRequest | None, value: float | None) -> Arming | None:
        if self._machine.request is not request or self.paused is not None:
            return None  # the newer request has a call of its own
        if self._is_armed_for(request):
            return None
        if request is not None:
            self._signal.install()
            if not self._machine.arm(request, value, self._clock()):
                request = None
        self._disarm()
        standing = self._standing
        if (request is None and not standing) or self.state is PauseState.IDLE:
            return None
        is_steady = request is None
        arming = Arming(self._is_watched, self._on_line, self._on_broken, self._on_left, is_steady=is_steady)
        self._arming = (request, standing, arming)
        return arming

    def _is_armed_for(self, request: PauseRequest | None) -> bool:
        if self._arming is None or self.state is PauseState.HELD:
            return False
        armed_for, standing, arming = self._arming
        return armed_for is request and standing is self._standing and arming.is_live

    def _disarm(self) -> None:
        if self._arming is not None:
            self._arming[2].remove()
            self._arming = None

    def _on_broken(self) -> None:
        call_in_main(self._arm)

    def _is_watched(self, code: CodeType) -> bool:
        request = self._machine.request
        if request is not None and request.watches(code):
            return True
        return any(stop.watches(code) for stop in self._standing)

    def _on_left(self, frame: FrameType) -> FrameType | None:
        """A frame is left for good. In the trace function."""
        for stop in self._standing:
            stop.left(frame)
        request = self._machine.request
        return request.rule.left(frame) if request is not None and request.rule is not None else None

    def _on_line(self, frame: FrameType) -> None:
        """Stop at this line, if the request or something that stands wants to. In the trace function."""
        if self._is_inside:  # user code called from here: a generated method, a callback
            return
        self._traced_stop = None
        request = self._machine.request
        if request is not None and request.watches(frame.f_code):
            value = request.condition.value_in(frame) if request.condition is not None else None
            if request.stops_at(frame, value):
                reason = "pause" if request.rule is None else "step"
                self._stop_traced(PausedFrame(request.pause_id, frame, place_of(frame), reason, value), request)
                return
        for stop in self._standing:
            if reason := stop.reached(frame):
                self._stop_traced(PausedFrame(self._new_id(), frame, place_of(frame), reason), None)
                return
        if request is None and not self._standing:
            self._disarm()

    def _stop_traced(self, paused: PausedFrame, request: PauseRequest | None) -> None:
        at = (id(paused.frame), paused.frame.f_lasti) if self.is_seen_again(paused.frame) else None
        self._pause(paused, request)
        self._traced_stop = at

    def _on_signal(self, _: int, frame: FrameType | None) -> None:
        """Stop inside whatever runs, or arm anew if the thread has just come back from C."""
        request = self._machine.request
        if request is None or not request.is_plain:
            return  # late: the request has fallen
        if self.state is PauseState.HELD:
            self._arm(frame)
            return
        user_frame = innermost_user_frame(frame)
        # Inside pxshell's own code, locks of ours are held: the next line of user code will do.
        if request.is_signalled and user_frame is not None and not _is_in_own_code(frame):
            self._pause(PausedFrame(request.pause_id, user_frame, place_of(user_frame), "pause"), request)

    # -- the pause, in the main thread

    def _pause(self, paused: PausedFrame, request: PauseRequest | None) -> bool:
        """Stop in a frame, serve, and go on; returns whether it stopped."""
        frame = paused.frame
        try:
            has_stopped = self._locked(self._enter, paused, request) or False
            if has_stopped:
                _insist(lambda: self._serve(paused))
        finally:
            if _insist(lambda: self._locked(self._machine.leave, paused, self._clock())) or self._standing:
                self._arm(frame)
        return has_stopped

    def _enter(self, paused: PausedFrame, request: PauseRequest | None) -> bool:
        has_stopped = self._machine.enter(paused, request)
        if has_stopped:
            self._disarm()
        return has_stopped

    def _serve(self, paused: PausedFrame) -> None:
        while not paused.is_released:
            try:
                # Inside a trace function nothing is traced; a debugger's breakpoints in cells shall work.
                sys.call_tracing(self._service, (paused,))
            except KeyboardInterrupt:
                continue  # it was a cell's
            except HandlerRaisedError as raised:
                raise raised.error from None
            except BaseException:  # noqa: BLE001 - whatever it is, the program goes on
                _log.exception("pause %s: its service failed, the program goes on", paused.pause_id)
            return

    # -- forks: a child is no rank

    def _watch_forks(self) -> None:
        if not self._knows_forks:
            self._knows_forks = True
            forked = weakref.WeakMethod(self._forked)
            os.register_at_fork(after_in_child=lambda: _call(forked()))

    def _forked(self) -> None:
        self._lock = threading.Lock()
        self._is_inside = False
        self._machine.forget()
        self._standing = ()
        self._disarm()


def _call(function: Callable[[], None] | None) -> None:
    if function is not None:
        function()


def _insist(function: Callable[[], _T]) -> _T:
    """Run a repeatable function to its end, whatever Ctrl-C does; deliver that afterwards."""
    while True:
        try:
            return function()
        except KeyboardInterrupt:
            interrupt_again()


def _is_in_own_code(frame: FrameType | None) -> bool:
    while frame is not None and not is_users(frame.f_code):
        if is_own_code(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False
