"""How all ranks stop at the same line of the same step: results of requests in, the next request out; no clock.

::

    PROBING --- every rank has a value ---> ARMING --- every rank is armed ---> STOPPING --- all at one place ---> DONE
       ^                                       |                                   |
       +------------- CANCELLING <--- a rank had passed the target already --------+

A program that has not begun yet has no value to ask for: it is armed for the first one, and begins then.

The ranks run on while they are asked. So the target lies a margin ahead of the highest value, and the margin grows each
time that a rank was faster.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from pxshell.ranks import EMPTY, RankSet, union

__all__ = ["ARRIVING", "SILENT", "Arm", "Cancel", "Command", "Phase", "Probe", "Probed", "Stop", "SyncPause"]

Value = int | float

#: Why a rank is waited for that says nothing: its main thread takes no notice while it is in C.
SILENT = "it does not answer"
#: Why one is that will stop.
ARRIVING = "it has not reached the step"
#: Why all are when the time is over before they were told where to stop.
NO_TARGET = "no step to stop at was set in time"

_FIRST_MARGIN = 2
#: So many looks find some ranks at the first value, or all with a value, before that is taken for no common place.
_LOOKS_AT_FIRST = 10


class Phase(StrEnum):
    """What the pause waits for."""

    PROBING = "probing"
    ARMING = "arming"
    STOPPING = "stopping"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask these ranks for the value of the expression."""

    ranks: RankSet


@dataclass(frozen=True, slots=True)
class Arm:
    """Let these ranks stop in this function as soon as the value reaches the target; paused ones go on until then.

    Without a target and a function: wherever there is a value first.
    """

    ranks: RankSet
    pause: str
    target: Value | None
    file: str
    function: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take the pause back; those that have stopped already go on."""

    ranks: RankSet
    pause: str


Command = Probe | Arm | Cancel


@dataclass(frozen=True, slots=True)
class Probed:
    """What ranks answered to a probe: a value and the frame that has it, or why there is none.

    `others` are further frames that have one, the better first: (file, function, value).
    """

    ranks: RankSet
    value: object = None
    file: str = ""
    function: str = ""
    why: str = ""
    others: tuple[tuple[str, str, object], ...] = ()
    #: No code of the program mentions a name of the expression: there will never be a value.
    is_hopeless: bool = False

    def values(self) -> dict[tuple[str, str], object]:
        """Return the value at each place, (file, function), the best place first."""
        values: dict[tuple[str, str], object] = {(self.file, self.function): self.value}
        for file, function, value in self.others:
            values.setdefault((file, function), value)
        return values


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a rank has stopped."""

    file: str
    line: int
    function: str
    value: Value | None = None


class IllegalEventError(Exception):
    """An event that the present phase does not allow; nothing was changed."""


_ALLOWED = {
    "begin": {Phase.PROBING},
    "probed": {Phase.PROBING},
    "armed": {Phase.ARMING},
    "cancelled": {Phase.CANCELLING},
}


@dataclass(slots=True)
class SyncPause:
    """One synchronised pause.

    Each method takes the result of the last command and returns the next; None when there is nothing to send: while
    PROBING, call `begin` again a little later; while STOPPING, tell `stopped` what stands.

    Args:
        ranks: All that shall stop.
        new_id: Gives a new pause id for each attempt.
    """

    ranks: RankSet
    new_id: Callable[[], str]
    phase: Phase = Phase.PROBING
    pause: str = ""
    #: Where all stand, once DONE.
    stop: Stop | None = None
    #: What is missing, for a failure: ranks and why.
    missing: list[tuple[RankSet, str]] = field(default_factory=list)
    #: Who was silent when the last attempt was given up.
    _silent: list[tuple[RankSet, str]] = field(default_factory=list)
    _margin: int = _FIRST_MARGIN
    _last_float: float | None = None
    _stopped: dict[Stop, RankSet] = field(default_factory=dict)
    _awaits_first: bool = False
    _looks: int = 0

    @property
    def is_over(self) -> bool:
        """Whether it is DONE or has FAILED."""
        return self.phase in {Phase.DONE, Phase.FAILED}

    @property
    def reasons(self) -> list[tuple[RankSet, str]]:
        """Who is missing and why, if it is given up now; between two attempts nobody is, and the last one tells."""
        return self.missing or self._silent or [(self.ranks, NO_TARGET)]

    @property
    def awaits_first(self) -> bool:
        """Whether the program runs to the first value there is: tell `looked` what a probe says meanwhile."""
        return self._awaits_first and self.phase is Phase.STOPPING

    def begin_at_start(self) -> Command:
        """Arm a program that has not begun; let it begin once `armed` has been told."""
        self._check("begin")
        self._awaits_first = True
        return self._arm(("", ""), None)

    def begin(self) -> Command:
        """Ask for the values."""
        self._check("begin")
        return Probe(self.ranks)

    def probed(self, answers: Iterable[Probed]) -> Command | None:
        """Take the values; arm all ranks when each has one."""
        self._check("probed")
        answers = list(answers)
        self.missing = [(one.ranks, one.why) for one in answers if one.value is None]
        hopeless = [(one.ranks, one.why) for one in answers if one.is_hopeless]
        if hopeless:
            return self.fail(hopeless)
        wrong = [one for one in answers if one.value is not None and not _is_number(one.value)]
        if wrong:
            self.missing = [(one.ranks, f"its value is {one.value!r}, no number that grows") for one in wrong]
            self.phase = Phase.FAILED
            return None
        known = _ranks_of(answers) - _ranks_of(one for one in answers if one.value is None)
        if not self.ranks <= known:
            self.missing = self.missing or [(self.ranks - known, SILENT)]
            return None
        place = _common_place(answers)
        values = [one.values().get(place, one.value) for one in answers]
        target = self._target([value for value in values if isinstance(value, int | float)])
        return None if target is None else self._arm(place, target)

    def _target(self, values: list[Value]) -> Value | None:
        """Return the value to stop at; None to look once more how fast a float grows."""
        highest = max(values)
        if all(isinstance(value, int) for value in values):
            return highest + self._margin
        last, self._last_float = self._last_float, float(highest)
        if last is None:
            return None
        growth = max(0.0, highest - last)
        # Nothing has grown between two looks: the very next value will do.
        return highest + growth * self._margin if growth else math.nextafter(highest, math.inf)

    def _arm(self, place: tuple[str, str], target: Value | None) -> Command:
        self.phase = Phase.ARMING
        self.pause = self.new_id()
        self._stopped = {}
        return Arm(self.ranks, self.pause, target, *place)

    def armed(self, outcomes: Iterable[tuple[RankSet, str, str]], *, is_late: bool = False) -> Command | None:
        """Take the outcome of arming for each rank: (ranks, outcome, why).

        Args:
            outcomes: What the ranks answered.
            is_late: Some rank stands at the target already. A rank that has not answered then waits in C for one that
                stands, and cannot be armed any more: the target was too near.
        """
        self._check("armed")
        outcomes = list(outcomes)
        bad = [(ranks, why or outcome) for ranks, outcome, why in outcomes if outcome in {"refused", "idle"}]
        if bad:
            return self.fail(bad)
        if any(outcome == "passed" for _, outcome, _ in outcomes):
            return self._again()
        silent = self.ranks - union(ranks for ranks, _, _ in outcomes)
        if silent:
            # In C, asleep perhaps: it may come back any time, and is armed then with the others.
            self.missing = self._silent = [(silent, SILENT)]
            return self._again(is_too_near=is_late)
        self.phase = Phase.STOPPING
        return self._checked_stop()

    def stopped(self, pause: str, stops: Iterable[tuple[RankSet, Stop]]) -> Command | None:
        """Take all stops of a pause that are known; those of another pause are old news."""
        if pause != self.pause or self.phase not in {Phase.ARMING, Phase.STOPPING}:
            return None
        # Ranks at one place may come in several parts: the editor's rank beside those that are paused.
        self._stopped = {}
        for ranks, stop in stops:
            if ranks & self.ranks:
                self._stopped[stop] = self._stopped.get(stop, EMPTY) | ranks & self.ranks
        return self._checked_stop() if self.phase is Phase.STOPPING else None

    def looked(self, answers: Iterable[Probed]) -> Command | None:
        """Take what a probe said while the program runs to the first value.

        Ranks that never come to it are waited for in vain: the value is nowhere that lines of user code assign it, or
        those that have it not wait for those that stand. The synchronised pause then goes on in the ordinary way.
        """
        answers = list(answers)
        hopeless = [(one.ranks, one.why) for one in answers if one.is_hopeless]
        if hopeless:
            return self.fail(hopeless)
        lacking = union(one.ranks for one in answers if one.value is None)
        self._looks += 1 if self._stopped or not lacking else 0
        if not self._stopped and lacking:
            self.missing = [(one.ranks, one.why) for one in answers if one.value is None]
        return self._again() if self._looks >= _LOOKS_AT_FIRST else None

    def _checked_stop(self) -> Command | None:
        standing = union(self._stopped.values())
        self.missing = [(self.ranks - standing, ARRIVING)] if self.ranks - standing else []
        if not self.ranks <= standing:
            return None
        if len(self._stopped) > 1:
            return self._again()
        self.stop = next(iter(self._stopped))
        self.phase = Phase.DONE
        return None

    def _again(self, *, is_too_near: bool = True) -> Command:
        """Cancel, to aim anew: further ahead if the target was too near."""
        if is_too_near and not self._awaits_first:
            self._margin *= 2
        self._awaits_first = False
        self._last_float = None
        self.phase = Phase.CANCELLING
        return Cancel(self.ranks, self.pause)

    def cancelled(self) -> Command:
        """Go on after a cancelled attempt."""
        self._check("cancelled")
        self.phase = Phase.PROBING
        self.pause = ""
        return self.begin()

    def fail(self, missing: Iterable[tuple[RankSet, str]] = ()) -> Command | None:
        """Give up; the command that lets the program run on, if any rank is armed."""
        self.missing = list(missing) or self.missing
        is_armed = bool(self.pause) and self.phase is not Phase.DONE
        self.phase = Phase.FAILED
        return Cancel(self.ranks, self.pause) if is_armed else None

    def _check(self, event: str) -> None:
        if self.phase not in _ALLOWED[event]:
            raise IllegalEventError(f"a pause that is {self.phase} takes no {event}")


def _common_place(answers: list[Probed]) -> tuple[str, str]:
    """Return the best place that all ranks have; else the one that most have."""
    places: Counter[tuple[str, str]] = Counter()
    for one in sorted(answers, key=lambda one: -len(one.ranks)):
        for place in one.values():
            places[place] += len(one.ranks)
    return max(places, key=lambda place: places[place])


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _ranks_of(answers: Iterable[Probed]) -> RankSet:
    return union(one.ranks for one in answers)
