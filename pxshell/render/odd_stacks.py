"""Which ranks of a stack tree stand out: those that one would look at first.

Tools for parallel stacks put ranks into classes of equal stacks and leave it to the eye which class is the odd one
(STAT, https://github.com/LLNL/STAT, and gdb4hpc). Three rules stand for the eye here; the first that finds
somebody counts.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

from pxshell.protocol.stacks import StackEnd
from pxshell.protocol.stacktree import StackTree
from pxshell.ranks import EMPTY, RankSet, union

__all__ = ["odd_ranks", "without_peers"]

_PEER = re.compile(r"\b\d+\b")
#: A class is far smaller than another if that is so many times as large.
_FAR = 3
#: Those that stand out are at most one of so many.
_FEW = 4


def without_peers(end: StackEnd) -> StackEnd:
    """Return an end that does not say for which rank it waits."""
    return replace(end, detail=_PEER.sub("…", end.detail))


def odd_ranks(tree: StackTree) -> RankSet:
    """Return the ranks that stand out; empty when none do.

    1. A class of equal stacks holds more than half: all others. Where each waits for another rank, as in a ring, that
       difference is none.
    2. More than half wait in calls for others, at several places: those that do not wait.
    3. Few ranks are in classes that are far smaller than all other classes, or there is one rank alone and all others
       have company: those.
    """
    alike = tree.with_ends(without_peers)
    for some in (tree, alike):
        largest = max((stack.ranks for stack in some.stacks()), key=len, default=EMPTY)
        if 2 * len(largest) > len(tree.ranks):
            return tree.ranks - largest
    waiting = union(stack.ranks for stack in tree.stacks() if stack.end.call)
    if 2 * len(waiting) > len(tree.ranks) and tree.ranks - waiting:
        return tree.ranks - waiting
    return _small([stack.ranks for stack in alike.stacks()])


def _small(classes: list[RankSet]) -> RankSet:
    """Return the ranks of the classes that are far smaller than all others."""
    classes = sorted(classes, key=len)
    total, below = sum(map(len, classes)), EMPTY
    found = EMPTY
    for small, large in itertools.pairwise(classes):
        below |= small
        if _FEW * len(below) <= total and _FAR * len(small) <= len(large):
            found = below
    if not found and len(classes) > 1 and len(classes[0]) == 1 < len(classes[1]):
        return classes[0]
    return found
