"""Where busy ranks are and since when: asked of their side threads, for `%pxstatus` (P6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pxshell.protocol.state import Activity, Liveness, RankState
from pxshell.ranks import RankSet
from pxshell.render.events import Missing, States
from pxshell.session.answers import clean
from pxshell.session.aside import wait_aside
from pxshell.session.desk import Desk
from pxshell.session.prompt import states_of
from pxshell.session.waiting import place_text

__all__ = ["whereabouts"]


def whereabouts(desk: Desk) -> States:
    """Return the states of all ranks; of those that run something, the line where they are and for how long."""
    known = states_of(desk.client)
    busy = desk.ranks_that(_is_away)
    if not busy:
        return known
    request = desk.client.request("px_where_request", {}, busy)
    silent = wait_aside(desk, request, desk.config.control_deadline)
    places: dict[tuple[str, str], list[tuple[RankSet, float]]] = {}
    for ranks, content in request.replies():
        for state_ranks, state in desk.client.states.among(ranks):
            if _is_away(state):
                place = places.setdefault((state.word, _place(content, state)), [])
                place.append((state_ranks, float(content.get("seconds", 0.0))))
    rows = [(_union(found), word, _told(place, found)) for (word, place), found in places.items()]
    rows += _silent_rows(desk, silent)
    answered = RankSet()
    for ranks, _, _ in rows:
        answered |= ranks
    others = [(rest, word, where) for ranks, word, where in known.rows if (rest := ranks - answered)]
    return States(known.title, tuple(sorted([*rows, *others], key=lambda row: row[0].first)))


def _silent_rows(desk: Desk, silent: Iterable[Missing]) -> list[tuple[RankSet, str, str]]:
    rows: dict[tuple[str, str], RankSet] = {}
    for missing in silent:
        for ranks, state in desk.client.states.among(missing.ranks):
            key = (state.word, missing.why)
            rows[key] = rows.get(key, RankSet()) | ranks
    return [(ranks, word, why) for (word, why), ranks in rows.items()]


def _is_away(state: RankState) -> bool:
    """Tell whether a rank has to be asked; one that holds the GIL may not even have said that it is busy."""
    is_free = state.activity is Activity.DEBUGGING and not state.is_stopped
    is_busy = is_free or state.activity in {Activity.BUSY, Activity.HELD}
    return state.is_alive and (is_busy or state.liveness is Liveness.UNRESPONSIVE)


def _place(content: Mapping[str, Any], state: RankState) -> str:
    where = {name: content[name] for name in ("file", "line", "function") if name in content}
    who = clean(state.why) if state.activity is Activity.DEBUGGING else ""
    return ", ".join(part for part in (place_text(RankState(Activity.BUSY, **where)), who) if part)


def _told(place: str, found: list[tuple[RankSet, float]]) -> str:
    """Write `sim.py:88 in advance, for 12 s`, or `for 3 to 12 s` of ranks that began at different times."""
    seconds = [round(each) for _, each in found]
    low, high = min(seconds), max(seconds)
    duration = _duration(high) if high - low <= 1 else f"{_duration(low)} to {_duration(high)}"
    return ", ".join(part for part in (place, f"for {duration}") if part)


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _union(found: list[tuple[RankSet, float]]) -> RankSet:
    ranks = RankSet()
    for some, _ in found:
        ranks |= some
    return ranks
