"""The stack of a stopped program, with one frame selected: there cells run, and completion and inspection look.

Reading is for any thread; selecting belongs to the thread that runs the cells, between two of them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType, TracebackType

from pxshell.engine.frames import Place, is_own_code, is_user_code, place_of
from pxshell.engine.namespace import FrameNamespace

__all__ = ["FrameStack", "StackFrame"]


@dataclass(frozen=True, slots=True)
class StackFrame:
    """A frame of the stack, and where it stands: of a traceback, the line that raised, whatever ran there since."""

    frame: FrameType
    place: Place
    is_user: bool

    @classmethod
    def of(cls, frame: FrameType, line: int | None = None) -> StackFrame:
        """Describe a frame that stands at `line`, by default where it is now."""
        now = place_of(frame)
        place = now if line is None else Place(now.file, line, now.function)
        return cls(frame, place, is_user_code(now.file))


class FrameStack:
    """Frames of one stack, outermost first, from the first user frame on; pxshell's own are left out.

    The innermost user frame is selected at first, the innermost of all where there is no user code.

    Args:
        frames: At least one, outermost first.
    """

    def __init__(self, frames: Sequence[StackFrame]) -> None:
        mine = [one for one in frames if not is_own_code(one.place.file)] or list(frames)
        first = next((index for index, one in enumerate(mine) if one.is_user), 0)
        self._frames = tuple(mine[first:])
        self._index = _last_user(self._frames)
        self._namespace: FrameNamespace | None = None
        self._lock = threading.Lock()  # guards the namespace's making

    @classmethod
    def from_frame(cls, frame: FrameType) -> FrameStack:
        """Return the stack whose innermost frame this is."""
        return cls([StackFrame.of(one) for one in _backwards(frame)][::-1])

    @classmethod
    def from_traceback(cls, traceback: TracebackType) -> FrameStack:
        """Return the stack in which an exception was raised, from where it was caught, or went uncaught, on."""
        frames = [StackFrame.of(one) for one in _backwards(traceback.tb_frame.f_back)][::-1]
        entry: TracebackType | None = traceback
        while entry is not None:
            frames.append(StackFrame.of(entry.tb_frame, entry.tb_lineno))
            entry = entry.tb_next
        return cls(frames)

    @property
    def frames(self) -> tuple[StackFrame, ...]:
        """All frames, outermost first; none after `close`."""
        return self._frames

    @property
    def index(self) -> int:
        """Number of the selected frame in `frames`."""
        return self._index

    @property
    def selected(self) -> StackFrame:
        """The selected frame."""
        if not self._frames:
            raise RuntimeError("the stack has been let go")
        return self._frames[self._index]

    @property
    def depth(self) -> int:
        """How many user frames the selected one lies above the innermost of them; 0 at the beginning."""
        return sum(one.is_user for one in self._frames[self._index + 1 :])

    @property
    def namespace(self) -> FrameNamespace:
        """The namespace of cells in the selected frame: one object for all, which keeps what cells keep apart."""
        frame = self.selected.frame
        with self._lock:
            if self._namespace is None:
                self._namespace = FrameNamespace(frame)
            return self._namespace

    def up(self, count: int = 1, *, full: bool = False) -> int:
        """Select a frame further out: `count` user frames, or frames of any code with `full`.

        Returns how many frames it went: fewer where the stack ends.
        """
        return self._move(range(self._index - 1, -1, -1), count, full=full)

    def down(self, count: int = 1, *, full: bool = False) -> int:
        """Select a frame further in; as `up`."""
        return self._move(range(self._index + 1, len(self._frames)), count, full=full)

    def _move(self, indices: range, count: int, *, full: bool) -> int:
        ways = [index for index in indices if full or self._frames[index].is_user][:count]
        if ways:
            self.select(ways[-1])
        return len(ways)

    def select(self, index: int) -> None:
        """Select a frame by its number."""
        self._index = range(len(self._frames))[index]
        with self._lock:
            if self._namespace is not None:
                self._namespace.refresh(self.selected.frame)

    def close(self) -> None:
        """Let the program's objects go."""
        self._frames = ()
        with self._lock:
            if self._namespace is not None:
                self._namespace.close()
            self._namespace = None


def _backwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _last_user(frames: Sequence[StackFrame]) -> int:
    users = [index for index, one in enumerate(frames) if one.is_user]
    return users[-1] if users else len(frames) - 1
