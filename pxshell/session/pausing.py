"""Pause and resume: the requests, the waiting and the deadlines around `sync` and the engines' own pauses."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from pxshell.errors import DeadlineError, PxshellError, UsageError
from pxshell.protocol.state import Activity, RankState
from pxshell.ranks import EMPTY, RankSet, union
from pxshell.render.events import Progress
from pxshell.session.answers import clean
from pxshell.session.desk import Desk, check_allowed
from pxshell.session.failed import has_failed
from pxshell.session.lagging import Lagging, Reasons
from pxshell.session.limits import Limits
from pxshell.session.standing import Standing, standing_text
from pxshell.session.sync import SILENT, Arm, Cancel, Command, Phase, Probe, Probed, Stop, SyncPause
from pxshell.session.syntax import is_single_expression
from pxshell.session.waiting import place_text
from pxshell.session.wake import Wake

__all__ = ["PauseOutcome", "Pausing"]

_AGAIN_S = 0.05
#: Seconds between looks at the values while a program runs to its first one.
_LOOK_S = 0.5
#: Seconds that ranks may take to say that they are armed once another one stands at the target.
_LAST_ANSWERS_S = 0.25
#: Seconds after which the stop of the pause that took the place of ours has been said.
_SETTLES_S = 0.25
#: Why ranks stand that a front end has stopped.
_ASKED_FOR = ("", "request", "sync", "step")
#: Why a rank does not go on, by the outcome that it answers.
_NOT_RESUMED = {
    "stale": "another front end was first, it is in another pause by now; see %pxstatus",
    "not paused": "another front end was first, it goes on already",
}
_STOPPABLE = (Activity.STARTING, Activity.BUSY, Activity.PAUSED, Activity.HELD, Activity.DEBUGGING)


@dataclass(frozen=True, slots=True)
class PauseOutcome:
    """Who stands after a pause, and where; `stop` is the one place of a synchronised pause."""

    pause: str
    paused: RankSet
    held: RankSet = EMPTY
    stop: Stop | None = None


class Pausing:
    """Pauses and resumes ranks; for the face's thread."""

    def __init__(self, desk: Desk, limits: Limits) -> None:
        self._desk = desk
        self._limits = limits
        self._look_at = 0.0
        self._shows_from = 0.0
        self._lagging = Lagging(desk)

    def pause(self, ranks: RankSet | None, *, sync: str | None, deadline: float | None) -> PauseOutcome:
        """Pause ranks; see `Session.pause`."""
        started = time.monotonic()
        if sync is not None:
            targets = self._stoppable(self._desk.client.ranks if ranks is None else ranks)
            limit = self._desk.config.pause_deadline if deadline is None else deadline
            return self._synchronised(targets, sync.strip(), started, limit)
        targets = self._stoppable(self._desk.focus.ranks if ranks is None else ranks)
        limit = self._desk.config.control_deadline if deadline is None else deadline
        return self._plain(targets, started, limit)

    def _stoppable(self, ranks: RankSet) -> RankSet:
        """Return the ranks that live; each must run something that can stop."""
        failed = ranks & self._desk.ranks_that(has_failed)
        living = ranks & self._desk.client.states.alive() - failed
        if not living:
            told = f"{ranks} {'is' if len(ranks) == 1 else 'are'} gone"
            if failed:
                told = f"{failed} {'has failed, and stands' if len(failed) == 1 else 'have failed, and stand'}"
            raise UsageError(f"nothing to pause: {told}; see %pxstatus")
        other = self._desk.ranks_that(lambda state: state.activity not in _STOPPABLE) & living
        if other:
            state = self._desk.client.states.of(other.first)
            word = state.activity if state else "gone"
            raise UsageError(f"not paused: {other} {'is' if len(other) == 1 else 'are'} {word}, running no script")
        return living

    # Each rank where it is.

    def _plain(self, ranks: RankSet, started: float, limit: float) -> PauseOutcome:
        pause = _new_id()
        content = {"pause": pause, "mode": "line"}
        request = self._desk.control("px_pause_request", content, ranks, limit)
        if self._desk.start.let_go():
            started = time.monotonic()
        told = union(ranks for ranks, one in request.replies() if not _is_other(one))
        self._wait_states(lambda: told <= self._standing(ranks), limit - (time.monotonic() - started))
        refused = union(ranks for ranks, one in request.replies() if one.get("outcome") == "refused")
        self._wait_states(lambda: refused <= self._standing(ranks), min(limit, _SETTLES_S))
        standing = self._looked_at(ranks, request.replies(), request.account.missing)
        self._desk.say(standing_text(standing, time.monotonic() - started))
        self._limits.name(standing.all_paused | standing.held)
        return PauseOutcome(pause, standing.all_paused, standing.held)

    def _standing(self, ranks: RankSet) -> RankSet:
        return self._desk.ranks_that(_stands) & ranks

    def _looked_at(
        self,
        ranks: RankSet,
        replies: Iterable[tuple[RankSet, Mapping[str, Any]]],
        missing: Iterable[tuple[RankSet, str]],
    ) -> Standing:
        groups = list(self._desk.client.states.among(ranks))
        others = [(who, clean(str(one.get("why") or one["outcome"]))) for who, one in replies if _is_other(one)]
        others += missing
        failed = union(who for who, state in groups if has_failed(state))
        standing = union(who for who, state in groups if state.is_stopped)
        # Those that refused for the pause of another front end stand in that one.
        others = [(rest, why) for who, why in others if (rest := who - failed - standing)]
        if failed:
            others.append((failed, "failed meanwhile"))
        running = ranks - standing - union(who for who, _ in others)
        if running:
            others.append((running, "not stopped yet"))
        paused = [(who, state) for who, state in groups if state.is_stopped and state.activity is not Activity.HELD]
        return Standing(
            paused=tuple(paused),
            held=union(who for who, state in groups if state.activity is Activity.HELD),
            others=tuple(others),
            values=self._values(union(who for who, _ in paused)),
            expression=self._desk.sync_expression,
            has_mpi=bool(self._desk.client.snapshot.mpi),
        )

    def _values(self, ranks: RankSet) -> dict[RankSet, object]:
        """Return the step of paused ranks, when an earlier pause has told what counts it."""
        if self._desk.sync_expression == "EXPR" or not ranks:
            return {}
        answers = self._probe(ranks, self._desk.sync_expression, self._desk.config.control_deadline)
        return {one.ranks: one.value for one in answers if one.value is not None}

    # All at the same line of the same step.

    def _synchronised(self, ranks: RankSet, expression: str, started: float, limit: float) -> PauseOutcome:
        if not is_single_expression(expression):
            raise UsageError(f"{expression!r} is no expression: %pxsignal pause --sync step")
        # Pauses in which ranks stand before, and our own.
        known = {state.pause for _, state in self._desk.client.states.among(ranks)}

        def new_id() -> str:
            known.add(pause := _new_id())
            return pause

        machine = SyncPause(ranks, new_id)
        try:
            self._drive(machine, expression, started + limit, known)
        except KeyboardInterrupt:
            self._carry_out(machine, machine.fail(), expression, limit)
            raise
        finally:
            self._desk.progress(None)
        if machine.stop is None:
            raise self._not_stopped(machine, expression, limit, is_late=time.monotonic() >= started + limit)
        self._desk.sync_expression = expression
        text = standing_text(Standing.synchronised(ranks, machine.stop, expression), time.monotonic() - started)
        self._desk.say(text)
        self._limits.name(ranks)
        return PauseOutcome(machine.pause, ranks, stop=machine.stop)

    def _drive(self, machine: SyncPause, expression: str, deadline: float, known: AbstractSet[str]) -> None:
        """Carry out what the machine says until it is done, fails, or the time is over.

        Ranks that come to stand in a pause that is not among the `known` ones have left ours: it fails at once.
        """
        command: Command | None = machine.begin_at_start() if self._desk.start.is_held else machine.begin()
        self._look_at = time.monotonic() + _LOOK_S
        self._shows_from = time.monotonic() + max(0.0, self._desk.config.progress_after)
        self._lagging = Lagging(self._desk)
        with Wake(self._desk) as wake:
            while not machine.is_over:
                left = deadline - time.monotonic()
                lost = self._gone(machine.ranks) + self._elsewhere(machine.ranks, known)
                if left <= 0 or lost:
                    command = machine.fail(lost or self._lagging.told(machine.reasons))
                if command is None and not machine.is_over:
                    command = self._look_again(machine, expression, wake)
                elif command is not None:
                    command = self._carry_out(machine, command, expression, max(left, 1.0))
                self._show_progress(machine, machine.missing, expression)
            if command is not None:
                self._carry_out(machine, command, expression, 1.0)

    def _gone(self, ranks: RankSet) -> list[tuple[RankSet, str]]:
        ranks -= self._desk.ranks_that(_may_stop)
        failed = ranks & self._desk.ranks_that(has_failed)
        return [(who, why) for who, why in ((ranks - failed, "it has ended"), (failed, "it has failed")) if who]

    def _elsewhere(self, ranks: RankSet, known: AbstractSet[str]) -> list[tuple[RankSet, str]]:
        """Return who stands in another pause than the known ones, and where."""
        found: dict[str, RankSet] = {}
        for who, state in self._desk.client.states.among(ranks):
            if state.is_alive and state.activity is Activity.PAUSED and state.pause not in known:
                place = f" at {text}" if (text := place_text(state)) else ""
                is_asked_for = state.reason in _ASKED_FOR
                why = f"in another client's pause{place}" if is_asked_for else f"paused{place} ({clean(state.reason)})"
                found[why] = found.get(why, EMPTY) | who
        return [(who, why) for why, who in found.items()]

    def _not_stopped(self, machine: SyncPause, expression: str, limit: float, *, is_late: bool) -> PxshellError:
        """Return the error of a synchronised pause that failed, which says whether the program runs on."""
        if not is_late:
            # What took the place of our pause is about to be told.
            self._wait_states(lambda: machine.ranks <= self._standing(machine.ranks), _SETTLES_S)
        told = "; ".join(f"{ranks}: {why}" for ranks, why in machine.missing if ranks)
        standing = self._standing(machine.ranks)
        there = Standing(paused=tuple(self._desk.client.states.among(standing))).places()
        places = [f"{who} at {place}" if place else str(who) for place, who in there.items()]
        told += f"; paused now: {', '.join(places)}" if standing else "; the program runs on"
        if is_late:
            return DeadlineError(f"pause --sync {expression}", limit, f"{told}.  See: %pxdebug stacks")
        return UsageError(f"not paused: {expression} on {told}")

    def _look_again(self, machine: SyncPause, expression: str, wake: Wake) -> Command | None:
        wake.wait(_AGAIN_S)
        if machine.phase is Phase.PROBING:
            return machine.begin()
        command = machine.stopped(machine.pause, self._stops(machine.pause))
        if command is None and machine.awaits_first and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_S
            return machine.looked(self._probe(machine.ranks, expression, _LOOK_S))
        return command

    def _stops(self, pause: str) -> list[tuple[RankSet, Stop]]:
        return [
            (ranks, Stop(state.file, state.line, state.function, state.value))
            for ranks, state in self._desk.client.states.groups()
            if state.activity in (Activity.PAUSED, Activity.DEBUGGING) and state.pause == pause
        ]

    def _carry_out(self, machine: SyncPause, command: Command | None, expression: str, limit: float) -> Command | None:
        """Send a command, wait for its answers, and return the machine's next command."""
        limit = min(limit, self._desk.config.control_deadline)
        match command:
            case Probe():
                return machine.probed(self._probe(command.ranks, expression, limit))
            case Arm():
                outcomes, is_late = self._arm(machine, command, expression, limit)
                self._desk.start.let_go()
                return machine.armed(outcomes, is_late=is_late)
            case Cancel():
                request = self._desk.control("px_resume_request", {"pause": command.pause}, command.ranks, limit)
                if machine.phase is not Phase.FAILED:
                    return machine.cancelled()
                let_go = union(who for who, one in request.replies() if one.get("outcome") == "resumed")
                self._wait_states(lambda: not (self._paused_by(command.pause) & let_go), limit)
                return None
            case None:
                return None

    def _probe(self, ranks: RankSet, expression: str, limit: float) -> list[Probed]:
        request = self._desk.control("px_probe_request", {"expression": expression}, ranks, limit)
        return [_probed(who, content) for who, content in request.replies()]

    def _arm(
        self, machine: SyncPause, command: Arm, expression: str, limit: float
    ) -> tuple[list[tuple[RankSet, str, str]], bool]:
        """Arm; return what ranks answered, and whether some stood at the target before all had answered."""
        content = {"pause": command.pause, "mode": "sync", "expression": expression, "target": command.target}
        content |= {"file": command.file, "function": command.function}
        request = self._desk.client.request("px_pause_request", content, command.ranks)
        end = time.monotonic() + limit
        is_late = False
        while not request.wait(_AGAIN_S) and time.monotonic() < end:
            if self._stops(command.pause):
                # Those that can still answer do so now, or wait for the ones that stand.
                is_late = not request.wait(_LAST_ANSWERS_S)
                break
            self._show_progress(machine, [(request.account.pending, SILENT)], expression)
        check_allowed(request)
        outcomes = [(who, str(one.get("outcome")), str(one.get("why") or "")) for who, one in request.replies()]
        return outcomes, is_late

    def _show_progress(self, machine: SyncPause, missing: Reasons, expression: str) -> None:
        waiting = union(ranks for ranks, _ in missing)
        if waiting and time.monotonic() >= self._shows_from:
            told = self._lagging.look(missing)
            where = told[0][1] if len(told) == 1 else "; ".join(f"{ranks}: {why}" for ranks, why in told)
            lasting = f"pause --sync {expression} waits for {waiting}: {missing[0][1]}"
            why = where if where.startswith(f"{expression} ") else f"{expression}: {where}"
            self._desk.progress(Progress(machine.ranks - waiting, waiting, f"({why})", lasting=lasting))

    # Resume.

    def resume(self, ranks: RankSet | None) -> RankSet:
        """Let ranks go on; see `Session.resume`."""
        failed = self._desk.ranks_that(has_failed)
        wanted = self._desk.client.ranks if ranks is None else ranks
        pauses = self._pauses(wanted if ranks is not None else wanted - failed) or self._pauses(wanted)
        if not pauses:
            raise UsageError(f"no rank{'' if ranks is None else f' of {ranks}'} is paused")
        resumed = EMPTY
        for pause, held in pauses.items():
            resumed |= self._resume(pause, held)
        if resumed:
            self._desk.say(f"{resumed} resumed", ranks=resumed)
        if kept := failed - union(pauses.values()):
            # With its exception a job may end: not by a word that was meant for the others.
            has = "has failed, and stays" if len(kept) == 1 else "have failed, and stay"
            self._desk.say(f"{kept} {has}.  Let the exception go on: %pxsignal resume -t {kept}", ranks=kept)
        return resumed

    def _pauses(self, ranks: RankSet) -> dict[str, RankSet]:
        pauses: dict[str, RankSet] = {}
        for who, state in self._desk.client.states.among(ranks):
            is_stepping = state.activity is Activity.BUSY and bool(state.pause)
            if state.is_alive and (_stands(state) or is_stepping):
                pauses[state.pause] = pauses.get(state.pause, EMPTY) | who
        return pauses

    def _resume(self, pause: str, ranks: RankSet) -> RankSet:
        limit = self._desk.config.control_deadline
        failed = self._desk.ranks_that(has_failed)
        request = self._desk.control("px_resume_request", {"pause": pause}, ranks, limit)
        resumed = EMPTY
        for who, content in request.replies():
            if content.get("outcome") == "resumed":
                resumed |= who
            else:
                outcome = str(content.get("outcome"))
                why = _NOT_RESUMED.get(outcome, clean(outcome))
                self._desk.say(f"{who} not resumed: {why}", "warning", who)
        for who, why in (*request.account.missing, *_late(request.account.pending, limit)):
            # A failed rank that went on may have ended before it could say so.
            resumed |= who & failed
            if left := who - failed:
                self._desk.say(f"{left} not resumed: {why}", "warning", left)
        self._wait_states(lambda: not (self._paused_by(pause) & resumed), limit)
        return resumed

    def _paused_by(self, pause: str) -> RankSet:
        return self._desk.ranks_that(lambda state: state.is_alive and _stands(state) and state.pause == pause)

    def _wait_states(self, holds: Callable[[], bool], limit: float) -> None:
        """Wait until the states, which come beside the replies, say it too."""
        deadline = time.monotonic() + limit
        with Wake(self._desk) as wake:
            while not holds() and (left := deadline - time.monotonic()) > 0:
                wake.wait(min(left, _AGAIN_S))


def _new_id() -> str:
    return uuid.uuid4().hex[:12]


def _stands(state: RankState) -> bool:
    return state.is_stopped or state.activity is Activity.FAILED


def _may_stop(state: RankState) -> bool:
    return state.is_alive and state.activity in _STOPPABLE


def _is_other(content: Mapping[str, Any]) -> bool:
    return content.get("outcome") not in {"paused", "held", "pending"}


def _probed(ranks: RankSet, content: Mapping[str, Any]) -> Probed:
    if content.get("status") != "ok":
        why = clean(str(content.get("why") or "it has no value"))
        return Probed(ranks, why=why, is_hopeless=bool(content.get("hopeless")))
    others = tuple((str(file), str(function), value) for file, _, function, value in content.get("others") or ())
    file, function = str(content.get("file", "")), str(content.get("function", ""))
    return Probed(ranks, content.get("value"), file, function, others=others)


def _late(pending: RankSet, limit: float) -> list[tuple[RankSet, str]]:
    return [(pending, f"no answer within {limit:g} s")] if pending else []
