"""Requests to pause and resume, and what comes of them: who asked is told once; a held rank is noted.

The stop itself is said by the main thread, as a state. All of this is the control thread's.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pxshell.engine.activity import ActivityReport
from pxshell.engine.frames import Place
from pxshell.engine.outbox import Outbox, Request
from pxshell.engine.pause_states import (
    Accepted,
    AlreadyPaused,
    Armed,
    Cancelled,
    Held,
    Idle,
    Passed,
    Paused,
    PauseEvent,
    PauseState,
    Resumed,
    ResumeOutcome,
    Running,
    Stale,
)
from pxshell.engine.pausing import Pauser
from pxshell.engine.step_rules import StepKind
from pxshell.engine.sync import SyncCondition
from pxshell.engine.work import place_for
from pxshell.protocol.message import Message
from pxshell.protocol.state import Activity, ActivityEvent

__all__ = ["PauseAnswers"]


#: Outcome and reason of requests that have fallen.
_FALLEN: dict[type[PauseEvent], tuple[str, str]] = {
    Idle: ("idle", "no user code runs"),
    Stale: ("stale", "it is not in that pause any more"),
    Cancelled: ("refused", "another pause or a resume took its place"),
}


class _Asked(NamedTuple):
    """Who waits for the outcome of a pause."""

    request: Request
    is_sync: bool
    reply: str = "px_pause_reply"


class PauseAnswers:
    """Pauses that were asked for and are not answered yet.

    Args:
        rank: This rank's number.
        outbox: Where answers go.
        activity: The rank's state.
        pauser: Stops the main thread.
    """

    def __init__(self, rank: int, outbox: Outbox, activity: ActivityReport, pauser: Pauser) -> None:
        self._rank = rank
        self._outbox = outbox
        self._activity = activity
        self._pauser = pauser
        #: By pause id.
        self._asked: dict[str, _Asked] = {}

    def pause(self, message: Message, request: Request) -> None:
        """Ask the main thread to stop."""
        content = message.data()
        state = self._activity.state
        if state.activity is Activity.FAILED:
            why = f"it has failed, and stands: {state.why}"
            self._outbox.answer(request, "px_pause_reply", _content("refused", None, None, why))
            return
        pause = str(content["pause"])
        condition = None
        if content["mode"] == "sync":
            fields = ("expression", "target", "file", "function")
            condition = SyncCondition(*(content[name] for name in fields))
        self._asked[pause] = _Asked(request, condition is not None)
        mode: Literal["now", "line"] = "now" if content["mode"] == "now" else "line"
        self._pauser.request(pause, mode=mode, condition=condition)

    def step(self, message: Message, request: Request) -> None:
        """Let the main thread go on to the end of a step."""
        content = message.data()
        pause = str(content["pause"])
        start = place_for(self._rank, content).removeprefix("frame:")
        self._asked[pause] = _Asked(request, is_sync=False, reply="px_step_reply")
        self._pauser.step(pause, start, StepKind(content["kind"]), int(content.get("line") or 0))

    def report(self, event: PauseEvent) -> None:
        """Answer who asked for the pause, and note a rank that is held; the stop itself is said by the main thread."""
        match event:
            case Paused(pause_id, place, _, value):
                self._settle(pause_id, "paused", place, value=value)
            case AlreadyPaused(pause_id, current, place):
                self._settle(pause_id, "paused", place, why=f"it is paused already ({current})")
            case Held(pause_id, place, note):
                self._hold(pause_id, place, note)
            case Accepted(pause_id):
                self._settle(pause_id, "pending", None)
            case Armed(pause_id, value):
                self._note_armed(pause_id, value)
            case Running(pause_id, place):
                self._settle(pause_id, "running", place)
            case Passed(pause_id, value):
                self._settle(pause_id, "passed", None, value=value)
            case Resumed(pause_id) if self._activity.state.pause == pause_id:
                # Ctrl-C came between the pause and the word of it.
                self._activity.change(ActivityEvent.RESUME)
            case Idle() | Stale() | Cancelled():
                outcome, why = _FALLEN[type(event)]
                self._settle(event.pause_id, outcome, None, why=why)
            case _:
                return

    def _note_armed(self, pause_id: str, value: float | None) -> None:
        if self._is_sync(pause_id):
            self._settle(pause_id, "pending", None, value=value)
        elif self._is_held_by(pause_id):  # a step that waited in C moves again
            self._activity.change(ActivityEvent.RESUME, pause=pause_id)

    def _hold(self, pause_id: str, place: Place | None, note: str) -> None:
        # It may have come back to Python since, and have stopped.
        if self._pauser.state is PauseState.HELD:
            facts: dict[str, Any] = {}
            if place is not None:
                facts = {"file": place.file, "line": place.line, "function": place.function}
            self._activity.change(ActivityEvent.HOLD, pause=pause_id, why=note, **facts)
        self._settle(pause_id, "held", place, why=note)

    def _is_held_by(self, pause: str) -> bool:
        return self._activity.state.activity is Activity.HELD and self._activity.state.pause == pause

    def _is_sync(self, pause: str) -> bool:
        return pause in self._asked and self._asked[pause].is_sync

    def _settle(self, pause: str, outcome: str, place: Place | None, *, value: Any = None, why: str = "") -> None:
        asked = self._asked.pop(pause, None)
        if asked is None:
            return
        self._outbox.answer(asked.request, asked.reply, _content(outcome, place, value, why))

    def resume(self, message: Message, request: Request) -> dict[str, Any]:
        """End a pause, or withdraw the request for one."""
        del request
        state = self._activity.state
        is_told = state.activity is Activity.HELD or (state.activity is Activity.BUSY and bool(state.pause))
        outcome = self._pauser.resume(str(message.data().get("pause") or "") or None)
        if outcome is ResumeOutcome.CANCELLED and is_told:
            self._activity.change(ActivityEvent.RESUME)
        name = {ResumeOutcome.RESUMED: "resumed", ResumeOutcome.CANCELLED: "resumed", ResumeOutcome.STALE: "stale"}
        return {"outcome": name.get(outcome, "not paused")}


def _content(outcome: str, place: Place | None, value: Any, why: str) -> dict[str, Any]:
    content = {"outcome": outcome, "value": value, "why": why, "file": "", "line": 0, "function": ""}
    if place is not None:
        content |= {"file": place.file, "line": place.line, "function": place.function}
    return content
