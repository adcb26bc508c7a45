"""Where ranks are that run on although nobody waits for them, and what helps."""

from __future__ import annotations

import os
import re

from pxshell.protocol.stacks import Frame
from pxshell.protocol.stacktree import Stack
from pxshell.ranks import EMPTY, RankSet
from pxshell.session.desk import Desk
from pxshell.session.stacktrees import tree_of_request

__all__ = ["innermost", "ways_out", "whereabouts", "written_place"]

#: Seconds that ranks may take to say where they are; for one that holds the GIL its node says it after a second.
_LIMIT_S = 2.0
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


def innermost(stack: Stack) -> Frame | None:
    """Return the innermost user frame of a stack."""
    return next((frame for frame in reversed(stack.frames) if frame.is_user), None)


def whereabouts(desk: Desk, ranks: RankSet, cell: int, code: str) -> str:
    """Ask ranks where they are, and write it behind `0-3 run on`: ` at cell 3, line 1: f()`, `, 0-2 at …; 3 at …`.

    Args:
        desk: Of the session.
        ranks: Who runs on.
        cell: Number of the cell that they run.
        code: That cell, for the line of source.
    """
    request = desk.control("px_stacks_request", {"full": False}, ranks, _LIMIT_S)
    tree = tree_of_request(request, _LIMIT_S)
    places: dict[str, RankSet] = {}
    for stack in tree.stacks():
        if (found := innermost(stack)) is not None:
            place = written_place(found.file, found.line, found.function) + _source(found, cell, code)
            places[place] = places.get(place, EMPTY) | stack.ranks
    told = [f"{who} at {place}" for place, who in places.items()]
    told += [f"{who}: {why}" for who, why in tree.failed]
    if list(places.values()) == [ranks]:
        return f" at {next(iter(places))}"
    return f", {'; '.join(told)}" if told else ""


def _source(frame: Frame, cell: int, code: str) -> str:
    lines = code.splitlines()
    if frame.file != f"<px cell {cell}>" or not 0 < frame.line <= len(lines):
        return ""
    source = lines[frame.line - 1].strip()
    return f": {source[: _LONGEST - 1]}…" if len(source) > _LONGEST else f": {source}"


def ways_out(desk: Desk, ranks: RankSet) -> str:
    """Write what frees ranks that wait in C, where an interrupt does not reach them."""
    others = desk.client.states.where("idle") - ranks
    mpi = desk.client.snapshot.mpi
    if not mpi:
        return f"End them: %pxsignal KILL -t {ranks}   Start anew: %pxrestart"
    peers = f"let {others} do what they wait for: %px -t {others} CODE   " if others else ""
    return f"Ctrl-C does not end a call of MPI; {peers}Start all anew: %pxrestart"
