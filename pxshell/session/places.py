"""Where a cell runs on each rank, by the rank's known state; or why it runs nowhere, in one line."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pxshell.protocol.state import WORLD, Activity, Liveness, RankState, StateTable
from pxshell.protocol.types import RUN
from pxshell.ranks import EMPTY, RankSet
from pxshell.session.desk import is_running_script
from pxshell.session.syntax import is_single_expression

__all__ = ["Placement", "Words", "exit_text", "place_cell"]

_LONGEST_HINT = 60


@dataclass(frozen=True, slots=True)
class Words:
    """What refusals name: the script, the expression of the last synchronised pause, and what looks without a pause."""

    script: str = "a script"
    sync: str = "EXPR"
    look: str = "%px --peek"


@dataclass(frozen=True, slots=True)
class Placement:
    """Places with their ranks, as `execute_request` has them; or `why` the cell runs on none, because of `ranks`."""

    places: tuple[tuple[str, RankSet], ...] = ()
    why: str = ""
    ranks: RankSet = EMPTY

    @property
    def is_aside(self) -> bool:
        """Whether side threads run it, on some ranks at least."""
        return any(place == "peek" for place, _ in self.places)

    def to_content(self) -> list[list[str]]:
        """Return the content of the field `places`."""
        return [[place, str(ranks)] for place, ranks in self.places]


def place_cell(
    code: str, targets: RankSet, states: StateTable, words: Words, *, peek: bool = False, queue: bool = False
) -> Placement:
    """Place a cell. It runs on all its targets or on none, so that ranks never diverge by accident."""
    groups = list(states.among(targets))
    gone = _ranks_that(groups, _is_gone)
    if gone:
        return Placement(why=_gone_text(gone, groups, states), ranks=gone)
    if peek:
        return _peek(code, targets)
    return (
        _held(code, groups, words)
        or _debugged(code, groups, words, queue=queue)
        or _running(code, groups, words, queue=queue)
        or _placed(groups)
    )


def _placed(groups: Iterable[tuple[RankSet, RankState]]) -> Placement:
    places: dict[str, RankSet] = {}
    for ranks, state in groups:
        name = _place_of(state)
        places[name] = places.get(name, EMPTY) | ranks
    return Placement(tuple(places.items()))


def _place_of(state: RankState) -> str:
    if state.activity is Activity.HELD:
        return "peek"
    return f"frame:{state.pause}" if state.pause and state.activity in _STOPPED else "idle"


_STOPPED = (Activity.PAUSED, Activity.FAILED, Activity.DEBUGGING)


def _peek(code: str, targets: RankSet) -> Placement:
    if is_single_expression(code):
        return Placement((("peek", targets),))
    return Placement(why="--peek takes one expression, which changes nothing", ranks=targets)


def _held(code: str, groups: list[tuple[RankSet, RankState]], words: Words) -> Placement | None:
    held = _ranks_that(groups, lambda state: state.activity is Activity.HELD)
    if not held or is_single_expression(code):
        return None
    why = (
        f"{_are(held)} held in C, where only one expression can be looked at.  "
        f"Without: -t all!@held   Same step on all: %pxsignal pause --sync {words.sync}"
    )
    return Placement(why=why, ranks=held)


def _running(code: str, groups: list[tuple[RankSet, RankState]], words: Words, *, queue: bool) -> Placement | None:
    running = _ranks_that(groups, is_running_script)
    if not running or queue:
        return None
    why = (
        f"{_are(running)} running {words.script}.  "
        f"Pause: %pxsignal pause --sync {words.sync}   Only look: {words.look} {_shown(code)}"
    )
    return Placement(why=why, ranks=running)


def _debugged(code: str, groups: list[tuple[RankSet, RankState]], words: Words, *, queue: bool) -> Placement | None:
    """Refuse a cell for ranks that an editor holds and lets run; where it has stopped them, cells run in that frame."""
    running = _ranks_that(groups, _runs_under_debugger)
    if not running or queue:
        return None
    who = next(state.why for ranks, state in groups if ranks & running)
    why = (
        f"{_are(running)} running, {who or 'debugged by an editor'}.  "
        f"Pause there or here: %pxsignal pause   Only look: {words.look} {_shown(code)}"
    )
    return Placement(why=why, ranks=running)


def _runs_under_debugger(state: RankState) -> bool:
    return state.activity is Activity.DEBUGGING and state.cell == RUN and not state.is_stopped


def _shown(code: str) -> str:
    """Return an expression for a hint: what the user has written, where it is one."""
    shown = code.strip()
    return shown if is_single_expression(shown) and len(shown) <= _LONGEST_HINT and "\n" not in shown else "EXPR"


def _gone_text(gone: RankSet, groups: list[tuple[RankSet, RankState]], states: StateTable) -> str:
    told = [f"{ranks & gone} {_end_text(state)}" for ranks, state in groups if ranks & gone]
    others = f"On the others: %pxfocus -{gone}   " if states.alive() - gone else ""
    return f"{'; '.join(told)}.  {others}Start all anew: %pxrestart"


def _end_text(state: RankState) -> str:
    if state.liveness is Liveness.LOST:
        return f"lost: {state.why}" if state.why else "lost"
    verb = "ended" if state.activity is Activity.ENDED else "died"
    return f"{verb}: {exit_text(state)}"


def exit_text(state: RankState) -> str:
    """Write how a process ended: `exit 1`, `signal 9 (KILL)`, or what else is known."""
    if state.reason == WORLD:
        return state.why
    if state.exit is None:
        return state.why or "gone, status unknown"
    return f"exit {state.exit}" if state.exit >= 0 else _signal_text(-state.exit)


def _signal_text(number: int) -> str:
    try:
        name = signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return f"signal {number}"
    return f"signal {number} ({name})"


def _is_gone(state: RankState) -> bool:
    return not state.is_alive


def _ranks_that(groups: Iterable[tuple[RankSet, RankState]], holds: Callable[[RankState], bool]) -> RankSet:
    found = EMPTY
    for ranks, state in groups:
        if holds(state):
            found |= ranks
    return found


def _are(ranks: RankSet) -> str:
    return f"{ranks} is" if len(ranks) == 1 else f"{ranks} are"
