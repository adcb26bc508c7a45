"""Simulated ranks: what they answer, without IPython; and how whole nodes of them answer, already folded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from pxshell.protocol.digest import with_digest
from pxshell.protocol.message import Message
from pxshell.protocol.state import Activity, RankState
from pxshell.ranks import RankSet

__all__ = ["answers", "description", "first_words", "odd_ranks"]

_serial = itertools.count(1)
#: Made once: a real rank would do this in a process of its own.
_DONE = with_digest(Message.make("execute_reply", "", {"status": "ok", "user_expressions": {}}))
_HERE = {"file": "sim.py", "line": 87, "function": "main"}
_ROOT = ["sim.py", 31, "<module>", True]


def odd_ranks(size: int) -> RankSet:
    """Return the three ranks that answer otherwise."""
    return RankSet({0, size // 2, size - 1})


def description(rank: int, node: int, pid: int) -> dict[str, Any]:
    """Return what a node tells of a rank."""
    facts = {"rank": rank, "epoch": 0, "pid": pid, "local_rank": 0, "host": f"n{node}"}
    return facts | {"python": "3.11.7", "size": 0, "world": "w", "script": ""}


def first_words(ranks: RankSet) -> list[Message]:
    """Return what ranks say once they are there."""
    content = RankState(Activity.IDLE, counter=1).to_content()
    return [_said(kind, content, ranks) for kind in ("px_state", "px_place")]


def answers(request: Message, ranks: RankSet, size: int) -> list[Message]:
    """Return what these ranks of a world of `size` answer, equal answers folded, each rank's reply last."""
    if request.type == "execute_request":
        return list(_cell(request, str(request.data()["code"]), ranks, size))
    if request.type == "px_pause_request":
        paused = RankState(Activity.PAUSED, cell="run", pause=request.data()["pause"], counter=2, **_HERE)
        reply = _said("px_pause_reply", {"outcome": "paused", **_HERE}, ranks, request)
        return [reply, _said("px_state", paused.to_content(), ranks)]
    if request.type == "px_stacks_request":
        waiting = odd_ranks(size)
        groups = [(ranks - waiting, ["sim.py", 12, "total", True]), (ranks & waiting, ["sim.py", 20, "fetch", True])]
        return [_said("px_stacks_reply", {"entries": [_ROOT, top]}, part, request) for part, top in groups if part]
    return []


def _cell(request: Message, code: str, ranks: RankSet, size: int) -> Iterator[Message]:
    if code == "hang":
        return
    if code == "three":
        odd = odd_ranks(size)
        groups = [(ranks - odd, "1.0"), *((RankSet.of(rank), f"nan{rank}") for rank in ranks & odd)]
    elif code == "own":
        groups = [(RankSet.of(rank), f"{rank}.5") for rank in ranks]
    else:
        groups = []
    for part, text in groups:
        if part:
            yield _said("execute_result", {"data": {"text/plain": text}, "metadata": {}}, part, request)
    fields = {"id": f"s{next(_serial)}", "parent": request.id, "origin": request.header.origin}
    yield _DONE.with_header(**fields).with_ranks(ranks)


def _said(kind: str, content: dict[str, Any], ranks: RankSet, request: Message | None = None) -> Message:
    fields = {"parent": request.id, "origin": request.header.origin} if request is not None else {}
    return with_digest(Message.make(kind, f"s{next(_serial)}", content, ranks=ranks, **fields))
