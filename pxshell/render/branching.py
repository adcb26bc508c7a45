"""A stack tree as rows: which frames stand below each other, where it forks, and which branches are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pxshell.protocol.stacks import NO_END, Frame, StackEnd
from pxshell.protocol.stacktree import Node, StackTree, Stop
from pxshell.ranks import EMPTY, RankSet
from pxshell.render.grouping import MAX_GROUPS, SHOWN_GROUPS

__all__ = ["Block", "Branch", "Line", "Rest", "blocks_of", "branches_of", "majority_odd"]


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
    shown = branches if len(branches) <= MAX_GROUPS else branches[:SHOWN_GROUPS]
    hidden = EMPTY
    for branch in branches[len(shown) :]:
        hidden |= branch.ranks
    rest = Rest(len(branches) - len(shown), hidden) if hidden else None
    return Block(tuple(map(_branch, shown)), rest)


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


def majority_odd(tree: StackTree) -> RankSet:
    """Return the ranks outside the class of equal stacks that holds more than half; empty when there is none."""
    classes = [stack.ranks for stack in tree.stacks()]
    largest = max(classes, key=len, default=EMPTY)
    return tree.ranks - largest if 2 * len(largest) > len(tree.ranks) else EMPTY
