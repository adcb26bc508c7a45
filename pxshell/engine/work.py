"""The work that waits for the main thread, and where each piece of it may run.

Control puts work in, the main thread takes it out: in its idle loop, and in the loop of a pause nested in user code. A
request for a place where this rank is not is refused at once, never left until the rank happens to come there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from time import monotonic
from typing import Any

from pxshell.engine.outbox import Request
from pxshell.protocol.message import Buffer, Message

__all__ = ["ANYWHERE", "IDLE", "PEEK", "Job", "Refusal", "Work", "place_for"]

IDLE = "idle"
PEEK = "peek"
#: Comms: wherever the main thread listens next.
ANYWHERE = ""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A work message, decoded, with the place where it is to run."""

    type: str
    request: Request
    content: dict[str, Any]
    place: str
    buffers: tuple[Buffer, ...] = ()
    #: When it came, by the monotonic clock.
    since: float = 0.0

    @classmethod
    def from_message(cls, message: Message, content: dict[str, Any], place: str) -> Job:
        """Describe a message."""
        return cls(
            message.type, Request(message.id, message.header.origin), content, place, message.buffers, monotonic()
        )


def place_for(rank: int, content: dict[str, Any]) -> str:
    """Return the place that a request names for this rank; `idle` when it names none."""
    from pxshell.ranks import RankSet

    for place, ranks in content.get("places", ()):
        if rank in RankSet.parse_folded(ranks):
            return str(place)
    return IDLE


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request does not run: one line for people."""

    why: str


class Work:
    """The queue.

    Where the main thread stands is one of: idle (`pause` None and not `is_away`), running a cell that it took from the
    idle loop (the same: cells queue behind a cell), running user code that is no cell (`is_away`), in a pause.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque()
        # Rung for every job, and to make a loop look up. A SimpleQueue, whose `put` is reentrant.
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._is_away = False
        self._pause = ""
        self._leave = False
        self._is_over = False
        #: Wakes an asyncio loop in which the main thread may idle, in place of the bell.
        self.wake: Callable[[], None] | None = None

    # -- control thread -----------------------------------------------------------------------------------------------

    def put(self, job: Job) -> Refusal | None:
        """Queue a job for its place, or say why this rank is not there."""
        with self._lock:
            refusal = None if job.content.get("queue") and job.place == IDLE else self._refusal(job.place)
            if refusal is None:
                self._jobs.append(job)
        if refusal is None:
            self.ring()
        return refusal

    def _refusal(self, place: str) -> Refusal | None:
        if self._is_over:
            return Refusal("this process is ending")
        if place == ANYWHERE:
            return None
        if place == IDLE:
            return self._refusal_of_idle()
        if not self._pause:
            return Refusal("stale: it is not paused any more")
        if place != f"frame:{self._pause}":
            return Refusal("stale: it is in another pause now")
        return None

    def _refusal_of_idle(self) -> Refusal | None:
        if self._pause:
            return Refusal("it is paused, not idle")
        return Refusal("it is running a script") if self._is_away else None

    def end_pause(self, pause: str) -> None:
        """Make the loop of this pause return, or that of any pause for ""."""
        with self._lock:
            if self._pause and pause in ("", self._pause):
                self._leave = True
        self.ring()

    def withdraw(self, request: str) -> Job | None:
        """Take the job of a request out of the queue, if it waits there; it will not run any more."""
        with self._lock:
            job = next((job for job in self._jobs if job.request.id == request), None)
            if job is not None:
                self._jobs.remove(job)
            return job

    def ring(self) -> None:
        """Make the main thread look."""
        self._bell.put(None)
        if self.wake is not None:
            self.wake()

    def finish(self) -> list[Job]:
        """End the idle loop; return what will not run any more."""
        with self._lock:
            self._is_over = True
            left = list(self._jobs)
            self._jobs.clear()
        self.ring()
        return left

    @property
    def is_over(self) -> bool:
        """Whether the idle loop is to end."""
        return self._is_over

    # -- main thread --------------------------------------------------------------------------------------------------

    def away(self, value: bool) -> None:
        """Tell whether the main thread runs user code that is no cell."""
        with self._lock:
            self._is_away = value

    def begin_pause(self, pause: str) -> None:
        """The main thread listens for the jobs of this pause from now on."""
        with self._lock:
            self._pause, self._leave = pause, False

    def leave_pause(self) -> list[Job]:
        """The main thread listens for them no longer; return those that are left: they are stale."""
        with self._lock:
            place, self._pause = f"frame:{self._pause}", ""
            left = [job for job in self._jobs if job.place == place]
            self._jobs = deque(job for job in self._jobs if job.place != place)
        return left

    def first(self) -> Job | None:
        """Return the first job for the place where the main thread is; None when there is none.

        It stays in the queue until it begins: whatever is raised before, it is not lost.
        """
        with self._lock:
            here = f"frame:{self._pause}" if self._pause else IDLE
            for job in self._jobs:
                if job.place in (here, ANYWHERE):
                    return job
            return None

    def begin(self, job: Job) -> bool:
        """Take a job out of the queue; returns whether it was still there."""
        with self._lock:
            if job not in self._jobs:
                return False
            self._jobs.remove(job)
            return True

    def wait(self) -> Job | None:
        """Return the next job for this place; None when the loop is to end. Raises what a signal handler raises."""
        while True:
            if self.must_leave:
                return None
            job = self.first()
            if job is not None:
                return job
            self._bell.get()

    @property
    def must_leave(self) -> bool:
        """Whether the loop that runs now is to end."""
        return self._leave if self._pause else self._is_over
