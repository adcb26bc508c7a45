"""What cells of `-c` leave behind: cells that did not run, ranks that stay paused, and what to do about it."""

from __future__ import annotations

from pxshell.protocol.state import Activity
from pxshell.protocol.types import RUN
from pxshell.ranks import EMPTY, RankSet
from pxshell.render import Notice
from pxshell.session import Session
from pxshell.session.waiting import place_text

__all__ = ["unfinished"]

_STAND = (Activity.PAUSED, Activity.HELD)


def unfinished(session: Session, *, failed: int, cells: int, waits: bool) -> Notice | None:
    """Return the line about what is left, None when all has run and no script stands.

    Args:
        session: Whose cells they were.
        failed: Number of the cell at which they ended, 0 when none has failed.
        cells: How many there were.
        waits: The command stays until the script has ended.
    """
    left = cells - failed if failed else 0
    ended = f"cell {failed} of {cells} has failed, so {_counted(left)} did not run" if left else ""
    ranks, place = _standing(session)
    if not ranks:
        return Notice("warning", f"{ended}; all the same: --keep-going") if ended else None
    name = session.client.snapshot.name
    stay = f"{ranks} {'stays' if len(ranks) == 1 else 'stay'} paused{place}{', and --wait waits' if waits else ''}"
    todo = f"Go on: pxshell attach {name} -c '%pxsignal resume'   Look: pxshell attach {name}"
    return Notice("warning", f"{'; '.join(part for part in (ended, stay) if part)}.  {todo}", ranks)


def _counted(cells: int) -> str:
    return "the last" if cells == 1 else f"the last {cells}"


def _standing(session: Session) -> tuple[RankSet, str]:
    """Return the ranks that stand in their script, and where, if it is one place."""
    ranks, places = EMPTY, set()
    for some, state in session.client.states.groups():
        if state.is_alive and state.activity in _STAND and state.cell == RUN:
            ranks |= some
            places.add(place_text(state))
    return ranks, f" at {places.pop()}" if len(places) == 1 else ""
