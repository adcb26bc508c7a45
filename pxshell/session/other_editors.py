"""Editors that came another way, by `pxshell debug` or through another front end: who they are, and their end."""

from __future__ import annotations

import time

from pxshell.errors import PermissionDeniedError
from pxshell.protocol.state import Activity
from pxshell.ranks import EMPTY, RankSet
from pxshell.session.answers import clean
from pxshell.session.desk import Desk
from pxshell.session.wake import Wake

__all__ = ["debugged", "let_go", "wait_free", "who_holds"]


def debugged(desk: Desk) -> RankSet:
    """Return the ranks on which some editor is."""
    return desk.client.states.where(Activity.DEBUGGING)


def who_holds(desk: Desk, ranks: RankSet) -> str:
    """Say by whom ranks are debugged: `0-1 are debugged by jane@n1; 3 is debugged by joe@n2`."""
    holders: dict[str, RankSet] = {}
    for some, state in desk.client.states.among(ranks):
        why = clean(state.why) or "debugged"
        holders[why] = holders.get(why, EMPTY) | some
    return "; ".join(f"{some} {'is' if len(some) == 1 else 'are'} {why}" for why, some in holders.items())


def let_go(desk: Desk, ranks: RankSet, why: str) -> RankSet:
    """End whatever editor is on these ranks, and wait until they say so; returns those that have not yet.

    Raises:
        PermissionDeniedError: this client only watches.
    """
    if desk.client.role != "operator":
        raise PermissionDeniedError("debug a rank")
    with Wake(desk) as wake:
        desk.client.tell("px_debug_close", {"why": why}, ranks)
        return _waited(desk, wake, ranks, desk.config.control_deadline)


def wait_free(desk: Desk, ranks: RankSet, limit: float) -> None:
    """Wait, at most `limit` seconds, until ranks whose editor has been ended say so."""
    with Wake(desk) as wake:
        _waited(desk, wake, ranks, limit)


def _waited(desk: Desk, wake: Wake, ranks: RankSet, limit: float) -> RankSet:
    deadline = time.monotonic() + limit
    while (still := debugged(desk) & ranks) and (left := deadline - time.monotonic()) > 0:
        wake.wait(left)
    return still
