"""Stacks read from the side: where a thread stands, while it runs, waits in C or is paused.

Any thread may ask. The answers are plain values: no frame, and so no local of the program, is kept alive by them.
A thread that holds the GIL in C keeps the asking thread from running; then nobody in this process can answer.
"""

from __future__ import annotations

import sys
from types import FrameType

from pxshell.engine.frame_stack import FrameStack
from pxshell.engine.frames import Place, innermost_user_frame, is_user_code, place_of
from pxshell.protocol.stacks import Frame, collapsed, shortened

__all__ = ["failed_stack", "running_frame", "stack", "stack_of", "user_place", "where"]


def where(frame: FrameType) -> Place:
    """Return where a frame stands."""
    return place_of(frame)


def running_frame(thread_ident: int) -> FrameType | None:
    """Return the innermost frame of a thread, or None when it has none. Keep it no longer than the question lasts."""
    return sys._current_frames().get(thread_ident)  # noqa: SLF001 - the documented way to another thread's frames


def user_place(thread_ident: int) -> Place | None:
    """Return where the innermost user frame of a thread stands."""
    frame = innermost_user_frame(running_frame(thread_ident))
    return None if frame is None else place_of(frame)


def stack(thread_ident: int, *, full: bool = False) -> tuple[Frame, ...]:
    """Return the stack of a thread, outermost frame first; see `stack_of`."""
    return stack_of(running_frame(thread_ident), full=full)


def stack_of(frame: FrameType | None, *, full: bool = False) -> tuple[Frame, ...]:
    """Return the stack under a frame, outermost first.

    Args:
        frame: The innermost frame.
        full: With every frame. Without it, what lies below the first user frame is left out, and of each run of library
            frames only the first is kept: the one that the user's code called. A stack without user code stays whole.
            Of a very deep stack the middle is left out.
    """
    frames = []
    while frame is not None:
        place = place_of(frame)
        frames.append(Frame(place.file, place.line, place.function, is_user_code(place.file)))
        frame = frame.f_back
    frames.reverse()
    return tuple(shortened(frames if full else collapsed(frames)))


def failed_stack(stack: FrameStack, *, full: bool = False) -> tuple[Frame, ...]:
    """Return the stack that an exception has left; as `stack_of`."""
    frames = [Frame(one.place.file, one.place.line, one.place.function, one.is_user) for one in stack.frames]
    return tuple(shortened(frames if full else collapsed(frames)))
