"""Looking at ranks: completion, inspection, logs; and starting them anew."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from pxshell.cluster.readiness import restart_ranks
from pxshell.errors import DeadlineError, UsageError
from pxshell.ranks import RankSet
from pxshell.session.desk import Desk

if TYPE_CHECKING:
    from pxshell.client import Client

__all__ = ["Looking"]

_RESTART_S = 60.0
_TYPES = "_jupyter_types_experimental"


class Looking:
    """Requests that change nothing on the ranks, and the one that ends them all."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def complete(self, code: str, position: int, timeout: float) -> dict[str, Any]:
        """Complete on the focus; see `Session.complete`."""
        content = {"code": code, "cursor_pos": position}
        replies = self._asked("complete_request", content, timeout)
        merged: dict[str, Any] = {"status": "ok", "matches": [], "metadata": {}}
        merged |= {"cursor_start": position, "cursor_end": position}
        if replies:
            merged |= {key: replies[0][key] for key in ("cursor_start", "cursor_end") if key in replies[0]}
        alike = [one for one in replies if one.get("cursor_start") == merged["cursor_start"]]
        merged["matches"] = list(dict.fromkeys(match for one in alike for match in one.get("matches", ())))
        types = [kind for one in alike for kind in (one.get("metadata") or {}).get(_TYPES, ())]
        if types:
            merged["metadata"] = {_TYPES: list({str(kind.get("text")): kind for kind in reversed(types)}.values())}
        return merged

    def inspect(self, code: str, position: int, detail: int, timeout: float) -> dict[str, Any]:
        """Inspect on the focus; see `Session.inspect`."""
        content = {"code": code, "cursor_pos": position, "detail_level": detail}
        replies = self._asked("inspect_request", content, timeout)
        nothing = {"status": "ok", "found": False, "data": {}, "metadata": {}}
        return next((one for one in replies if one.get("found")), nothing)

    def _asked(self, type_: str, content: dict[str, Any], timeout: float) -> list[dict[str, Any]]:
        """Return the good replies that come in time; ranks that answer nobody are not asked."""
        ranks = self._desk.focus.ranks & self._desk.client.states.alive() & self._desk.client.states.where("ok")
        if not ranks:
            return []
        request = self._desk.client.request(type_, content, ranks)
        if not request.wait(timeout):
            request.forget()
        return [one for _, one in request.replies() if one.get("status") == "ok"]

    def log(self, rank: int, size: int) -> str:
        """Return the end of a rank's log; see `Session.log`."""
        if rank not in self._desk.client.ranks:
            raise UsageError(f"there is no rank {rank}; there are {self._desk.client.ranks}")
        limit = self._desk.config.control_deadline
        ranks = RankSet.of(rank)
        request = self._desk.control("px_log_request", {"rank": rank, "bytes": size}, ranks, limit)
        replies = request.replies()
        if not replies:
            raise DeadlineError(f"the log of rank {rank}", limit)
        return str(replies[0][1].get("text", ""))

    def restart(self) -> RankSet:
        """Start all ranks anew; see `Session.restart`."""
        started = time.monotonic()
        world = self._desk.client.ranks
        self._desk.is_restarting = True
        try:
            # The cluster's own waiting asks for a Client; what it uses of one is what a port has.
            restart_ranks(cast("Client", self._desk.client), _RESTART_S)
        finally:
            self._desk.is_restarting = False
        self._desk.say(f"{world} restarted ({time.monotonic() - started:.1f} s)", ranks=world)
        return world
