"""The stack of ranks that stand: where, up, down, and the source around; folded, for the face's thread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pxshell.errors import DeadlineError, UsageError
from pxshell.protocol.state import Activity, RankState
from pxshell.ranks import EMPTY, RankSet, union
from pxshell.render.events import Listing, Missing, Stand, Stands
from pxshell.render.standing import odd_stands
from pxshell.session.answers import clean
from pxshell.session.desk import Desk
from pxshell.session.failed import has_failed
from pxshell.session.ports import RequestPort
from pxshell.session.running_on import written_place
from pxshell.session.source_code import Sources

__all__ = ["Frames", "show_missing", "standing_ranks", "steppable_ranks"]

_STANDS = (Activity.PAUSED, Activity.FAILED)
_AROUND = 5
"""Lines of source before and after the one that is meant, as in pdb."""


def steppable_ranks(desk: Desk, ranks: RankSet, verb: str) -> dict[str, RankSet]:
    """Return those of the ranks that stand in a frame that can go on, by the id of their pause.

    Raises:
        UsageError: none of them does; or one has failed, whose frames have ended.
    """
    pauses = standing_ranks(desk, ranks, verb)
    failed = ranks & desk.ranks_that(has_failed)
    if failed:
        others = ranks - failed
        rest = f"   The others: %pxdebug {verb} -t {others}" if others else ""
        told = f"{failed} {'has' if len(failed) == 1 else 'have'} failed, and frames that have ended take no step"
        raise UsageError(f"no {verb}: {told}.  Let the exception go on: %pxsignal resume -t {failed}{rest}")
    return pauses


def standing_ranks(desk: Desk, ranks: RankSet, verb: str) -> dict[str, RankSet]:
    """Return those of the ranks that stand in a frame, by the id of their pause.

    Raises:
        UsageError: none of them does.
    """
    pauses: dict[str, RankSet] = {}
    for who, state in desk.client.states.among(ranks):
        if _stands(state):
            pauses[state.pause] = pauses.get(state.pause, EMPTY) | who
    if pauses:
        return pauses
    held = desk.client.states.where("held") & ranks
    if held:
        why = f"{held} {'waits' if len(held) == 1 else 'wait'} in C, and {_go(held)} on when the ranks do that stand"
        raise UsageError(f"no {verb}: {why}.  All: %pxdebug {verb} -t all")
    raise UsageError(
        f"no {verb}: {ranks} {_be(ranks)} not paused.  Pause: %pxsignal pause --sync {desk.sync_expression}"
    )


def _stands(state: RankState) -> bool:
    return state.is_alive and state.activity in _STANDS and bool(state.pause)


def show_missing(desk: Desk, request: RequestPort) -> None:
    """Say who has not answered, and why (P3)."""
    for who, why in request.account.missing:
        desk.show(Missing(who, why))
    if request.account.pending:
        desk.show(Missing(request.account.pending, "no answer in time"))


class Frames:
    """Looks at stacks and moves in them."""

    def __init__(self, desk: Desk, sources: Sources) -> None:
        self._desk = desk
        self._sources = sources

    def where(self, ranks: RankSet, *, full: bool) -> None:
        """Show the stacks; see `Debugger.where`."""
        idle = ranks & self._desk.client.states.where("idle")
        if idle:  # there are no frames but ours
            self._desk.say(f"{idle} {_be(idle)} idle", ranks=idle)
        if not ranks - idle:
            return
        request = self._ask("px_frames_request", {"full": full}, ranks - idle)
        for who, content in request.replies():
            entries = content.get("entries") or []
            if not entries:
                self._desk.show(Missing(who, clean(str(content.get("why") or "no Python runs there"))))
                continue
            width = max(len(str(one[2])) for one in entries)
            rows = tuple((_frame_text(one, width), clean(str(one[4]))) for one in entries)
            self._desk.show(Listing(who, self._title(who), rows, int(content["selected"])))
        show_missing(self._desk, request)

    def _title(self, ranks: RankSet) -> str:
        """Return what these ranks do, if they do not stand."""
        words = {str(state.activity) for _, state in self._desk.client.states.among(ranks) if not _stands(state)}
        return " ".join(sorted(words))

    def move(self, ranks: RankSet, up: int, *, full: bool) -> None:
        """Select other frames; see `Debugger.up`."""
        verb = "up" if up > 0 else "down"
        pauses = standing_ranks(self._desk, ranks, verb)
        content = {"up": up, "full": full, "places": [[f"frame:{pause}", str(who)] for pause, who in pauses.items()]}
        request = self._ask("px_select_request", content, union(pauses.values()))
        rows, ends = [], EMPTY
        for who, one in request.replies():
            if one.get("status") != "ok":
                self._desk.say(f"{who} not moved: {clean(str(one.get('why') or one.get('evalue')))}", "warning", who)
                continue
            if not one["moved"]:
                ends |= who
            rows.append(Stand(who, written_place(one["file"], one["line"], one["function"]), clean(one["source"])))
        self.show(rows)
        if ends:
            frame = "outermost" if up > 0 else "innermost"
            self._desk.say(f"{ends} {_be(ends)} in the {frame} frame already", ranks=ends)
        show_missing(self._desk, request)

    def show(self, rows: Iterable[Stand]) -> None:
        """Show where ranks stand; those elsewhere than the majority are `@odd`."""
        stands = Stands(tuple(rows))
        if stands.rows:
            self._desk.focus.odd = odd_stands(stands) or self._desk.focus.odd
            self._desk.show(stands)

    def source(self, ranks: RankSet, line: int | None) -> None:
        """Show source around the selected frames; see `Debugger.source`."""
        request = self._ask("px_frames_request", {"full": True}, ranks)
        places: dict[tuple[str, int, str], RankSet] = {}
        for who, content in request.replies():
            if entries := content.get("entries"):
                file, at, function, *_ = entries[int(content["selected"])]
                key = (str(file), int(at), str(function))
                places[key] = places.get(key, EMPTY) | who
        for (file, at, function), who in places.items():
            around = at if line is None else line
            lines = self._sources.lines(who.first, file, around - _AROUND, around + _AROUND)
            if not lines:
                raise UsageError(f"{who}: there is no source of {file} at line {around}")
            marked = next((index for index, (number, _) in enumerate(lines) if number == at), -1)
            rows = tuple((str(number), text) for number, text in lines)
            self._desk.show(Listing(who, written_place(file, at, function), rows, marked))
        show_missing(self._desk, request)

    def _ask(self, type_: str, content: dict[str, Any], ranks: RankSet) -> RequestPort:
        limit = self._desk.config.control_deadline
        request = self._desk.control(type_, content, ranks, limit)
        if not request.replies() and request.account.pending:
            raise DeadlineError(type_.removeprefix("px_").removesuffix("_request"), limit, f"{ranks}: no answer")
        return request


def _frame_text(entry: list[Any], width: int) -> str:
    file, line, function, *_ = entry
    return f"{clean(str(function)):{width}}  {clean(written_place(str(file), line, ''))}"


def _go(ranks: RankSet) -> str:
    return "goes" if len(ranks) == 1 else "go"


def _be(ranks: RankSet) -> str:
    return "is" if len(ranks) == 1 else "are"
