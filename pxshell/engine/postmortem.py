"""What an exception leaves behind: the frames that it has ended, and where and why in a few words.

Reads tracebacks; changes nothing. A traceback keeps its frames, and so the locals of the program, alive: let it go when
the pause that shows it has ended.
"""

from __future__ import annotations

from dataclasses import dataclass

from pxshell.engine.error_text import text_of
from pxshell.engine.frame_stack import FrameStack

__all__ = ["REASON", "Failure", "failure_of"]

#: The reason of a pause that an exception has made.
REASON = "exception"

#: Characters of an exception's text that go into a state; a state is told to all.
_LONGEST = 300


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """An exception that has left user code.

    Attributes:
        stack: The frames of its traceback, the innermost user frame selected. They have ended, and their variables are
            as they were then; their lines are those that raised, whatever `finally` blocks ran afterwards.
        why: The exception in one line.
        error: The exception itself, for an editor's debugger.
    """

    stack: FrameStack
    why: str
    error: BaseException


def failure_of(error: BaseException) -> Failure | None:
    """Describe an exception; None when it has left no user frame (a syntax error of the script itself)."""
    if error.__traceback__ is None:
        return None
    stack = FrameStack.from_traceback(error.__traceback__)
    return Failure(stack, _summary(error), error) if stack.selected.is_user else None


def _summary(error: BaseException) -> str:
    name, text = type(error).__name__, text_of(error).strip()
    first, _, more = text.partition("\n")
    if more or len(first) > _LONGEST:
        first = f"{first[:_LONGEST]} …"
    return f"{name}: {first}" if first else name
