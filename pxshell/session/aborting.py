"""`%pxsignal abort`: frees ranks from the calls of MPI that they wait in, with an answer for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pxshell.ranks import EMPTY, RankSet
from pxshell.session.answers import clean
from pxshell.session.desk import Desk

__all__ = ["abort_calls"]


def abort_calls(desk: Desk, ranks: RankSet) -> RankSet:
    """Free ranks from the calls of MPI that they wait in; see `Session.abort`."""
    limit = desk.config.control_deadline
    request = desk.control("px_abort_request", {}, ranks, limit)
    freed = EMPTY
    for who, content in request.replies():
        is_freed, text = _freed(who, content)
        freed |= who if is_freed else EMPTY
        desk.say(text, "info" if is_freed else "warning", who)
    for who, why in request.account.missing:
        desk.say(f"{who} not freed: {why}", "warning", who)
    if pending := request.account.pending:
        desk.say(f"{pending} not freed: no answer within {limit:g} s", "warning", pending)
    return freed


def _freed(ranks: RankSet, content: Mapping[str, Any]) -> tuple[bool, str]:
    """Return whether ranks were freed, and the line that says how, or why not."""
    outcome = content.get("outcome")
    call, why = (clean(str(content.get(name) or "")) for name in ("call", "why"))
    if outcome == "aborted":
        return True, f"{ranks} freed from {call}: CallAbortedError is raised there"
    if outcome == "revoked":
        name = clean(str(content.get("name") or "its communicator"))
        return True, f"{ranks} freed from {call}: {name} is revoked, every call on it raises, on all ranks"
    if outcome == "idle":
        return False, f"{ranks} not freed: {why}"
    return False, f"{ranks} not freed: {why or clean(str(content.get('evalue')))}.  Only a restart helps: %pxrestart"
