"""The handle of one pause: the stopped stack, its namespace, and how the one who serves learns that it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import FrameType
from typing import Self

from pxshell.engine.frame_stack import FrameStack
from pxshell.engine.frames import Place
from pxshell.engine.namespace import FrameNamespace
from pxshell.engine.postmortem import REASON, Failure

__all__ = ["PausedFrame"]


class PausedFrame:
    """A pause of the main thread, while it lasts.

    The main thread makes it and serves it; any thread may read it and wait for its end. After the end it holds nothing
    of the program.

    Args:
        pause_id: Changes with each stop.
        frame: The innermost user frame.
        place: Where that stands.
        reason: `pause`, `breakpoint`, ...
        sync_value: Value of the expression that a synchronised pause waited for.
        stack: What stands, if it is not what lies under the frame: that of a traceback.
    """

    def __init__(
        self,
        pause_id: str,
        frame: FrameType,
        place: Place,
        reason: str,
        sync_value: float | None = None,
        stack: FrameStack | None = None,
    ) -> None:
        self.pause_id = pause_id
        self.place = place
        self.reason = reason
        self.sync_value = sync_value
        #: Whether a pause was asked for while this one stood: then it lasts until somebody resumes it. The pauser's.
        self.is_asked_for = False
        #: The exception that has ended the frame, in one line; "" where the frame goes on.
        self.failure = ""
        #: That exception, until the pause ends.
        self.error: BaseException | None = None
        self._frame: FrameType | None = frame
        self._stack = stack
        self._released = threading.Event()
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()  # guards the stack's making and the callbacks; never held while calling

    @classmethod
    def after(cls, failure: Failure, pause_id: str) -> Self:
        """Return the pause in which one looks at what an exception has left."""
        innermost = failure.stack.selected
        paused = cls(pause_id, innermost.frame, innermost.place, REASON, stack=failure.stack)
        paused.failure = failure.why
        paused.error = failure.error
        return paused

    @property
    def frame(self) -> FrameType:
        """The innermost user frame."""
        frame = self._frame  # once: the main thread may end the pause just now
        if frame is None:
            raise RuntimeError(f"pause {self.pause_id} has ended")
        return frame

    @property
    def stack(self) -> FrameStack:
        """The frames that stand, and the selected one, made with the first question."""
        frame = self.frame
        with self._lock:
            if self._stack is None:
                self._stack = FrameStack.from_frame(frame)
            return self._stack

    @property
    def namespace(self) -> FrameNamespace:
        """The namespace of cells in the selected frame, made with the first question."""
        return self.stack.namespace

    @property
    def is_released(self) -> bool:
        """Whether the pause is to end."""
        return self._released.is_set()

    def add_release_callback(self, callback: Callable[[], None]) -> None:
        """Call a function when the pause is to end, in the thread that ends it; at once when it is already.

        It must only wake somebody: it runs with the pauser's lock held.
        """
        with self._lock:
            if not self._released.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def release(self) -> None:
        """Tell that the pause is to end. The pauser's."""
        with self._lock:
            self._released.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def close(self) -> None:
        """Let the program's objects go. The pauser's."""
        self._frame = self.error = None
        if self._stack is not None:
            self._stack.close()
        self._stack = None
