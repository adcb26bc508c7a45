"""Signals to ranks, with an answer for each, and a question before an MPI job is ended by a part of it."""

from __future__ import annotations

import signal
import time

from pxshell.errors import UsageError
from pxshell.protocol.state import Activity
from pxshell.ranks import EMPTY, RankSet
from pxshell.session.answers import clean
from pxshell.session.desk import Desk
from pxshell.session.wake import Wake

__all__ = ["escalate", "send_signal", "signal_named"]

_AGAIN_S = 0.1

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


#: What ends a process, the gentlest first.
_ESCALATION = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


def escalate(desk: Desk, ranks: RankSet, seconds: float, *, yes: bool) -> RankSet:
    """Signal until ranks are done; see `Session.escalate`."""
    _check_job(desk, signal.SIGKILL, "INT, TERM, KILL", ranks, yes=yes, again="--escalate")
    for number in _ESCALATION:
        left = _at_work(desk, ranks)
        if not left:
            break
        send_signal(desk, number.name, left, yes=True)
        with Wake(desk) as wake:
            deadline = time.monotonic() + seconds
            while _at_work(desk, left) and (rest := deadline - time.monotonic()) > 0:
                wake.wait(min(rest, _AGAIN_S))
    left = _at_work(desk, ranks)
    if done := ranks - left:
        desk.say(f"{done} {'has' if len(done) == 1 else 'have'} ended or {'is' if len(done) == 1 else 'are'} idle")
    if left:
        desk.say(f"{left} not ended by KILL within {seconds:g} s", "error", left)
    return ranks - left


def _at_work(desk: Desk, ranks: RankSet) -> RankSet:
    return ranks & desk.ranks_that(lambda state: state.is_alive and state.activity is not Activity.IDLE)


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


def _check_job(desk: Desk, number: signal.Signals, name: str, ranks: RankSet, *, yes: bool, again: str = "") -> None:
    """Refuse to end a part of an MPI job, for the rest ends with it."""
    others = desk.client.states.alive() - ranks
    mpi = desk.client.snapshot.mpi
    if yes or number not in _DEADLY or not mpi or "ulfm" in mpi.lower() or not others:
        return
    end = "ends" if len(others) == 1 else "end"
    where = "" if ranks == desk.focus.ranks else f" -t {ranks}"
    raise UsageError(
        f"not sent: {name} to {ranks} ends the whole {mpi} job, {others} {end} with it.  "
        f"All the same: %pxsignal {again or name} --yes{where}"
    )
