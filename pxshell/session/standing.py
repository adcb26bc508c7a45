"""The lines that say where paused ranks stand, and teach the synchronised pause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pxshell.protocol.state import Activity, RankState
from pxshell.ranks import EMPTY, RankSet
from pxshell.session.sync import Stop
from pxshell.session.waiting import place_text

__all__ = ["Standing", "standing_text"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Who is paused, held, or neither and why.

    Attributes:
        paused: Ranks with their state.
        held: Ranks that wait in C.
        others: Ranks that did not stop, and why.
        values: The step on paused ranks, where it is known.
        expression: What counts the steps; "EXPR" while nobody has said.
        has_mpi: Held ranks wait in MPI, most likely.
        is_synchronised: All stand at one place of one step.
    """

    paused: tuple[tuple[RankSet, RankState], ...] = ()
    held: RankSet = EMPTY
    others: tuple[tuple[RankSet, str], ...] = ()
    values: Mapping[RankSet, object] = field(default_factory=dict)
    expression: str = "EXPR"
    has_mpi: bool = False
    is_synchronised: bool = False

    @classmethod
    def synchronised(cls, ranks: RankSet, stop: Stop, expression: str) -> Standing:
        """Return the standing after a synchronised pause."""
        state = RankState(Activity.PAUSED, file=stop.file, line=stop.line, function=stop.function)
        values = {ranks: stop.value}
        return cls(((ranks, state),), values=values, expression=expression, is_synchronised=True)

    @property
    def all_paused(self) -> RankSet:
        """All paused ranks."""
        ranks = EMPTY
        for some, _ in self.paused:
            ranks |= some
        return ranks

    def places(self) -> dict[str, RankSet]:
        """Return the ranks paused at each place, `sim.py:87 in main`."""
        places: dict[str, RankSet] = {}
        for ranks, state in self.paused:
            place = place_text(state)
            places[place] = places.get(place, EMPTY) | ranks
        return places


def standing_text(standing: Standing, seconds: float) -> str:
    """Write the line after a pause."""
    if standing.is_synchronised:
        value = next(iter(standing.values.values()))
        return f"{_at_one_place(standing)}, {standing.expression} = {value} on all ({seconds:.1f} s)"
    if len(standing.places()) == 1 and not standing.held and not standing.others:
        if len(standing.all_paused) == 1:
            return f"{_at_one_place(standing)} ({seconds:.1f} s)"
        steps = _steps(standing, standing.all_paused)
        return f"{_at_one_place(standing)} ({steps}{'; ' if steps else ''}{seconds:.1f} s){_teaching(standing)}"
    return f"{_by_place(standing)}{_teaching(standing)}"


def _at_one_place(standing: Standing) -> str:
    place = next(iter(standing.places()))
    return f"{standing.all_paused} paused at {place}" if place else f"{standing.all_paused} paused"


def _by_place(standing: Standing) -> str:
    parts = []
    for place, ranks in standing.places().items():
        at = f" at {place.partition(' in ')[0]}" if place else ""
        steps = _steps(standing, ranks)
        parts.append(f"{ranks} paused{at}{f' ({steps})' if steps else ''}")
    if standing.held:
        parts.append(f"{standing.held} held in {'MPI' if standing.has_mpi else 'C'}")
    parts += [f"{ranks}: {why}" for ranks, why in standing.others]
    return ", ".join(parts)


def _steps(standing: Standing, ranks: RankSet) -> str:
    """Write the steps that these ranks are at: `step 41, 42`; "" when nobody knows."""
    known = [value for some, value in standing.values.items() if some & ranks]
    if not known:
        return ""
    steps = ", ".join(str(value) for value in sorted(set(known), key=_as_number))
    return f"{standing.expression} {steps}"


def _as_number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _teaching(standing: Standing) -> str:
    return f". Same step on all: %pxsignal pause --sync {standing.expression}"
