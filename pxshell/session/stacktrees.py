"""Trees of stacks as a session takes them from replies: merged, cleaned, with a reason for each silent rank."""

from __future__ import annotations

from dataclasses import replace

from pxshell.protocol.stacks import Frame
from pxshell.protocol.stacktree import StackTree, tree_of
from pxshell.render.events import Stacks
from pxshell.render.odd_stacks import odd_ranks
from pxshell.session.answers import clean
from pxshell.session.ports import RequestPort

__all__ = ["drawn", "tree_of_request"]


def tree_of_request(request: RequestPort, deadline: float) -> StackTree:
    """Merge what has come for a `px_stacks_request`; who has not answered is told with the reason (P3)."""
    replies = [(one.ranks, one.data()) for one in list(request.messages) if one.type == "px_stacks_reply"]
    tree = tree_of(replies)
    missing = list(request.account.missing)
    if pending := request.account.pending:
        missing.append((pending, f"no answer within {deadline:g} s"))
    return _cleaned(StackTree.of(tree.stacks(), [*tree.failed, *missing]))


def drawn(tree: StackTree) -> Stacks:
    """Return the event of a tree where nobody can name its branches."""
    tree = _cleaned(tree)
    return Stacks(tree, odd=odd_ranks(tree))


def _cleaned(tree: StackTree) -> StackTree:
    """Return the tree without control characters: what ranks say cannot steer a terminal."""
    stacks = (replace(stack, frames=tuple(map(_clean, stack.frames))) for stack in tree.stacks())
    return StackTree.of(stacks, ((ranks, clean(why)) for ranks, why in tree.failed))


def _clean(frame: Frame) -> Frame:
    return frame._replace(file=clean(frame.file), function=clean(frame.function))
