"""Where a step ends: `step`, `next`, `finish` and `until` as questions about the lines that a program reaches.

A rule sees each line before it runs, and each frame as it is left; main thread only. It holds the frame that it is
about until that has been left, and then the frame that called it.
"""

from __future__ import annotations

from enum import StrEnum
from types import CodeType, FrameType
from typing import Protocol

from pxshell.engine.frames import is_users, user_frames

__all__ = ["StepKind", "StepRule", "make_rule"]
_NEVER = 1 << 62


class StepKind(StrEnum):
    """How far a step goes."""

    STEP = "step"
    """To the next line of user code, in whichever function."""
    NEXT = "next"
    """To the next line of this function, or of its caller when it returns."""
    FINISH = "finish"
    """Out of this function, to the next line of its caller."""
    UNTIL = "until"
    """To this line of this function or a later one, or to its caller when it returns."""


class StepRule(Protocol):
    """What a step asks of each line."""

    def watches(self, code: CodeType) -> bool:
        """Tell whether lines of this code may be where it ends."""

    def ends_at(self, frame: FrameType) -> bool:
        """Tell whether it ends before this line."""

    def left(self, frame: FrameType) -> FrameType | None:
        """Take note that a frame returns or is left by an exception, for good; returns which matters now, if any."""


class _NextLine:
    """`step`."""

    def watches(self, code: CodeType) -> bool:
        return is_users(code)

    def ends_at(self, frame: FrameType) -> bool:
        return True

    def left(self, frame: FrameType) -> FrameType | None:
        return None


class _InFrame:
    """The other three: lines of one frame, and when that is left of the user frame that called it.

    A generator or coroutine that yields or awaits has not been left: the step goes on when it does, as in pdb. IPython
    runs each statement of a cell as a module of its own: from one the step goes on to the next.
    """

    def __init__(self, frame: FrameType, line: int) -> None:
        # None once the outermost user frame has been left: nothing more to come.
        self._frame: FrameType | None = frame
        self._least = line
        self._is_left = False
        #: That of the outermost user frame, once it has been left.
        self._file = ""

    def watches(self, code: CodeType) -> bool:
        if self._frame is None:
            return self._is_statement(code)
        return code is self._frame.f_code

    def ends_at(self, frame: FrameType) -> bool:
        if self._frame is None:
            return self._is_statement(frame.f_code)
        if frame is not self._frame:
            return False
        return self._is_left or frame.f_lineno >= self._least

    def _is_statement(self, code: CodeType) -> bool:
        return code.co_name == "<module>" and code.co_filename == self._file

    def left(self, frame: FrameType) -> FrameType | None:
        if frame is not self._frame:
            return None
        self._is_left = True
        self._frame = next(user_frames(frame.f_back), None)
        self._file = frame.f_code.co_filename if self._frame is None else ""
        return self._frame


def make_rule(kind: StepKind, frame: FrameType | None = None, line: int = 0) -> StepRule:
    """Return the rule of a step from a frame that stands.

    Args:
        kind: How far.
        frame: The selected frame; `step` does without.
        line: Of `until`; 0 is the line after this one.
    """
    if kind is StepKind.STEP or frame is None:
        return _NextLine()
    if kind is StepKind.NEXT:
        return _InFrame(frame, 0)
    if kind is StepKind.UNTIL:
        return _InFrame(frame, line or (frame.f_lineno or 0) + 1)
    return _InFrame(frame, _NEVER)
