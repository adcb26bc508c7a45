"""What nobody asked for: the script's output and end, deaths, pauses of the program's own, late answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import ClassVar

from pxshell.protocol.message import Message
from pxshell.protocol.state import EDITOR_BREAKPOINT, RESTART, WORLD, Activity, Liveness, RankState
from pxshell.protocol.types import RUN
from pxshell.ranks import EMPTY, RankSet
from pxshell.render.events import Level, Text
from pxshell.session.answers import clean, event_of
from pxshell.session.asks import Asks
from pxshell.session.desk import Desk
from pxshell.session.failed import FailureNotices, has_failed
from pxshell.session.limits import Limits
from pxshell.session.places import exit_text
from pxshell.session.waiting import place_text

__all__ = ["Notices"]

# Ranks of one program end together; those that end within this time are told together.
_GATHER_S = 0.5
#: What is said of ranks that are new processes.
_ANEW = " started anew"
_EDITOR_CAME = ": an editor has come"
_EDITOR_AT = ": at"
_LEVELS: dict[Liveness, Level] = {Liveness.OK: "info", Liveness.DEAD: "error"}


class Notices:
    """Shows what the client hears without a request; in its io thread, and a timer's for the end of a script."""

    def __init__(self, desk: Desk, asks: Asks, limits: Limits, gather: float = _GATHER_S) -> None:
        self._desk = desk
        self._limits = limits
        self._asks = asks
        self._lock = threading.Lock()
        #: Whose script has ended: by exit status, and whether an exception ended it.
        self._ends: dict[tuple[int | None, bool], RankSet] = {}
        #: Ranks that end with their world, or are started anew, by what is said of them.
        self._together: dict[str, RankSet] = {}
        #: Who has an editor.
        self._debugged = desk.ranks_that(_is_debugged)
        self._timer: threading.Timer | None = None
        self._gather = gather
        self._liveness: dict[int, Liveness] = {}
        #: Whose present process has been seen beyond its start.
        self._begun = desk.ranks_that(lambda state: state.activity is not Activity.STARTING)
        self._failures = FailureNotices(desk)
        self._unsubscribe = desk.client.subscribe(self._take)

    def close(self) -> None:
        """Hear nothing more."""
        self._unsubscribe()
        self._failures.close()
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            timer.join()

    def _take(self, message: Message) -> None:
        handler = self._HANDLERS.get(message.type, Notices._other)
        handler(self, message)

    def _other(self, message: Message) -> None:
        event = event_of(message)
        is_muted = self._desk.config.mute and isinstance(event, Text) and message.parent == RUN
        if event is not None and not is_muted:
            self._desk.show(event)

    def _ask(self, message: Message) -> None:
        self._asks.add(message)

    # The end of the script.

    def _reply(self, message: Message) -> None:
        if message.parent != RUN:
            return
        content = message.data()
        how = content.get("exit"), bool(content.get("ename"))
        with self._lock:
            self._ends[how] = self._ends.get(how, EMPTY) | message.ranks
            is_complete = self._running() <= self._ended()
            if not is_complete:
                self._flush_later()
        if is_complete:
            self._flush()

    def _flush_later(self) -> None:
        """Tell soon what has been gathered; the lock is held."""
        if self._timer is None:
            self._timer = threading.Timer(self._gather, self._flush)
            self._timer.daemon = True
            self._timer.start()

    def _running(self) -> RankSet:
        return self._desk.ranks_that(lambda state: state.is_alive and state.cell == RUN)

    def _ended(self) -> RankSet:
        ended = EMPTY
        for ranks in self._ends.values():
            ended |= ranks
        return ended

    def _flush(self) -> None:
        with self._lock:
            ends, self._ends = self._ends, {}
            together, self._together = self._together, {}
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        for (status, has_raised), ranks in sorted(ends.items(), key=lambda end: end[1].first):
            text = self._end_text(status, ranks, has_raised=has_raised)
            self._desk.say(text, "warning" if status else "info", ranks)
        for text, ranks in sorted(together.items(), key=lambda one: one[1].first):
            self._desk.say(f"{ranks}{text}", "info" if text.startswith(":") else "warning", ranks)

    def _end_text(self, status: int | None, ranks: RankSet, *, has_raised: bool) -> str:
        how = exit_text(RankState(Activity.ENDED, exit=status))
        seconds = max(0.0, time.time() - self._desk.client.snapshot.started)
        gone = self._desk.ranks_that(lambda state: not state.is_alive)
        text = f"{self._desk.script} has ended on {ranks}: {how}, {seconds:.0f} s."
        if ranks & gone:
            return text
        # Locals have gone with their functions; those of an exception are kept with it, until a cell raises another.
        return f"{text} Its globals are still here{'; its locals: %pxdebug post' if has_raised else ''}."

    # States.

    def _state(self, message: Message) -> None:
        state = RankState.from_content(message.data())
        changed = RankSet(rank for rank in message.ranks if self._liveness.get(rank, Liveness.OK) != state.liveness)
        renewed = self._renewed(message.ranks, state)
        for rank in changed:
            self._liveness[rank] = state.liveness
        if renewed and not self._desk.is_restarting:
            self._tell_soon(_ANEW, renewed)
        if (changed - renewed or has_failed(state)) and self._together.get(_ANEW, EMPTY) & message.ranks:
            self._flush()  # first that they are new, then what has become of them
        if old := changed - renewed:
            self._say_liveness(old, state)
        self._editor(message.ranks, state)
        if has_failed(state):
            self._failures.heard(message.ranks, state)
        elif state.activity is Activity.STARTING:
            self._failures.forget(message.ranks)
        if state.is_alive and state.activity is Activity.PAUSED and state.reason not in {"", "request", "sync"}:
            self._say_pause(message.ranks, state)

    def _renewed(self, ranks: RankSet, state: RankState) -> RankSet:
        """Return those of these ranks that are new processes: they start, and had done so before.

        That the old ones have died may not have been said any more.
        """
        if state.activity is not Activity.STARTING:
            self._begun |= ranks
            return EMPTY
        if not state.is_alive:
            return EMPTY
        renewed = ranks & self._begun
        self._begun -= renewed
        return renewed | RankSet(rank for rank in ranks if self._liveness.get(rank) is Liveness.DEAD)

    def _tell_soon(self, text: str, ranks: RankSet) -> None:
        with self._lock:
            self._together[text] = self._together.get(text, EMPTY) | ranks
            self._flush_later()

    def _say_liveness(self, ranks: RankSet, state: RankState) -> None:
        do = "does" if len(ranks) == 1 else "do"
        if state.reason == WORLD:
            at = f" at {place_text(state)}" if state.file else ""
            self._tell_soon(f" {clean(state.why)}{at}", ranks)
            return
        if state.reason == RESTART and state.liveness is Liveness.DEAD:
            return  # it was asked for; that they are back is told
        texts = {
            Liveness.DEAD: f"{ranks} died: {exit_text(state)}",
            Liveness.LOST: f"{ranks} lost{f': {state.why}' if state.why else ''}",
            Liveness.UNRESPONSIVE: f"{ranks} {do} not answer (unresponsive)",
            Liveness.OK: f"{ranks} answer{'s' if len(ranks) == 1 else ''} again",
        }
        if state.liveness is Liveness.DEAD and state.activity is Activity.ENDED and state.exit == 0:
            return
        self._desk.say(texts[state.liveness], _LEVELS.get(state.liveness, "warning"), ranks)

    def _editor(self, ranks: RankSet, state: RankState) -> None:
        """Tell that an editor has come to ranks, has gone, or that one of its breakpoints has stopped them."""
        if not _is_debugged(state):
            gone, self._debugged = ranks & self._debugged, self._debugged - ranks
            gone -= self._forget_editor(gone)
            if state.is_alive and (untold := gone - self._desk.offered):
                self._tell_soon(": the editor has gone", untold)
            return
        new, self._debugged = ranks - self._debugged, self._debugged | ranks
        if new:
            self._tell_soon(f"{_EDITOR_CAME}, {clean(state.why)}", new)
        if state.is_stopped and state.reason == EDITOR_BREAKPOINT and (stopped := self._untold(ranks, state)):
            self._tell_soon(f"{_EDITOR_AT} {place_text(state)} ({state.reason})", stopped)

    def _forget_editor(self, ranks: RankSet) -> RankSet:
        """Tell nothing of an editor that has gone before it was told that it has come; return those ranks."""
        with self._lock:
            untold = reduce(or_, (who for text, who in self._together.items() if text.startswith(_EDITOR_CAME)), EMPTY)
            untold &= ranks
            for text in [text for text in self._together if text.startswith((_EDITOR_CAME, _EDITOR_AT))]:
                self._together[text] -= untold
                if not self._together[text]:
                    del self._together[text]
        return untold

    def _untold(self, ranks: RankSet, state: RankState) -> RankSet:
        return self._desk.told_pauses.heard(state.pause, ranks)

    def _say_pause(self, ranks: RankSet, state: RankState) -> None:
        """Tell of a pause that the program made itself; the state comes again with each cell there."""
        new = self._untold(ranks, state)
        if not new:
            return
        self._desk.say(f"{new} paused at {place_text(state)} ({state.reason})", ranks=new)
        self._limits.ask(new)

    _HANDLERS: ClassVar[dict[str, Callable[[Notices, Message], None]]] = {
        "execute_reply": _reply,
        "input_request": _ask,
        "px_state": _state,
    }


def _is_debugged(state: RankState) -> bool:
    return state.is_alive and state.activity is Activity.DEBUGGING
