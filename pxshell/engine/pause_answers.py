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
)
from pxshell.engine.pausing import Pauser
from pxshell.engine.sync import SyncCondition
from pxshell.protocol.message import Message
from pxshell.protocol.state import Activity, ActivityEvent

__all__ = ["PauseAnswers"]


class _Asked(NamedTuple):
    """Who waits for the outcome of a pause."""

    request: Request
    is_sync: bool


class PauseAnswers:
    """Pauses that were asked for and are not answered yet.

    Args:
        outbox: Where answers go.
        activity: The rank's state.
        pauser: Stops the main thread.
    """

    def __init__(self, outbox: Outbox, activity: ActivityReport, pauser: Pauser) -> None:
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
            case Armed(pause_id, value) if self._is_sync(pause_id):
                self._settle(pause_id, "pending", None, value=value)
            case Passed(pause_id, value):
                self._settle(pause_id, "passed", None, value=value)
            case Idle(pause_id):
                self._settle(pause_id, "idle", None, why="no user code runs")
            case Resumed(pause_id) if self._activity.state.pause == pause_id:
                # Ctrl-C came between the pause and the word of it.
                self._activity.change(ActivityEvent.RESUME)
            case Cancelled(pause_id):
                self._settle(pause_id, "refused", None, why="the pause was withdrawn")
            case _:
                return

    def _hold(self, pause_id: str, place: Place | None, note: str) -> None:
        # It may have come back to Python since, and have stopped.
        if self._pauser.state is PauseState.HELD:
            facts = {"file": place.file, "line": place.line, "function": place.function} if place else {}
            self._activity.change(ActivityEvent.HOLD, pause=pause_id, why=note, **facts)
        self._settle(pause_id, "held", place, why=note)

    def _is_sync(self, pause: str) -> bool:
        return pause in self._asked and self._asked[pause].is_sync

    def _settle(self, pause: str, outcome: str, place: Place | None, *, value: Any = None, why: str = "") -> None:
        asked = self._asked.pop(pause, None)
        if asked is None:
            return
        self._outbox.answer(asked.request, "px_pause_reply", _content(outcome, place, value, why))

    def resume(self, message: Message, request: Request) -> dict[str, Any]:
        """End a pause, or withdraw the request for one."""
        del request
        is_held = self._activity.state.activity is Activity.HELD
        outcome = self._pauser.resume(str(message.data().get("pause") or "") or None)
        if outcome is ResumeOutcome.CANCELLED and is_held:
            self._activity.change(ActivityEvent.RESUME)
        name = {ResumeOutcome.RESUMED: "resumed", ResumeOutcome.CANCELLED: "resumed", ResumeOutcome.STALE: "stale"}
        return {"outcome": name.get(outcome, "not paused")}


def _content(outcome: str, place: Place | None, value: Any, why: str) -> dict[str, Any]:
    content = {"outcome": outcome, "value": value, "why": why, "file": "", "line": 0, "function": ""}
    if place is not None:
        content |= {"file": place.file, "line": place.line, "function": place.function}
    return content
