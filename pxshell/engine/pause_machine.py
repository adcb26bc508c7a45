"""The decisions of a pause: one request at a time, its patience, what follows it. No thread, no interpreter, no clock.

The pauser calls it with its lock held, so one thread at a time is inside. Each method takes what has happened, moves
the state by the table and tells the events.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Literal

from pxshell.engine.frames import Place, is_users
from pxshell.engine.pause_states import (
    Accepted,
    AlreadyPaused,
    Armed,
    Cancelled,
    Held,
    Idle,
    IllegalStepError,
    Passed,
    Paused,
    PauseEvent,
    PauseState,
    Resumed,
    ResumeOutcome,
    Running,
    Stale,
    Step,
    next_state,
)
from pxshell.engine.paused_frame import PausedFrame
from pxshell.engine.step_rules import StepRule
from pxshell.engine.sync import SyncCondition

__all__ = ["PATIENCE", "PauseMachine", "PauseRequest"]

PATIENCE = 0.3
"""So long, in seconds, a request waits for a line of user code, and then again for the signal to stop the thread."""

_LOOK = 0.1
"""Between two looks, in seconds, a main thread that runs moves, and one that waits in C does not."""
_LONGEST = 2.0
"""Between two looks at a step that takes long, in seconds."""

_log = logging.getLogger("pxshell.engine")


@dataclass(eq=False)
class PauseRequest:
    """A pause that is asked for and has not come about; with `rule` and `start`: a step from that pause."""

    pause_id: str
    mode: Literal["line", "now"] = "line"
    condition: SyncCondition | None = None
    rule: StepRule | None = None
    start: str = ""
    seen: object = None  # how far the main thread had come at the last look
    patience: float = _LOOK
    note: str = ""  # why no signal was sent
    is_signalled: bool = False  # a signal is under way that shall stop the thread
    is_repeated: bool = False  # it has been sent twice

    def watches(self, code: CodeType) -> bool:
        """Tell whether lines of this code may be where to stop."""
        if self.rule is not None:
            return self.rule.watches(code)
        return is_users(code) if self.condition is None else self.condition.is_about(code)

    @property
    def is_plain(self) -> bool:
        """Whether it is to stop wherever that is possible, soon; else it waits as long as it takes."""
        return self.condition is None and self.rule is None

    def is_reached(self, value: float | None) -> bool:
        """Tell whether there is a condition that this value fulfils."""
        return self.condition is not None and self.condition.is_reached(value)

    def stops_at(self, frame: FrameType, value: float | None) -> bool:
        """Tell whether it stops before this line, at which its condition has this value."""
        if self.rule is not None:
            return self.rule.ends_at(frame)
        return self.condition is None or self.is_reached(value)


class PauseMachine:
    """State, pending request, pause and deadline of one main thread."""

    def __init__(self, emit: Callable[[PauseEvent], None], *, strict: bool) -> None:
        self._emit = emit
        self._strict = strict
        self._depth = 0  # user code nests: a cell runs in a paused frame
        self._next: PauseRequest | None = None  # to follow the pause that is being left
        self._first: PauseRequest | None = None  # came before user code has begun
        self._is_expected = False  # user code is about to begin
        self.state = PauseState.IDLE
        self.request: PauseRequest | None = None
        self.paused: PausedFrame | None = None
        self.deadline: float | None = None

    def _step(self, step: Step) -> None:
        try:
            self.state = next_state(self.state, step)
        except IllegalStepError:
            if self._strict:
                raise
            _log.exception("pause: an illegal step")

    def _withdraw(self, event: PauseEvent) -> None:
        self.request = self.deadline = None
        self._step(Step.WITHDRAW)
        self._emit(event)

    # -- user code

    def expect(self) -> None:
        """User code will begin: a request that comes before waits for its first line."""
        self._is_expected = True

    def begin(self) -> bool:
        """User code begins; returns whether to call the main thread, for a request that came before."""
        self._depth += 1
        if self.state is PauseState.IDLE:
            self._step(Step.BEGIN)
        self._is_expected = False
        first, self._first = self._first, None
        if first is None:
            return False
        self._step(Step.REQUEST)
        # Without patience: the first line comes when the script has been read and compiled, however long that takes.
        self.request = first
        return True

    def end(self) -> None:
        """User code ends, before the pending request could stop it."""
        self._depth = max(0, self._depth - 1)
        if self._depth or self.state is PauseState.IDLE:
            return
        if self.request is not None:
            self._withdraw(Idle(self.request.pause_id))
        self._step(Step.END)

    # -- requests

    def take(self, request: PauseRequest, value: float | None, now: float) -> bool:
        """Accept a request, whose condition has this value if paused; returns whether to call the main thread."""
        if any(one is not None and one.pause_id == request.pause_id for one in (self.request, self._first)):
            return False
        if request.rule is not None and not self._stands(request.start):
            self._emit(Stale(request.pause_id))
            return False
        if self.paused is not None:
            self._take_while_paused(self.paused, request, value)
            return False
        if self.state is PauseState.IDLE:
            self._take_while_idle(request)
            return False
        if self.request is not None:
            self._withdraw(Cancelled(self.request.pause_id))
        self._start(request, now)
        return True

    def _take_while_idle(self, request: PauseRequest) -> None:
        if not self._is_expected:
            self._emit(Idle(request.pause_id))
            return
        if self._first is not None:
            self._emit(Cancelled(self._first.pause_id))
        self._first = request
        self._emit(Accepted(request.pause_id))

    def _stands(self, pause_id: str) -> bool:
        return self.paused is not None and self.paused.pause_id == pause_id and self.state is PauseState.PAUSED

    def _start(self, request: PauseRequest, now: float) -> None:
        self._step(Step.REQUEST)
        self.request = request
        # A condition waits as long as it takes: what waits in MPI for its peers is not to be interrupted. So does a
        # step; its deadline is for a look at how it goes.
        self.deadline = None if request.condition else now + (PATIENCE if request.mode == "line" else 0.0)

    def _take_while_paused(self, paused: PausedFrame, request: PauseRequest, value: float | None) -> None:
        if request.is_plain and self.state is PauseState.PAUSED:
            paused.is_asked_for = True
            self._emit(AlreadyPaused(request.pause_id, paused.pause_id, paused.place))
        elif value is not None and request.is_reached(value):
            self._emit(Passed(request.pause_id, value))
        else:
            if self._next is not None:
                self._emit(Cancelled(self._next.pause_id))
            self._next = request
            self._release(paused)

    def resume(self, pause_id: str | None) -> ResumeOutcome:
        """End the pause or withdraw the request of this id; without one whatever there is."""
        if self.paused is None:
            return self._resume_pending(pause_id)
        if pause_id not in {None, self.paused.pause_id, self._next and self._next.pause_id}:
            return ResumeOutcome.STALE
        if self._next is not None:
            self._emit(Cancelled(self._next.pause_id))
            self._next = None
            return ResumeOutcome.CANCELLED
        if self.state is not PauseState.PAUSED:
            return ResumeOutcome.NOT_PAUSED
        self._release(self.paused)
        return ResumeOutcome.RESUMED

    def _resume_pending(self, pause_id: str | None) -> ResumeOutcome:
        pending = self.request or self._first
        if pending is None:
            return ResumeOutcome.NOT_PAUSED
        if pause_id not in {None, pending.pause_id}:
            return ResumeOutcome.STALE
        if pending is self._first:
            self._first = None
            self._emit(Cancelled(pending.pause_id))
        else:
            self._withdraw(Cancelled(pending.pause_id))
        return ResumeOutcome.CANCELLED

    def cancel(self, pause_id: str) -> bool:
        """Withdraw a request; returns whether there was one of this id."""
        pending = self._next or self.request or self._first
        return pending is not None and pending.pause_id == pause_id and self.resume(pause_id) == "cancelled"

    # -- the main thread answers, or does not

    def arm(self, request: PauseRequest, value: float | None, now: float) -> bool:
        """The main thread has taken notice; returns whether it is to trace, or has passed the target already."""
        if value is not None and request.is_reached(value):
            self._withdraw(Passed(request.pause_id, value))
            return False
        was_held = self.state is PauseState.HELD
        if was_held:
            self.deadline = now + PATIENCE
        if self.state is not PauseState.ARMED:
            self._step(Step.ARM)
        if was_held or request.condition is not None:
            self._emit(Armed(request.pause_id, value))
        return True

    def on_time(
        self,
        now: float,
        interrupt: Callable[[], str],
        whereabouts: Callable[[], Place | None],
        position: Callable[[], object] = object,
    ) -> None:
        """Do what is due: interrupt the main thread, or say that it is held, or that a step takes long.

        `position` tells how far the main thread has come: the same twice, and it waits.
        """
        request = self.request
        if request is None or self.deadline is None or now < self.deadline:
            return
        if request.rule is not None:
            self._look(request, now, position(), whereabouts)
        elif self.state is PauseState.INTERRUPTED and not request.is_repeated:
            # One that came just before the thread began to wait is handled only after that: the next one ends the wait.
            self.deadline = now + PATIENCE / 2
            request.is_repeated = True
            request.note = interrupt()
        elif self.state is PauseState.INTERRUPTED:
            self.deadline = None
            request.is_signalled = request.is_repeated = (
                False  # Python handles it when the thread is back, and may stop at a line then
            )
            self._step(Step.HOLD)
            self._emit(Held(request.pause_id, whereabouts(), request.note))
        else:
            self.deadline = now + PATIENCE / 2
            self._step(Step.INTERRUPT)
            request.is_signalled = True
            request.note = interrupt()

    def _look(
        self, request: PauseRequest, now: float, position: object, whereabouts: Callable[[], Place | None]
    ) -> None:
        """See whether a main thread on its way to the end of a step moves."""
        before, request.seen = request.seen, position
        self.deadline = now + request.patience
        if before is None or self.state not in (PauseState.ARMED, PauseState.HELD):
            return
        request.patience = min(2 * request.patience, _LONGEST)
        if before == position:
            if self.state is PauseState.ARMED:
                self._step(Step.WAIT)
                self._emit(Held(request.pause_id, whereabouts()))
        elif self.state is PauseState.HELD:
            self._step(Step.ARM)
            self._emit(Armed(request.pause_id))
        else:
            self._emit(Running(request.pause_id, whereabouts()))

    # -- the pause

    def enter(self, paused: PausedFrame, request: PauseRequest | None) -> bool:
        """Stop for a request, or for a breakpoint; returns whether that is still wanted and possible."""
        pending = self.request
        if self.paused is not None or self.state is PauseState.IDLE or (request and pending is not request):
            return False
        if pending is not None and pending is not request:
            if pending.condition is None:  # it stops anyway; of a step, before its end
                paused.pause_id = pending.pause_id
            else:
                self._withdraw(Cancelled(pending.pause_id))
        self.request = self.deadline = None
        self.paused = paused
        self._step(Step.STOP)
        self._emit(Paused(paused.pause_id, paused.place, paused.reason, paused.sync_value))
        return True

    def _release(self, paused: PausedFrame) -> None:
        if self.state is PauseState.PAUSED:
            self._step(Step.RELEASE)
            paused.release()

    def finish(self, paused: PausedFrame, *, unless_asked_for: bool) -> bool:
        """End a pause whose cause has gone; returns whether it ends. What is asked for from now on follows it."""
        if unless_asked_for and paused.is_asked_for and not paused.is_released:
            return False
        self._release(paused)
        return True

    @property
    def following(self) -> PauseRequest | None:
        """What follows the pause that is being left: a step, a synchronised pause."""
        return self._next

    def leave(self, paused: PausedFrame, now: float) -> bool:
        """Go on; returns whether to arm for a request that follows. Done once, however often it is called."""
        if self.paused is not paused:
            return False
        self._release(paused)
        paused.close()
        self._emit(Resumed(paused.pause_id))
        self._step(Step.LEAVE)
        self.paused = None
        following, self._next = self._next, None
        if following is not None:
            self._start(following, now)
        return following is not None

    def forget(self) -> None:
        """Be as new, in a forked child: it is no rank."""
        self.state = PauseState.IDLE
        self._depth = 0
        self._is_expected = False
        self.request = self._next = self._first = self.paused = self.deadline = None
