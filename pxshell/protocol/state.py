"""The table of a rank's state: activity, which its engine changes, and liveness, which observers know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Self

from pxshell.protocol.types import RUN
from pxshell.ranks import EMPTY, RankSet, union

__all__ = [
    "TRANSITIONS",
    "EDITOR_BREAKPOINT",
    "RESTART",
    "WORLD",
    "Activity",
    "ActivityEvent",
    "IllegalTransitionError",
    "Liveness",
    "RankState",
    "StateTable",
    "transition",
]

#: The reason of a dead rank that was ended because another one had died: its place is where it stood then.
WORLD = "world"
#: Reason of a rank that stands at a breakpoint of its editor.
EDITOR_BREAKPOINT = "breakpoint of the editor"
#: Reason of a rank that was ended to be started anew.
RESTART = "restart"


class Activity(StrEnum):
    """What the main thread of a rank does."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    PAUSED = "paused"
    #: Asked to pause, but waiting in C: it stands where it is, and its pending pause falls with the resume.
    HELD = "held"
    #: An exception has ended its code, and its frames are kept; with the resume the exception goes on.
    FAILED = "failed"
    DEBUGGING = "debugging"
    ENDED = "ended"


class Liveness(StrEnum):
    """Whether the process is there and answers."""

    OK = "ok"
    UNRESPONSIVE = "unresponsive"
    LOST = "lost"
    DEAD = "dead"


class ActivityEvent(StrEnum):
    """What changes the activity."""

    READY = "ready"
    BEGIN = "begin"
    END = "end"
    PAUSE = "pause"
    HOLD = "hold"
    RESUME = "resume"
    FAIL = "fail"
    ATTACH = "attach"
    SELECT = "select"
    EXIT = "exit"


class IllegalTransitionError(Exception):
    """An event that the present activity does not allow; nothing was changed."""

    def __init__(self, activity: Activity, event: ActivityEvent) -> None:
        self.activity = activity
        self.event = event
        super().__init__(f"a rank that is {activity} cannot {event}")


_A, _E = Activity, ActivityEvent

TRANSITIONS: dict[tuple[Activity, ActivityEvent], Activity] = {
    (_A.STARTING, _E.READY): _A.IDLE,
    (_A.STARTING, _E.BEGIN): _A.BUSY,
    (_A.IDLE, _E.BEGIN): _A.BUSY,
    (_A.BUSY, _E.END): _A.IDLE,
    (_A.BUSY, _E.PAUSE): _A.PAUSED,
    (_A.BUSY, _E.HOLD): _A.HELD,
    (_A.BUSY, _E.FAIL): _A.FAILED,
    (_A.BUSY, _E.RESUME): _A.BUSY,
    (_A.PAUSED, _E.RESUME): _A.BUSY,
    (_A.PAUSED, _E.SELECT): _A.PAUSED,
    (_A.FAILED, _E.SELECT): _A.FAILED,
    (_A.HELD, _E.PAUSE): _A.PAUSED,
    (_A.HELD, _E.RESUME): _A.BUSY,
    (_A.HELD, _E.END): _A.IDLE,
    (_A.HELD, _E.FAIL): _A.FAILED,
    (_A.FAILED, _E.RESUME): _A.BUSY,
    (_A.IDLE, _E.ATTACH): _A.DEBUGGING,
    (_A.BUSY, _E.ATTACH): _A.DEBUGGING,
    (_A.PAUSED, _E.ATTACH): _A.DEBUGGING,
    (_A.FAILED, _E.ATTACH): _A.DEBUGGING,
    (_A.DEBUGGING, _E.END): _A.IDLE,
    (_A.DEBUGGING, _E.RESUME): _A.BUSY,
    (_A.DEBUGGING, _E.PAUSE): _A.PAUSED,
    (_A.DEBUGGING, _E.FAIL): _A.FAILED,
    **{(activity, _E.EXIT): _A.ENDED for activity in Activity if activity is not _A.ENDED},
}


def transition(activity: Activity, event: ActivityEvent) -> Activity:
    """Return the activity after an event.

    Raises:
        IllegalTransitionError: the table has no such row.
    """
    try:
        return TRANSITIONS[activity, event]
    except KeyError:
        raise IllegalTransitionError(activity, event) from None


@dataclass(frozen=True, slots=True)
class RankState:
    """What is known of a rank: the content of `px_state`, and its liveness.

    Ranks with equal states are one group; the counter, which differs without meaning, does not count.
    """

    activity: Activity = Activity.STARTING
    liveness: Liveness = Liveness.OK
    #: Request id of the cell in flight, "run" for the script, or "".
    cell: str = ""
    #: Id of the pause that holds it; of a busy rank: that the step leads to which it is in; or "".
    pause: str = ""
    #: Place of a paused, held or failed rank, or of one that ended with its world.
    file: str = ""
    line: int = 0
    function: str = ""
    #: Value of the expression that a synchronised pause waited for.
    value: int | float | None = None
    #: How many frames above that place cells run: `up` was said.
    depth: int = 0
    #: Why it is paused: "request", "sync", "step", "breakpoint", "breakpoint 2", "watch 3: x > 1";
    #: of a failed rank "exception"; see also `WORLD` and `RESTART`.
    reason: str = ""
    #: Exit status of an ended or dead process, or the negative number of the signal; None while unknown.
    exit: int | None = None
    #: One line for people, where something is to say.
    why: str = ""
    #: Changes of activity in this epoch.
    counter: int = field(default=0, compare=False)

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> Self:
        """Read a `px_state` content; unknown fields are ignored.

        Raises:
            ValueError: an activity or liveness that does not exist.
        """
        known = {name: content[name] for name in _FIELDS if name in content}
        known["activity"] = Activity(known.get("activity", Activity.STARTING))
        known["liveness"] = Liveness(known.get("liveness", Liveness.OK))
        return cls(**known)

    def to_content(self) -> dict[str, Any]:
        """Return the `px_state` content."""
        content: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        return content | {"activity": str(self.activity), "liveness": str(self.liveness)}

    @property
    def word(self) -> str:
        """What the rank does, in a word: `running` its script, else its activity; its liveness if that is not good."""
        if self.liveness is not Liveness.OK and self.activity is not Activity.ENDED:
            return str(self.liveness)
        return "running" if self.activity is Activity.BUSY and self.cell == RUN else str(self.activity)

    @property
    def is_stopped(self) -> bool:
        """Whether a pause holds it, in Python or in C; an editor's stop is a pause too."""
        return bool(self.pause) and self.activity in _STOPPED

    @property
    def is_alive(self) -> bool:
        """Whether the process may still answer."""
        return self.liveness in (Liveness.OK, Liveness.UNRESPONSIVE) and self.activity is not Activity.ENDED


_STOPPED = (Activity.PAUSED, Activity.HELD, Activity.DEBUGGING)
_FIELDS = tuple(item.name for item in fields(RankState))


class StateTable:
    """The states of all ranks, as an immutable value: one group for each different state."""

    __slots__ = ("_groups",)

    def __init__(self, groups: Mapping[RankState, RankSet] | None = None) -> None:
        self._groups = {state: ranks for state, ranks in (groups or {}).items() if ranks}

    @property
    def ranks(self) -> RankSet:
        """All ranks of the table."""
        return union(self._groups.values())

    def updated(self, ranks: RankSet, state: RankState) -> StateTable:
        """Return the table in which these ranks have this state."""
        if not ranks:
            return self
        groups = {old: rest for old, held in self._groups.items() if (rest := held - ranks)}
        groups[state] = groups.get(state, EMPTY) | ranks
        return StateTable(groups)

    def of(self, rank: int) -> RankState | None:
        """Return the state of a rank; None when it is not in the table."""
        return next((state for state, ranks in self._groups.items() if rank in ranks), None)

    def where(self, name: str) -> RankSet:
        """Return the ranks whose activity (if alive) or liveness has this name."""
        return union(ranks for state, ranks in self._groups.items() if _is(state, name))

    def alive(self) -> RankSet:
        """Return the ranks that may still answer."""
        return union(ranks for state, ranks in self._groups.items() if state.is_alive)

    def groups(self) -> list[tuple[RankSet, RankState]]:
        """Return ranks and state of each group, ordered by first rank."""
        return sorted(((ranks, state) for state, ranks in self._groups.items()), key=lambda group: group[0].first)

    def among(self, ranks: RankSet) -> Iterator[tuple[RankSet, RankState]]:
        """Yield the groups that these ranks fall into."""
        for held, state in self.groups():
            if part := held & ranks:
                yield part, state

    def __len__(self) -> int:
        return len(self.ranks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StateTable) and self._groups == other._groups

    def __hash__(self) -> int:
        return hash(frozenset(self._groups.items()))


def _is(state: RankState, name: str) -> bool:
    if name in Liveness.__members__.values():
        return state.liveness == name
    return state.activity == name and (state.is_alive or name == Activity.ENDED)
