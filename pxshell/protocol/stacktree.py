"""Stacks of many ranks as one tree, and the reducer that merges replies on their way up.

A rank is in the tree once. Merging does not depend on order or grouping: nodes merge what their ranks say, the
controller what the nodes say, and a client gets the tree that it would have made of the single answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from pxshell.protocol.stacks import NO_END, Frame, StackEnd
from pxshell.ranks import EMPTY, RankSet, union

__all__ = ["Node", "Stack", "StackTree", "Stop", "merged_content", "reply_of", "tree_of"]

_UNREADABLE = "its answer cannot be read"
_NOWHERE = Frame("", 0, "")


@dataclass(frozen=True, slots=True)
class Stop:
    """Ranks whose stacks end here, and what they do there."""

    ranks: RankSet
    end: StackEnd


@dataclass(frozen=True, slots=True)
class Node:
    """A frame that these ranks have in common, and what they do from there on: the most ranks first."""

    frame: Frame
    ranks: RankSet
    branches: tuple[Node | Stop, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """Ranks with equal stacks: frames from the outermost on."""

    ranks: RankSet
    frames: tuple[Frame, ...]
    end: StackEnd


@dataclass(frozen=True, slots=True)
class StackTree:
    """The tree.

    Attributes:
        branches: The outermost frames; ranks that stand nowhere, because they idle, end there at once.
        failed: Ranks that could not tell, each with the reason.
    """

    branches: tuple[Node | Stop, ...] = ()
    failed: tuple[tuple[RankSet, str], ...] = ()

    @classmethod
    def of(cls, stacks: Iterable[Stack], failed: Iterable[tuple[RankSet, str]] = ()) -> StackTree:
        """Merge stacks; of a rank that is in several the first counts."""
        root = _Growing(_NOWHERE)
        seen = EMPTY
        for stack in stacks:
            if ranks := stack.ranks - seen:
                seen |= ranks
                root.add(ranks, stack)
        reasons: dict[str, RankSet] = {}
        for ranks, why in failed:
            if left := ranks - seen:
                seen |= left
                reasons[why] = reasons.get(why, EMPTY) | left
        return cls(root.branches(), tuple(sorted(((r, w) for w, r in reasons.items()), key=lambda one: one[0].first)))

    @property
    def ranks(self) -> RankSet:
        """All ranks that have a stack."""
        return union(branch.ranks for branch in self.branches)

    def with_ends(self, change: Callable[[StackEnd], StackEnd]) -> StackTree:
        """Return the same tree with other ends; equal ones become one."""
        return StackTree.of((replace(stack, end=change(stack.end)) for stack in self.stacks()), self.failed)

    def stacks(self) -> Iterator[Stack]:
        """Yield the classes of equal stacks, branch by branch."""
        yield from _stacks_of(self.branches, ())


def _stacks_of(branches: Sequence[Node | Stop], frames: tuple[Frame, ...]) -> Iterator[Stack]:
    for branch in branches:
        if isinstance(branch, Stop):
            yield Stack(branch.ranks, frames, branch.end)
        else:
            yield from _stacks_of(branch.branches, (*frames, branch.frame))


@dataclass(slots=True)
class _Growing:
    """A node while stacks are added."""

    frame: Frame
    children: dict[tuple[str, int, str], _Growing] = field(default_factory=dict)
    ends: dict[StackEnd, RankSet] = field(default_factory=dict)

    def add(self, ranks: RankSet, stack: Stack) -> None:
        """Add a stack below this node."""
        node = self
        for frame in stack.frames:
            # From outside only the bare name of a function is known, from inside the qualified one.
            key = (frame.file, frame.line, frame.function.rpartition(".")[2])
            held = node.children.get(key)
            if held is None:
                held = node.children[key] = _Growing(frame)
            elif held.frame != frame:
                held.frame = _fuller(held.frame, frame)
            node = held
        node.ends[stack.end] = node.ends.get(stack.end, EMPTY) | ranks

    def branches(self) -> tuple[Node | Stop, ...]:
        """Freeze what is below this node."""
        frozen: list[Node | Stop] = [Stop(ranks, end) for end, ranks in self.ends.items()]
        for child in self.children.values():
            below = child.branches()
            frozen.append(Node(child.frame, union(branch.ranks for branch in below), below))
        frozen.sort(key=lambda branch: (-len(branch.ranks), branch.ranks.first))
        return tuple(frozen)


def _fuller(one: Frame, other: Frame) -> Frame:
    function = max(one.function, other.function, key=lambda name: (len(name), name))
    return one._replace(function=function, is_user=one.is_user or other.is_user)


# -- replies: what `px_stacks_reply` carries -------------------------------------------------------------------------

_Entry = tuple[str, int, str, bool]
_End = tuple[str, str, str, bool, str, bool, int]
#: Ranks, how many frames are those of the stack before, the other frames, the end.
_Class = tuple[bytes, int, list[_Entry], _End | None]
_Why = tuple[bytes, str]


class _Reply(msgspec.Struct):
    """The content of a reply: of one stack (`entries`, `end`), or of a tree (`stacks`, `failed`)."""

    status: str = "ok"
    entries: list[_Entry] = []
    end: _End | None = None
    stacks: list[_Class] | None = None
    failed: list[_Why] = []
    why: str = ""


def reply_of(frames: Iterable[Frame], end: StackEnd) -> dict[str, Any]:
    """Return the content with which one rank answers."""
    content: dict[str, Any] = {"status": "ok", "entries": [list(frame) for frame in frames]}
    if (packed := _packed(end)) is not None:
        content["end"] = packed
    return content


def tree_of(replies: Iterable[tuple[RankSet, Mapping[str, Any]]]) -> StackTree:
    """Merge replies, single ones and merged ones, of ranks that are not in two of them."""
    stacks: list[Stack] = []
    failed: list[tuple[RankSet, str]] = []
    for ranks, content in replies:
        try:
            reply = msgspec.convert(content, _Reply)
            read, reasons = list(_read(ranks, reply)), _reasons(ranks, reply)
        except (msgspec.ValidationError, ValueError):
            failed.append((ranks, _UNREADABLE))
            continue
        stacks += read
        failed += reasons
    return StackTree.of(stacks, failed)


def merged_content(replies: Sequence[tuple[RankSet, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the content of the one reply that stands for all of these."""
    tree = tree_of(replies)
    stacks: list[Any] = []
    before: tuple[Frame, ...] = ()
    for stack in tree.stacks():
        shared = _shared(before, stack.frames)
        rest = [list(frame) for frame in stack.frames[shared:]]
        stacks.append([stack.ranks.to_wire(), shared, rest, _packed(stack.end)])
        before = stack.frames
    failed = [[ranks.to_wire(), why] for ranks, why in tree.failed]
    return {"status": "ok", "stacks": stacks, "failed": failed}


def _packed(end: StackEnd) -> list[Any] | None:
    if end == NO_END:
        return None
    return [end.library, end.call, end.detail, end.is_collective, end.note, end.is_outside, end.still]


def _shared(one: tuple[Frame, ...], other: tuple[Frame, ...]) -> int:
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _read(ranks: RankSet, reply: _Reply) -> Iterator[Stack]:
    if reply.stacks is None:
        if reply.status == "ok":
            yield Stack(ranks, tuple(map(Frame._make, reply.entries)), StackEnd(*(reply.end or ())))
        return
    before: tuple[Frame, ...] = ()
    for wire, shared, rest, end in reply.stacks:
        if not 0 <= shared <= len(before):
            raise ValueError(f"{shared} frames of {len(before)} cannot be shared")
        before = (*before[:shared], *map(Frame._make, rest))
        yield Stack(RankSet.from_wire(wire), before, StackEnd(*(end or ())))


def _reasons(ranks: RankSet, reply: _Reply) -> list[tuple[RankSet, str]]:
    if reply.stacks is None and reply.status != "ok":
        return [(ranks, reply.why or _UNREADABLE)]
    return [(RankSet.from_wire(wire), why) for wire, why in reply.failed]
