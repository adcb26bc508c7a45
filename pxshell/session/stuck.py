"""Words about ranks that wait: where each of them stands, and what would complete a collective that others missed."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pxshell.protocol.stacks import Frame
from pxshell.protocol.stacktree import Stack, StackTree
from pxshell.ranks import EMPTY, RankSet
from pxshell.session.desk import Desk

__all__ = ["completing_text", "groups_text", "stack_text"]

_MAX_GROUPS = 4
_LONGEST_CODE = 60


def stack_text(stack: Stack) -> str:
    """Write where ranks stand, without them: `in Recv from 1, hang.py:20`."""
    end = stack.end
    doing = end.waiting or end.note
    frame = _shown(stack.frames)
    if frame is None:
        return doing
    place = f"{os.path.basename(frame.file)}:{frame.line}"  # noqa: PTH119 - a path of the rank's machine
    return f"{doing}, {place}" if doing else f"at {place}"


def _shown(frames: Iterable[Frame]) -> Frame | None:
    known = [frame for frame in frames if frame.file]
    user = [frame for frame in known if frame.is_user]
    shown = user or known
    return shown[-1] if shown else None


def groups_text(tree: StackTree) -> str:
    """Write where all ranks stand: `0-2 in Allreduce, hang.py:12; 3 in Recv from 1, hang.py:20`."""
    told: dict[str, RankSet] = {}
    for stack in tree.stacks():
        text = stack_text(stack)
        told[text] = told.get(text, EMPTY) | stack.ranks
    for ranks, why in tree.failed:
        told[why] = told.get(why, EMPTY) | ranks
    groups = sorted(told.items(), key=lambda group: (-len(group[1]), group[1].first))
    parts = [f"{ranks} {text}" for text, ranks in groups[:_MAX_GROUPS]]
    more = len(groups) - _MAX_GROUPS
    return "; ".join([*parts, *([f"{more} more places"] if more > 0 else [])])


def completing_text(desk: Desk, tree: StackTree, busy: RankSet) -> str:
    """Write which command completes a collective of the world that idle ranks have not come to; "" when none would.

    Args:
        desk: Knows who idles, and what the cells are.
        tree: Where the busy ranks stand.
        busy: All that are busy: as long as one of them is elsewhere, it is that one which is waited for.
    """
    stacks = list(tree.stacks())
    waiting = [one for one in stacks if one.end.is_collective and " on " not in f" {one.end.detail}"]
    at_it = EMPTY
    for one in waiting:
        at_it |= one.ranks
    # A state may be older than what the rank's stack says.
    idle = desk.client.states.where("idle") - at_it
    if not idle or not at_it or busy - at_it or len({one.end.call for one in waiting}) > 1:
        return ""
    wait, be = ("waits" if len(at_it) == 1 else "wait"), ("is" if len(idle) == 1 else "are")
    state = desk.client.states.of(at_it.first)
    code, targets = desk.cells.get(state.cell if state is not None else "", ("", EMPTY))
    where = ", idle outside the focus," if not idle & desk.focus.ranks else ", idle,"
    text = f"{at_it} {wait} in {waiting[0].end.call}, which {idle}{where} {be} not in"
    is_plain = code.strip() and "\n" not in code.strip() and len(code) <= _LONGEST_CODE
    # What those ranks have run already did not bring them there.
    if not is_plain or targets & idle:
        return f"{text}.  To complete it, make the same call there: %px -t {idle} ..."
    return f"{text}.  To complete it: %px -t {idle} {code.strip()}"
