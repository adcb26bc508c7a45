"""Steps of sets of ranks: all go on together, and the prompt comes back when each stands, waits, or has ended.

A step has one new pause id for all of its ranks. A rank that waits in C is held under that id: it stops at the end of
the step when a peer lets it come back, and a resume takes that back too.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable

from pxshell.protocol.state import Activity, RankState, StateTable
from pxshell.protocol.types import RUN
from pxshell.ranks import EMPTY, RankSet, union
from pxshell.render.events import Stand
from pxshell.session.answers import clean
from pxshell.session.desk import Desk
from pxshell.session.frames import Frames, steppable_ranks
from pxshell.session.ports import RequestPort
from pxshell.session.running_on import written_place
from pxshell.session.source_code import Sources
from pxshell.session.wake import Wake

__all__ = ["Stepping"]

_AGAIN_S = 0.05
_SETTLES_S = 0.25
"""So long, in seconds, ranks that wait in C may still come back once all others have stopped."""
_FOLLOWS_S = 2.0
"""The same where others have just made this step: they have let them go, and a busy machine is slow to run them."""
_STANDING = (Activity.PAUSED, Activity.FAILED)


class Stepping:
    """Steps ranks and shows where they stand then; for the face's thread."""

    def __init__(self, desk: Desk, sources: Sources, frames: Frames) -> None:
        self._desk = desk
        self._sources = sources
        self._frames = frames
        #: The ranks that were stepped last and stood in a cell, not in a program.
        self._in_cells = EMPTY

    def step(self, kind: str, ranks: RankSet, line: int, limit: float) -> RankSet:
        """Step; see `Debugger.step`."""
        pauses = steppable_ranks(self._desk, ranks, kind)
        stepped = union(pauses.values())
        self._in_cells = stepped & self._desk.ranks_that(lambda state: state.cell not in {"", RUN})
        pause = uuid.uuid4().hex[:12]
        content = {"pause": pause, "kind": kind, "line": line}
        content |= {"places": [[f"frame:{start}", str(who)] for start, who in pauses.items()]}
        # Held ranks of the set that these let go stand then too, and are shown with them.
        awaited = {pause} | {state.pause for _, state in self._desk.client.states.among(ranks) if _is_held(state)}
        told = self._desk.told_pauses
        told.expect(ranks, awaited)
        try:
            request = self._wait(content, stepped, ranks, time.monotonic() + limit)
            states = told.settle(lambda: self._desk.client.states)
        finally:
            told.expect(EMPTY, ())
        return self._show(pause, request, stepped, ranks, states)

    def _wait(self, content: dict[str, object], stepped: RankSet, ranks: RankSet, deadline: float) -> RequestPort:
        """Wait until no rank is on its way any more, or only those that wait in C for one that stands."""
        pause = str(content["pause"])
        settled = 0.0
        with Wake(self._desk) as wake:
            request = self._desk.client.request("px_step_request", content, stepped)
            while (now := time.monotonic()) < deadline:
                # Held ranks that these let go come back a moment later.
                held = ranks & self._desk.client.states.where("held")
                on_their_way = self._on_their_way(pause, request, stepped) | held
                if not on_their_way:
                    break
                if self._only_wait(on_their_way, ranks):
                    settled = settled or now + (_FOLLOWS_S if self._has_stopped(pause) else _SETTLES_S)
                    if now >= settled:
                        break
                else:
                    settled = 0.0
                wake.wait(_AGAIN_S)
        return request

    def _on_their_way(self, pause: str, request: RequestPort, stepped: RankSet) -> RankSet:
        """Return the ranks that have neither stopped nor ended nor refused."""
        refused = union(who for who, one in request.replies() if one.get("outcome") in {"stale", "refused", "idle"})
        lost = union(who for who, _ in request.account.missing)
        return stepped - refused - lost - self._desk.ranks_that(lambda state: _is_over(state, pause))

    def _has_stopped(self, pause: str) -> bool:
        """Tell whether some rank has come to the end of this step."""
        return bool(self._desk.ranks_that(lambda state: state.pause == pause and state.activity in _STANDING))

    def _only_wait(self, on_their_way: RankSet, ranks: RankSet) -> bool:
        """Tell whether all of them wait in C while some rank stands, for which they may be waiting."""
        held = self._desk.client.states.where("held")
        standing = self._desk.ranks_that(lambda state: state.is_alive and state.activity in _STANDING)
        return on_their_way <= held and bool(standing | (held - on_their_way))

    def _show(self, pause: str, request: RequestPort, stepped: RankSet, ranks: RankSet, states: StateTable) -> RankSet:
        rows, stopped = [], EMPTY
        refused = {who: str(one.get("why") or one["outcome"]) for who, one in request.replies() if _is_refused(one)}
        left = stepped - union(refused) - union(who for who, _ in request.account.missing)
        # Held ranks of the set that were not stepped may have been let go by those that were.
        shown = left | union(who for who, state in states.among(ranks) if _is_standing_or_held(state))
        for who, state in states.among(shown):
            row, has_stopped = self._row(who, state, pause)
            rows.append(row)
            stopped |= who if has_stopped else EMPTY
        self._frames.show(_folded(rows))
        for who, why in refused.items():
            self._desk.say(f"{who} not stepped: {clean(why)}", "warning", who)
        for who, why in request.account.missing:
            self._desk.say(f"{who} not stepped: {why}", "warning", who)
        waiting = left & states.where("held")
        if waiting and stopped:
            verb = "waits" if len(waiting) == 1 else "wait"
            self._desk.say(f"{waiting} {verb}, perhaps for a rank that stands: step or resume that one", ranks=waiting)
        return stopped & stepped

    def _row(self, who: RankSet, state: RankState, pause: str) -> tuple[Stand, bool]:
        if state.activity in _STANDING:
            reason = state.reason if state.reason not in {"", "step", "request", "sync"} else ""
            return self._stand(who, state, reason), state.pause == pause
        if state.activity is Activity.HELD:
            return self._stand(who, state, "waits in C"), False
        if state.activity is Activity.BUSY and state.pause:
            return self._running(who), False
        return Stand(who, "", word=self._end(who, state)), False

    def _end(self, who: RankSet, state: RankState) -> str:
        if not state.is_alive:
            return "it has died"
        return "the cell has ended" if who <= self._in_cells else "the program has ended"

    def _stand(self, who: RankSet, state: RankState, word: str) -> Stand:
        if not state.file:
            return Stand(who, "", word=word)
        source = self._sources.line(who.first, state.file, state.line)
        return Stand(who, written_place(state.file, state.line, state.function), source, word)

    def _running(self, who: RankSet) -> Stand:
        """Look where a rank is that has not come to the end of its step; it stops there when it does."""
        request = self._desk.control("px_frames_request", {"full": False}, RankSet.of(who.first), _SETTLES_S)
        for _, content in request.replies():
            if entries := content.get("entries"):
                file, line, function, _, source = entries[int(content["selected"])]
                return Stand(who, written_place(file, line, function), clean(str(source)), "still runs")
        return Stand(who, "", word="still runs")


def _is_over(state: RankState, pause: str) -> bool:
    if not state.is_alive or state.activity in (Activity.IDLE, Activity.FAILED):
        return True
    # A breakpoint on the way has stopped it under the id of the step.
    return state.activity is Activity.PAUSED and state.pause == pause


def _is_held(state: RankState) -> bool:
    return state.is_alive and state.activity is Activity.HELD


def _is_standing_or_held(state: RankState) -> bool:
    return state.is_alive and state.activity in (*_STANDING, Activity.HELD)


def _is_refused(content: dict[str, object]) -> bool:
    return content.get("outcome") in {"stale", "refused"}


def _folded(rows: Iterable[Stand]) -> list[Stand]:
    folded: dict[tuple[str, str, str], RankSet] = {}
    for one in rows:
        key = (one.place, one.source, one.word)
        folded[key] = folded.get(key, EMPTY) | one.ranks
    return [Stand(who, *key) for key, who in folded.items()]
