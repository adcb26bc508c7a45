"""Breakpoints and watches of sets of ranks: set, listed, cleared; folded, for the face's thread.

They live in the ranks, and the controller gives them to ranks that start later. So every client sees the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pxshell.errors import UsageError
from pxshell.ranks import EMPTY, RankSet, union
from pxshell.render.events import Stand, Stands
from pxshell.session.answers import clean
from pxshell.session.desk import Desk
from pxshell.session.frames import show_missing
from pxshell.session.running_on import written_place
from pxshell.session.syntax import is_single_expression

__all__ = ["Breakpoints"]

#: Seconds that ranks which are about to end may take to say which watches they have.
_LAST_LOOK_S = 0.5


class Breakpoints:
    """Sets, lists and clears them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        #: Watches that were set here, and may have ended since.
        self._watches: set[int] = set()

    def add(self, spec: Mapping[str, Any], ranks: RankSet) -> int:
        """Set one; see `Debugger.add_breakpoint`. Returns its number."""
        expression = str(spec.get("condition") or spec.get("watch") or "")
        if expression and not is_single_expression(expression):
            raise UsageError(f"{expression!r} is no expression: %pxdebug break sim.py:88 if step > 100")
        number = max((int(row["number"]) for _, row in self._rows()), default=0) + 1
        limit = self._desk.config.control_deadline
        request = self._desk.control("px_break_request", {"number": number, **spec}, ranks, limit)
        replies = request.replies()
        dearest = max((float(one.get("cost") or 0) for _, one in replies), default=0.0)
        told: dict[str, RankSet] = {}
        for who, content in replies:
            if content.get("status") == "ok":
                text = _told(spec, {**content, "cost": dearest})
                told[text] = told.get(text, EMPTY) | who
            else:
                self._desk.say(f"{who}: {clean(str(content.get('why') or content.get('evalue')))}", "error", who)
        for text, who in told.items():
            self._desk.say(f"{_name(number, spec)} on {who}{text}", ranks=who)
        show_missing(self._desk, request)
        if told and spec.get("watch"):
            self._watches.add(number)
        if not told:
            raise UsageError(f"no {_name(number, spec).partition(' ')[0]} was set")
        return number

    def clear(self, numbers: Iterable[int]) -> RankSet:
        """Clear them everywhere; see `Debugger.clear`."""
        wanted = sorted(set(numbers))
        limit = self._desk.config.control_deadline
        request = self._desk.control("px_clear_request", {"numbers": wanted}, self._alive(), limit)
        cleared: dict[int, RankSet] = {}
        for who, content in request.replies():
            for number in content.get("cleared") or ():
                cleared[int(number)] = cleared.get(int(number), EMPTY) | who
        unknown = [str(number) for number in wanted if number not in cleared]
        for number, who in sorted(cleared.items()):
            self._desk.say(f"{number} cleared on {who}", ranks=who)
        show_missing(self._desk, request)
        if unknown or not cleared:
            told = f"there is no breakpoint {', '.join(unknown)}" if unknown else "there are no breakpoints"
            raise UsageError(f"{told}.  All: %pxdebug breaks")
        return union(cleared.values())

    def show(self) -> None:
        """List them; see `Debugger.breakpoints`."""
        rows = self._rows()
        if not rows:
            self._desk.say("there are no breakpoints.  One: %pxdebug break sim.py:88 [-t RANKS] [if EXPR]")
        for who, row in rows:
            self._desk.show(Stands((Stand(who, f"{row['number']}  {_described(row)}", _counted(row)),)))

    def end_watches(self) -> list[str]:
        """Return which watches there are, for they end with their frames, whose processes are about to end."""
        rows = self._rows(_LAST_LOOK_S) if self._watches else []
        self._watches.clear()
        return [f"{row['number']} ({clean(str(row['watch']))}) on {who}" for who, row in rows if row.get("watch")]

    def _rows(self, limit: float | None = None) -> list[tuple[RankSet, dict[str, Any]]]:
        """Return all breakpoints of ranks that live: equal ones of several ranks are one row."""
        alive = self._alive()
        if not alive:
            return []
        deadline = self._desk.config.control_deadline if limit is None else limit
        request = self._desk.control("px_breaks_request", {}, alive, deadline)
        folded: list[tuple[RankSet, dict[str, Any]]] = []
        for who, content in request.replies():
            for row in content.get("breaks") or ():
                at = next((index for index, (_, known) in enumerate(folded) if known == row), None)
                if at is None:
                    folded.append((who, row))
                else:
                    folded[at] = (folded[at][0] | who, row)
        return sorted(folded, key=lambda one: (int(one[1]["number"]), one[0].first))

    def _alive(self) -> RankSet:
        return self._desk.client.states.alive()


def _name(number: int, spec: Mapping[str, Any]) -> str:
    return f"watch {number}" if spec.get("watch") else f"breakpoint {number}"


def _told(spec: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """Write where it stops, or what it waits for, and what it costs."""
    if spec.get("watch"):
        place = f"stops when {clean(str(spec['watch']))} becomes true, in {clean(str(content['function']))}"
        cost = _time(float(content["cost"]))
        return f": {place}; each line of Python there takes up to {cost} longer now, until it is cleared"
    if content.get("file"):
        return f" at {clean(written_place(str(content['file']), int(content['line']), str(content['function'])))}"
    wanted = spec.get("file") or spec.get("function")
    kind = "file" if spec.get("file") else "function"
    return f": no {kind} {wanted} is loaded yet; it stops once one is"


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.2g} µs" if seconds < 1e-3 else f"{seconds * 1e3:.2g} ms"


def _described(row: Mapping[str, Any]) -> str:
    if row.get("watch"):
        return clean(f"watch {row['watch']}, in {row['function']}")
    words = [f"{row['file']}:{row['line']}" if row.get("file") else str(row["function"])]
    words += ["once"] if row.get("once") else []
    words += [f"from hit {row['hits']} on"] if int(row.get("hits") or 1) > 1 else []
    words += [f"if {row['condition']}"] if row.get("condition") else []
    return clean("  ".join(words))


def _counted(row: Mapping[str, Any]) -> str:
    count = int(row.get("stopped") or 0)
    return f"has stopped {count} time{'' if count == 1 else 's'}" if count else ""
