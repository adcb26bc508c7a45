"""Where ranks are that run on although nobody waits for them, and what helps."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

from pxshell.ranks import EMPTY, RankSet
from pxshell.session.answers import clean
from pxshell.session.desk import Desk

__all__ = ["innermost", "ways_out", "whereabouts", "written_place"]

#: Seconds that ranks may take to say where they are; one that does not answer holds the GIL, or is stopped.
_LIMIT_S = 1.0
_CELL = re.compile(r"<px cell (\d+)>")
#: Characters of a line of source that are shown.
_LONGEST = 60


def written_place(file: str, line: int, function: str) -> str:
    """Write a place: `sim.py:87 in main`, `cell 3, line 1`."""
    inside = f" in {function}" if function and function != "<module>" else ""
    if found := _CELL.fullmatch(file):
        return f"cell {found[1]}, line {line}{inside}"
    name = os.path.basename(file)  # noqa: PTH119 - a path of the rank's machine
    return f"{name}:{line}{inside}"


def innermost(entries: Iterable[list[Any]]) -> tuple[str, int, str] | None:
    """Return file, line and function of the innermost user frame of a `px_stacks_reply`."""
    user = [entry for entry in entries if len(entry) == 4 and entry[3]]
    if not user:
        return None
    file, line, function, _ = user[-1]
    return str(file), int(line), str(function)


def whereabouts(desk: Desk, ranks: RankSet, cell: int, code: str) -> str:
    """Ask ranks where they are, and write it behind `0-3 run on`: ` at cell 3, line 1: f()`, `, 0-2 at …; 3 at …`.

    Args:
        desk: Of the session.
        ranks: Who runs on.
        cell: Number of the cell that they run.
        code: That cell, for the line of source.
    """
    request = desk.control("px_stacks_request", {"full": False}, ranks, _LIMIT_S)
    places: dict[str, RankSet] = {}
    for who, content in request.replies():
        if (found := innermost(content.get("entries", ()))) is not None:
            place = clean(written_place(*found)) + _source(found, cell, code)
            places[place] = places.get(place, EMPTY) | who
    told = [f"{who} at {place}" for place, who in places.items()]
    if silent := request.account.pending:
        told.append(f"{silent} {'does' if len(silent) == 1 else 'do'} not say where, for C code holds the GIL")
    if list(places.values()) == [ranks]:
        return f" at {next(iter(places))}"
    return f", {'; '.join(told)}" if told else ""


def _source(place: tuple[str, int, str], cell: int, code: str) -> str:
    lines = code.splitlines()
    file, line, _ = place
    if file != f"<px cell {cell}>" or not 0 < line <= len(lines):
        return ""
    source = lines[line - 1].strip()
    return f": {source[: _LONGEST - 1]}…" if len(source) > _LONGEST else f": {source}"


def ways_out(desk: Desk, ranks: RankSet) -> str:
    """Write what frees ranks that wait in C, where an interrupt does not reach them."""
    others = desk.client.states.where("idle") - ranks
    mpi = desk.client.snapshot.mpi
    if not mpi:
        return f"End them: %pxsignal KILL -t {ranks}   Start anew: %pxrestart"
    peers = f"let {others} do what they wait for: %px -t {others} CODE   " if others else ""
    return f"Ctrl-C does not end a call of MPI; {peers}Start all anew: %pxrestart"
