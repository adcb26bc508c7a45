"""Signals to ranks, with an answer for each, and a question before an MPI job is ended by a part of it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from pxshell.errors import UsageError
from pxshell.ranks import EMPTY, RankSet
from pxshell.session.answers import clean
from pxshell.session.desk import Desk

__all__ = ["abort_calls", "send_signal", "signal_named"]

_DEADLY = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGABRT, signal.SIGQUIT, signal.SIGSEGV})


def signal_named(text: str) -> signal.Signals:
    """Read `INT`, `sigint` or `2`.

    Raises:
        UsageError: there is no such signal.
    """
    word = text.strip().upper()
    try:
        return signal.Signals(int(word)) if word.isdecimal() else signal.Signals[f"SIG{word.removeprefix('SIG')}"]
    except (KeyError, ValueError):
        known = "pause, resume, INT, TERM, KILL, USR1, STOP, CONT"
        raise UsageError(f"there is no signal {text.strip()!r}; there are {known} and the system's others") from None


def send_signal(desk: Desk, what: str, ranks: RankSet, *, yes: bool) -> RankSet:
    """Send a signal; see `Session.signal`."""
    number = signal_named(what)
    name = number.name.removeprefix("SIG")
    _check_job(desk, number, name, ranks, yes=yes)
    request = desk.control("px_signal_request", {"signal": int(number)}, ranks, desk.config.control_deadline)
    sent = EMPTY
    for who, content in request.replies():
        if content.get("outcome") == "sent":
            sent |= who
        else:
            why = clean(str(content.get("why") or content.get("outcome")))
            desk.say(f"{name} not sent to {who}: {why}", "warning", who)
    for who, why in request.account.missing:
        desk.say(f"{name} not sent to {who}: {why}", "warning", who)
    if pending := request.account.pending:
        limit = desk.config.control_deadline
        desk.say(f"{name} to {pending}: no answer within {limit:g} s", "warning", pending)
    if sent:
        desk.say(f"{name} sent to {sent}", ranks=sent)
    return sent


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


def _check_job(desk: Desk, number: signal.Signals, name: str, ranks: RankSet, *, yes: bool) -> None:
    """Refuse to end a part of an MPI job, for the rest ends with it."""
    others = desk.client.states.alive() - ranks
    mpi = desk.client.snapshot.mpi
    if yes or number not in _DEADLY or not mpi or "ulfm" in mpi.lower() or not others:
        return
    end = "ends" if len(others) == 1 else "end"
    where = "" if ranks == desk.focus.ranks else f" -t {ranks}"
    raise UsageError(
        f"not sent: {name} to {ranks} ends the whole {mpi} job, {others} {end} with it.  "
        f"All the same: %pxsignal {name} --yes{where}"
    )
