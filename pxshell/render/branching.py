"""A stack tree as rows: which frames stand below each other, where it forks, and which branches are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pxshell.protocol.stacks import NO_END, Frame, StackEnd
from pxshell.protocol.stacktree import Node, StackTree, Stop
from pxshell.ranks import EMPTY, RankSet
from pxshell.render.grouping import MAX_GROUPS, SHOWN_GROUPS
from pxshell.render.odd_stacks import without_peers

__all__ = ["Block", "Branch", "Line", "Rest", "blocks_of", "branches_of"]

_PEER = re.compile(r"\b\d+\b")


@dataclass(frozen=True, slots=True)
class Line:
    """A frame, or a rank's doing without one, and what is done there."""

    frame: Frame | None
    end: StackEnd = NO_END


@dataclass(frozen=True, slots=True)
class Branch:
    """Ranks that go the same way: their lines, and the fork after them.

    `is_leaf` tells that their stacks end here.
    """

    ranks: RankSet
    lines: tuple[Line, ...]
    fork: Block
    is_leaf: bool


@dataclass(frozen=True, slots=True)
class Rest:
    """Branches that are not shown."""

    count: int
    ranks: RankSet


@dataclass(frozen=True, slots=True)
class Block:
    """The branches of a fork, the largest first; one branch is no fork."""

    branches: tuple[Branch, ...] = ()
    rest: Rest | None = None


def blocks_of(tree: StackTree) -> Block:
    """Return the outermost fork of a tree."""
    return _block(tree.branches)


def _block(branches: Sequence[Node | Stop]) -> Block:
    if len(branches) > MAX_GROUPS:
        branches = _by_call(branches)
    shown = branches if len(branches) <= MAX_GROUPS else branches[:SHOWN_GROUPS]
    hidden = EMPTY
    for branch in branches[len(shown) :]:
        hidden |= branch.ranks
    rest = Rest(len(branches) - len(shown), hidden) if hidden else None
    return Block(tuple(map(_branch, shown)), rest)


def _by_call(branches: Sequence[Node | Stop]) -> list[Node | Stop]:
    """Make one of the ranks that wait at one place in one call, each for another rank, and say how many those are."""
    nodes: list[Node | Stop] = []
    stops: dict[StackEnd, list[Stop]] = {}
    for branch in branches:
        if isinstance(branch, Stop) and _PEER.search(branch.end.detail):
            stops.setdefault(without_peers(branch.end), []).append(branch)
        else:
            nodes.append(branch)
    for end, some in stops.items():
        ranks = EMPTY
        for stop in some:
            ranks |= stop.ranks
        detail = f"{end.detail}, {len(some)} different ones" if len(some) > 1 else some[0].end.detail
        nodes.append(Stop(ranks, replace(end, detail=detail)))
    return sorted(nodes, key=lambda branch: (-len(branch.ranks), branch.ranks.first))


def _branch(start: Node | Stop) -> Branch:
    lines: list[Line] = []
    at = start
    while isinstance(at, Node) and len(at.branches) == 1 and isinstance(at.branches[0], Node):
        lines.append(Line(at.frame))
        at = at.branches[0]
    if isinstance(at, Stop):
        return Branch(at.ranks, (Line(None, at.end),), Block(), is_leaf=True)
    if len(at.branches) == 1 and isinstance(stop := at.branches[0], Stop):
        return Branch(at.ranks, (*lines, Line(at.frame, stop.end)), Block(), is_leaf=True)
    return Branch(at.ranks, (*lines, Line(at.frame)), _block(at.branches), is_leaf=False)


def branches_of(tree: StackTree) -> list[RankSet]:
    """Return the ranks of all branches that stand at a fork, in the order in which they are drawn."""
    return list(_lettered(blocks_of(tree)))


def _lettered(block: Block) -> Iterator[RankSet]:
    for branch in block.branches:
        if len(block.branches) > 1:
            yield branch.ranks
        yield from _lettered(branch.fork)
