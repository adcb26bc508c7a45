"""The vocabulary of pauses: the states of the main thread's pause, their one table, and the events that are told.

Plain values without behaviour, for every thread.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from pxshell.engine.frames import Place

__all__ = [
    "TRANSITIONS",
    "Accepted",
    "AlreadyPaused",
    "Armed",
    "Cancelled",
    "Held",
    "Idle",
    "IllegalStepError",
    "Passed",
    "PauseEvent",
    "PauseState",
    "Paused",
    "ResumeOutcome",
    "Resumed",
    "Running",
    "Stale",
    "Step",
    "next_state",
]


class PauseState(enum.Enum):
    """Where the main thread is, as far as pauses go."""

    IDLE = "idle"
    """No user code runs."""
    RUNNING = "running"
    """User code runs, nobody wants it to stop."""
    REQUESTED = "requested"
    """A stop is asked for; the main thread has not taken notice yet."""
    ARMED = "armed"
    """The main thread will stop at its next line of user code, or where its condition holds."""
    INTERRUPTED = "interrupted"
    """It did not come to such a line in time; a signal is to stop it inside whatever runs."""
    HELD = "held"
    """It waits in C. The pending pause takes effect when it comes back."""
    PAUSED = "paused"
    """It has stopped and serves."""
    RESUMING = "resuming"
    """It is told to go on and has not left the pause yet."""


class Step(enum.Enum):
    """What moves the main thread from one state to another."""

    BEGIN = "user code begins"
    END = "user code ends"
    REQUEST = "a pause is requested"
    ARM = "the main thread has armed itself"
    INTERRUPT = "the time for stopping at a line is over"
    HOLD = "the time for stopping at all is over"
    WAIT = "it has not moved on its way to the end of a step"
    STOP = "the main thread stops"
    WITHDRAW = "the request falls"
    RELEASE = "the pause is to end"
    LEAVE = "the main thread goes on"


_PENDING = (PauseState.REQUESTED, PauseState.ARMED, PauseState.INTERRUPTED, PauseState.HELD)

TRANSITIONS: dict[tuple[PauseState, Step], PauseState] = {
    (PauseState.IDLE, Step.BEGIN): PauseState.RUNNING,
    (PauseState.RUNNING, Step.END): PauseState.IDLE,
    (PauseState.RUNNING, Step.REQUEST): PauseState.REQUESTED,
    (PauseState.RUNNING, Step.STOP): PauseState.PAUSED,
    (PauseState.REQUESTED, Step.ARM): PauseState.ARMED,
    (PauseState.REQUESTED, Step.INTERRUPT): PauseState.INTERRUPTED,
    (PauseState.ARMED, Step.INTERRUPT): PauseState.INTERRUPTED,
    (PauseState.INTERRUPTED, Step.ARM): PauseState.INTERRUPTED,
    (PauseState.INTERRUPTED, Step.HOLD): PauseState.HELD,
    (PauseState.HELD, Step.ARM): PauseState.ARMED,
    (PauseState.ARMED, Step.WAIT): PauseState.HELD,
    (PauseState.PAUSED, Step.RELEASE): PauseState.RESUMING,
    (PauseState.RESUMING, Step.LEAVE): PauseState.RUNNING,
    **{(state, Step.STOP): PauseState.PAUSED for state in _PENDING},
    **{(state, Step.WITHDRAW): PauseState.RUNNING for state in _PENDING},
}


class IllegalStepError(RuntimeError):
    """A step that the table does not have: an error of ours."""


def next_state(state: PauseState, step: Step) -> PauseState:
    """Return the state after a step; an illegal one raises."""
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise IllegalStepError(f"{step.value}: not possible while {state.value}") from None


class ResumeOutcome(enum.StrEnum):
    """What a resume has done."""

    RESUMED = "resumed"
    STALE = "stale"
    """It named another pause."""
    NOT_PAUSED = "not paused"
    CANCELLED = "cancelled"
    """There was a request pending or held, which has fallen."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """User code has not begun yet; the request takes effect at its first line, or where its condition holds."""

    pause_id: str


@dataclass(frozen=True, slots=True)
class Armed:
    """The main thread has taken notice of a request; with a condition: its value so far, if it has one.

    Said for conditions, and for a held thread that has come back to Python.
    """

    pause_id: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Paused:
    """The main thread has stopped."""

    pause_id: str
    place: Place
    reason: str
    sync_value: float | None = None


@dataclass(frozen=True, slots=True)
class AlreadyPaused:
    """A request found the main thread stopped by another pause, which goes on."""

    pause_id: str
    current: str
    place: Place


@dataclass(frozen=True, slots=True)
class Resumed:
    """The main thread goes on."""

    pause_id: str


@dataclass(frozen=True, slots=True)
class Held:
    """The main thread waits in C, called at this place; `note` says why no signal was sent, if none was."""

    pause_id: str
    place: Place | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """A step takes long, and the main thread moves: it stops when it comes to the end of the step."""

    pause_id: str
    place: Place | None


@dataclass(frozen=True, slots=True)
class Stale:
    """A step was asked for from a pause that does not stand any more; nothing was changed."""

    pause_id: str


@dataclass(frozen=True, slots=True)
class Passed:
    """The condition was true before the main thread could be armed for it; the request has fallen."""

    pause_id: str
    value: float


@dataclass(frozen=True, slots=True)
class Idle:
    """No user code runs, or it has ended before it could stop; the request has fallen."""

    pause_id: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The request has fallen: resumed, cancelled or replaced by another."""

    pause_id: str


PauseEvent: TypeAlias = (
    Accepted | Armed | Paused | AlreadyPaused | Resumed | Held | Running | Stale | Passed | Idle | Cancelled
)
