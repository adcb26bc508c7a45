"""Waiting for answers of side threads: a rank that cannot give one is named in time, not waited for (P6)."""

from __future__ import annotations

import math
import time

from pxshell.protocol.state import Liveness, RankState
from pxshell.ranks import RankSet
from pxshell.render.events import Missing
from pxshell.session.config import Config
from pxshell.session.desk import Desk
from pxshell.session.places import Placement
from pxshell.session.ports import ClientPort, RequestPort
from pxshell.session.waiting import Waiting

__all__ = ["are_silent", "aside_limit", "silent_ranks", "wait_aside"]

_LOOK_S = 0.1


def aside_limit(config: Config, placement: Placement) -> float:
    """Return after how many seconds nobody is waited for: without end where a main thread runs it, on some rank."""
    is_all = all(place == "peek" for place, _ in placement.places)
    return config.control_deadline if is_all else math.inf


def wait_aside(desk: Desk, request: RequestPort, seconds: float) -> tuple[Missing, ...]:
    """Wait until all have answered that can, at most some seconds.

    Returns the ranks that have not answered, with the reason; the request is let go of when there are any.
    """
    deadline = time.monotonic() + seconds
    waiting = Waiting(desk, request)
    try:
        while not request.done and (left := deadline - time.monotonic()) > 0:
            request.wait(min(_LOOK_S, left))
            if are_silent(desk.client, request.account.pending):
                break
            waiting.look()
    finally:
        waiting.end()
    silent = silent_ranks(desk.client, request.account.pending, seconds)
    if silent:
        request.forget()
    return silent


def are_silent(client: ClientPort, pending: RankSet) -> bool:
    """Tell whether all of these ranks, at least one, are known not to answer anybody."""
    return bool(pending) and all(state.liveness is not Liveness.OK for _, state in client.states.among(pending))


def silent_ranks(client: ClientPort, pending: RankSet, seconds: float) -> tuple[Missing, ...]:
    """Return why these ranks have not answered within some seconds, equal reasons folded."""
    reasons: dict[str, RankSet] = {}
    for ranks, state in client.states.among(pending):
        why = _why(state, seconds)
        reasons[why] = reasons.get(why, RankSet()) | ranks
    return tuple(Missing(ranks, why) for why, ranks in reasons.items())


def _why(state: RankState, seconds: float) -> str:
    match state.liveness:
        case Liveness.UNRESPONSIVE:
            return "it is stopped, or C code holds its GIL"
        case Liveness.OK:
            return f"not within {seconds:g} s; it goes on in the side thread"
        case _:
            return state.why or str(state.liveness)
