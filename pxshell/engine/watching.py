"""Watches: an expression that is looked at before each line of user code, in the frame for which it was set.

A line in any function may make it true, so the main thread is traced everywhere in user code. That is dear, and what
it costs is measured, so that it can be said.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from pxshell.engine.conditions import Condition
from pxshell.engine.frames import Place, is_users, place_of, user_frames
from pxshell.engine.pausing import Pauser
from pxshell.errors import UsageError

__all__ = ["Watch", "Watches"]

#: The time, in seconds, that measuring an expression may take.
_MEASURED_S = 0.01


class Watch:
    """One watch; asked in the trace function of the main thread.

    Args:
        number: Its name.
        condition: True from some line on.
        frame: Where it is looked at, until that frame is left.
        ended: Called when that has happened.
    """

    def __init__(self, number: int, condition: Condition, frame: FrameType, ended: Callable[[Watch], None]) -> None:
        self.number = number
        self.condition = condition
        self.place = place_of(frame)
        self.stopped = 0
        self._frame: FrameType | None = frame
        self._ended = ended
        self._was_true = condition.holds_in(frame)[0]

    def watches(self, code: CodeType) -> bool:
        """Watch all user code."""
        return is_users(code)

    def reached(self, frame: FrameType) -> str:
        """Return why to stop: the last line has made the expression true."""
        del frame
        if self._frame is None:
            return ""
        holds = self.condition.holds_in(self._frame)[0]  # without a value it is not true: its names come and go
        was_true, self._was_true = self._was_true, holds
        if not holds or was_true:
            return ""
        self.stopped += 1
        return f"watch {self.number}: {self.condition.expression}"

    def left(self, frame: FrameType) -> None:
        """End with the frame."""
        if frame is self._frame:
            self._frame = None
            self._ended(self)


class Watches:
    """All watches of this rank.

    Args:
        rank: What `rank` means in them.
        pauser: Traces and stops.
        say: Takes a line for people.
    """

    def __init__(self, rank: int, pauser: Pauser, say: Callable[[str], None]) -> None:
        self._rank = rank
        self._pauser = pauser
        self._say = say
        self._all: dict[int, Watch] = {}

    def add(self, number: int, expression: str, stack: FrameType | None) -> tuple[Place, float]:
        """Watch an expression from now on; control thread.

        Args:
            number: Its name; the same again replaces it.
            expression: Sees the frame's names, and `rank`.
            stack: The innermost frame to think of: the selected one of a pause, or what runs.

        Returns:
            Where it is looked at, and what each line of user code costs from now on, in seconds.

        Raises:
            UsageError: it is no single expression, or has a value in no frame of the stack.
        """
        condition = Condition(expression, self._rank)
        frame, why = _frame_for(condition, stack)
        if frame is None:
            raise UsageError(f"not watched: {why}")
        watch = Watch(number, condition, frame, self._end)
        self._all = {**self._all, number: watch}
        self._pauser.stand_at(f"watch {number}", watch)
        return watch.place, _cost(lambda: condition.holds_in(frame))

    def remove(self, numbers: list[int] | None = None) -> list[int]:
        """Remove watches, None is all; returns the numbers of those that were there."""
        gone = sorted(self._all if numbers is None else self._all.keys() & set(numbers))
        self._all = {number: one for number, one in self._all.items() if number not in gone}
        for number in gone:
            self._pauser.stand_at(f"watch {number}", None)
        return gone

    def listed(self) -> list[dict[str, Any]]:
        """Return each watch as `px_breaks_reply` has it."""
        return [
            {"number": one.number, "watch": one.condition.expression, "function": one.place.function,
             "file": one.place.file, "stopped": one.stopped}
            for one in self._all.values()
        ]  # fmt: skip

    def _end(self, watch: Watch) -> None:
        self.remove([watch.number])
        self._say(f"watch {watch.number} ({watch.condition.expression}) has ended with {watch.place.function}")


def _frame_for(condition: Condition, stack: FrameType | None) -> tuple[FrameType | None, str]:
    """Return the innermost user frame in which the expression has a value; or why there is none."""
    why = "no user code runs"
    for frame in user_frames(stack):
        _, failure = condition.holds_in(frame)
        if not failure:
            return frame, ""
        why = failure
    return None, why


def _cost(look: Callable[[], object]) -> float:
    """Measure what one line costs: a look, and the way to it. In this thread, which nobody traces."""

    def loop(count: int) -> None:
        for _ in range(count):
            pass

    code = loop.__code__

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code is code and event == "line":
            look()
        return trace

    def timed(count: int, tracer: Any) -> float:
        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            start = time.perf_counter()
            loop(count)
            return time.perf_counter() - start
        finally:
            sys.settrace(before)

    once = max(1e-7, timed(1, trace))
    count = max(1, min(1000, int(_MEASURED_S / once)))
    return max(0.0, timed(count, trace) - timed(count, None)) / (2 * count)  # two line events each time round
