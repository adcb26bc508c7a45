"""What this rank does, as others see it: one state, changed by events of the table, and sent.

Any thread may report; a lock orders the changes and what is sent of them. It is taken after the lock of what sends, by
everybody: a thread that ends a cell holds that one already.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from pxshell.protocol.state import TRANSITIONS, Activity, ActivityEvent, IllegalTransitionError, RankState, transition

__all__ = ["ActivityReport"]

_log = logging.getLogger(__name__)

_PLACE: dict[str, Any] = {"file": "", "line": 0, "function": "", "depth": 0}
_NOWHERE: dict[str, Any] = {**_PLACE, "pause": "", "value": None, "reason": "", "why": ""}


class ActivityReport:
    """The rank's state.

    Args:
        send: Takes each new state.
        sending: Held around what is sent, and taken first.
    """

    def __init__(
        self, send: Callable[[RankState], None], sending: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        self._send = send
        self._sending = sending
        # Reentrant: a pause may begin in the main thread inside any Python code, also in here.
        self._lock = threading.RLock()
        self._state = RankState()
        self._since = time.monotonic()
        #: What others know; None before the first word.
        self._told: RankState | None = None
        #: By whom it is debugged; None when no editor is attached.
        self._debugged: str | None = None

    @property
    def state(self) -> RankState:
        """The state as it is now, whether or not an editor is attached."""
        return self._state

    @property
    def seconds(self) -> float:
        """For how many seconds the rank has been in its present activity; starting and ending a cell begin anew."""
        return time.monotonic() - self._since

    @property
    def shown(self) -> RankState:
        """The state as others see it: `debugging` while an editor is attached, with the place where it has stopped."""
        state = self._state
        if self._debugged is None or (state.activity, ActivityEvent.ATTACH) not in TRANSITIONS:
            return state
        return replace(state, activity=Activity.DEBUGGING, why=self._debugged)

    @property
    def debugged_by(self) -> str | None:
        """Who has attached an editor, for people; None when nobody has."""
        return self._debugged

    def attach(self, who: str) -> None:
        """An editor has come; `who` is for people."""
        self._debug(who)

    def detach(self, *, goes_on: bool) -> None:
        """The editor has gone; with `goes_on` a pause that stands now is its own, and ends in a moment."""
        self._debug(None, quiet=goes_on and self._state.activity is Activity.PAUSED)

    def _debug(self, who: str | None, *, quiet: bool = False) -> None:
        with self._sending(), self._lock:
            if who == self._debugged:
                return
            self._debugged = who
            self._state = replace(self._state, counter=self._state.counter + 1)
            if not quiet:  # else the next change tells it
                self.repeat()

    @property
    def is_untold(self) -> bool:
        """Whether others do not know the present state yet."""
        return self._told != self.shown

    def change(self, event: ActivityEvent, *, is_brief: bool = False, **facts: Any) -> None:
        """Apply an event; `facts` are the fields of the state that go with it, the others of a place are cleared.

        A state that is brief, such as that of a cell of a millisecond, waits for `tell`; when the rank is back before
        in what others know, they learn nothing, which is most of what there would be to say and to fold.

        An event that the table forbids is logged and changes nothing: a wrong report must not end the user's program.
        """
        with self._sending(), self._lock:
            try:
                activity = transition(self._state.activity, event)
            except IllegalTransitionError as error:
                _log.warning("%s; ignored", error)
                return
            if activity is not self._state.activity or facts.get("cell", self._state.cell) != self._state.cell:
                self._since = time.monotonic()
            counter = self._state.counter + 1
            kept = {} if activity is Activity.ENDED or event is ActivityEvent.SELECT else _NOWHERE
            self._state = replace(self._state, **{**kept, **facts}, activity=activity, counter=counter)
            if not is_brief:
                self.tell()

    def tell(self) -> None:
        """Send the present state, unless it is known."""
        with self._sending(), self._lock:
            if self.is_untold:
                self.repeat()

    def repeat(self) -> None:
        """Send the present state again: somebody may have missed it."""
        with self._sending(), self._lock:
            self._told = self.shown
            self._send(self._told)
