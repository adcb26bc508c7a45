"""What a rank answers when it is asked where it stands. The control thread's."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import FrameType
from typing import Any

from pxshell.engine.aborting import Aborter, begin_of
from pxshell.engine.activity import ActivityReport
from pxshell.engine.frames import is_own_code
from pxshell.engine.moves import Moves
from pxshell.engine.pausing import Pauser
from pxshell.engine.stacks import failed_stack, running_frame, stack_of
from pxshell.engine.waits import wait_of
from pxshell.protocol.stacks import Frame, StackEnd
from pxshell.protocol.stacktree import reply_of
from pxshell.protocol.state import Activity

__all__ = ["Sight"]

_NOTES = {Activity.PAUSED: "paused", Activity.FAILED: "failed", Activity.DEBUGGING: "in the debugger"}


class Sight:
    """Answers `px_stacks_request`.

    Args:
        main_ident: Identifier of the main thread.
        activity: The rank's state.
        pauser: Asked for the frame that is paused.
        aborter: Asked for the waits of the main thread, where they are ours.
    """

    def __init__(self, main_ident: int, activity: ActivityReport, pauser: Pauser, aborter: Aborter) -> None:
        self._main_ident = main_ident
        self._activity = activity
        self._pauser = pauser
        self._aborter = aborter
        self._moves = Moves()

    def answer(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the reply: where the main thread stands; to a brief question only whether it has moved."""
        activity = self._activity.state.activity
        if activity is Activity.IDLE:
            return reply_of([], StackEnd(note="idle"))
        if activity is Activity.FAILED and (failed := self._failed(full=bool(content.get("full")))):
            return reply_of(failed, StackEnd(note=_NOTES[activity]))
        frame = self._frame()
        watch = str(content.get("watch") or "")
        patience = self._aborter.patience
        still = self._moves.still(watch, frame, patience.waits if patience else 0) if watch else -1
        if content.get("brief"):
            return reply_of([], StackEnd(still=still))
        end = StackEnd(note=_NOTES[activity]) if activity in _NOTES else wait_of(begin_of(frame))
        return reply_of(_shown(frame, full=bool(content.get("full"))), replace(end, still=still))

    def _failed(self, *, full: bool) -> tuple[Frame, ...]:
        """Return the frames of the exception: what the main thread runs meanwhile is ours."""
        paused = self._pauser.paused
        if paused is not None:
            # It may be let go just now.
            with suppress(RuntimeError):
                return failed_stack(paused.stack, full=full)
        return ()

    def _frame(self) -> FrameType | None:
        paused = self._pauser.paused
        if paused is not None:
            # It may end just now.
            with suppress(RuntimeError):
                return paused.frame
        return running_frame(self._main_ident)


def _shown(frame: FrameType | None, *, full: bool) -> tuple[Frame, ...]:
    """Return the stack without what pxshell itself does on top of it."""
    frames = stack_of(frame, full=full)
    while frames and is_own_code(frames[-1].file):
        frames = frames[:-1]
    return frames
