"""Stacks as values: a frame, what a stack ends in, and which frames of a stack are shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "LIMIT",
    "NO_END",
    "Frame",
    "StackEnd",
    "collapsed",
    "looks_like_library",
    "shortened",
]

#: Frames of one stack that are told; of a deeper one the middle is left out, and said to be.
LIMIT = 200
_OUTER = 20


class Frame(NamedTuple):
    """One frame of a stack: the line that it is at, and the qualified name of its function."""

    file: str
    line: int
    function: str
    is_user: bool = True


@dataclass(frozen=True, slots=True)
class StackEnd:
    """What a stack ends in, beyond its innermost frame.

    Attributes:
        library: Whose call it waits in: `MPI`, `torch.distributed`; "" for none that is known.
        call: The call: `Allreduce`.
        detail: Whom it waits for, in the numbers of its communicator: `from 1`.
        is_collective: All ranks of the communicator have to come to it.
        note: What else is known: `idle`, `paused`, `holds the GIL, in usleep`.
        is_outside: Read from outside the process, which could not answer itself.
        still: For one who looks again and again, how many looks in a row found the same as the one before; 0 after a
            move, -1 when nobody counts.
    """

    library: str = ""
    call: str = ""
    detail: str = ""
    is_collective: bool = False
    note: str = ""
    is_outside: bool = False
    still: int = -1

    @property
    def waiting(self) -> str:
        """The call and whom it waits for, without the library: `in Recv from 1`; "" when none is known."""
        return " ".join(word for word in ("in", self.call, self.detail) if word) if self.call else ""

    @property
    def text(self) -> str:
        """All of it: `in MPI Recv from 1`."""
        call = f"in {' '.join(word for word in (self.library, self.call, self.detail) if word)}" if self.call else ""
        told = "; ".join(part for part in (call, self.note) if part)
        return " ".join(part for part in (told, "(read from outside)" if self.is_outside else "") if part)


NO_END = StackEnd()


def collapsed(frames: Sequence[Frame]) -> list[Frame]:
    """Leave out what lies below the first user frame, and of each run of library frames all but the first.

    That one is what the user's code called. A stack without user code stays whole.
    """
    first = next((number for number, frame in enumerate(frames) if frame.is_user), None)
    if first is None:
        return list(frames)
    shown = frames[first:]
    return [frame for below, frame in zip([*shown[:1], *shown], shown, strict=False) if frame.is_user or below.is_user]


def shortened(frames: Sequence[Frame]) -> list[Frame]:
    """Leave out the middle of a stack that is deeper than `LIMIT`; a frame without a file says how much."""
    if len(frames) <= LIMIT:
        return list(frames)
    inner = LIMIT - _OUTER - 1
    left_out = len(frames) - _OUTER - inner
    return [*frames[:_OUTER], Frame("", 0, f"… {left_out} frames", is_user=False), *frames[-inner:]]


_LIBRARY = re.compile(
    r"<frozen |[\\/](?:site|dist)-packages[\\/]|[\\/]lib(?:64)?[\\/]python3\.\d+[\\/]|\.so(?:\.\d+)*$|\.dylib$"
)


def looks_like_library(file: str) -> bool:
    """Tell by its path whether a file is part of an installed library, for stacks of a Python that is not ours."""
    return not file or _LIBRARY.search(file) is not None
