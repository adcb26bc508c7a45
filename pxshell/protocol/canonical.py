"""The fold of a finished cell: it depends on what each rank said, and on nothing else (P4).

Not on timing, and not on how nodes and controller folded on the way: `canonical(canonical(x)) == canonical(x)`, and the
same for whatever a `Folder` made of x.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from pxshell.protocol.items import Item, Key, lines_of, messages_of, parts_of, stream_of
from pxshell.protocol.message import Message
from pxshell.ranks import EMPTY, RankSet

__all__ = ["canonical"]

#: First element of the key of what is equal to nothing else; the second is its number.
_UNIQUE = "unique"
#: A union of bitmaps costs as much for one rank as for all, one of numbers as much as there are ranks: with fewer
#: ranks a set than this, numbers are faster.
_FEW = 32


def canonical(messages: Iterable[Message]) -> list[Message]:
    """Fold the messages of a finished cell, or of any finished stretch of output.

    Of the next unsaid items of all ranks, the one goes first that the fewest ranks will say again later; then the one
    that most say now; then the one of the lowest rank. A message that never folds (answers with values, notices of
    cuts) stays whole: it waits until all of its ranks have come to it.
    """
    return messages_of(_Merge(_classes(list(messages))).run())


@dataclass(slots=True)
class _Said:
    """One item of a class's history."""

    key: Key
    message: Message
    text: str | None = None


@dataclass(slots=True)
class _Class:
    """Ranks that said exactly the same."""

    numbers: list[int]
    ranks: RankSet
    items: list[_Said]
    #: Index of the next unsaid item.
    next: int = 0
    #: Lowest rank; -1 for what nobody said.
    first: int = field(init=False)

    def __post_init__(self) -> None:
        self.first = self.numbers[0] if self.numbers else -1


# -- classes: which ranks said the same --------------------------------------------------------------------------------


def _classes(messages: list[Message]) -> list[_Class]:
    by_history: dict[tuple[Key, ...], list[tuple[list[int], RankSet, list[_Said]]]] = defaultdict(list)
    cutter = _Cutter(messages)
    for numbers, ranks, history in _histories(messages):
        items = cutter.items(history)
        by_history[tuple(said.key for said in items)].append((numbers, ranks, items))
    out = []
    for parts in by_history.values():
        numbers, ranks, items = min(parts, key=lambda part: part[0])
        if len(parts) > 1:
            numbers = sorted(chain.from_iterable(part[0] for part in parts))
            ranks = RankSet(numbers)
        out.append(_Class(numbers, ranks, items))
    return out


def _histories(messages: list[Message]) -> Iterator[tuple[list[int], RankSet, list[int]]]:
    """Yield ranks, as numbers and as a set, that said the same messages, and the indexes of these messages.

    A history is a node in a tree: the history before it, and a stretch of messages that have the same ranks.
    """
    stretches = _stretches(messages)
    sizes = []
    before, stretch_of = [0], [0]
    #: For each rank the node of its history; 0 is the root.
    at: list[int] = []
    nobody: list[int] = []
    for serial, indexes in enumerate(stretches):
        ranks = messages[indexes[0]].ranks
        if not ranks:
            nobody += indexes
        child: dict[int, int] = {}
        spans = ranks.intervals()
        sizes.append(sum(stop - start for start, stop in spans))
        for start, stop in spans:
            at.extend([0] * (stop - len(at)))
            segment = at[start:stop]
            for node in set(segment) - child.keys():
                child[node] = len(before)
                before.append(node)
                stretch_of.append(serial)
            at[start:stop] = map(child.__getitem__, segment)
    if nobody:
        yield [], EMPTY, nobody
    members: dict[int, list[int]] = defaultdict(list)
    for rank, node in enumerate(at):
        members[node].append(rank)
    members.pop(0, None)
    for node, numbers in members.items():
        path = []
        step = node
        while step:
            path.append(stretch_of[step])
            step = before[step]
        is_all = sizes[path[0]] == len(numbers)
        ranks = messages[stretches[path[0]][0]].ranks if is_all else RankSet(numbers)
        yield numbers, ranks, [index for serial in reversed(path) for index in stretches[serial]]


def _stretches(messages: list[Message]) -> list[list[int]]:
    out: list[list[int]] = []
    for index, message in enumerate(messages):
        if index and message.ranks == messages[index - 1].ranks:
            out[-1].append(index)
        else:
            out.append([index])
    return out


class _Cutter:
    """Cuts histories into items; each message is decoded once."""

    def __init__(self, messages: list[Message]) -> None:
        self._messages = messages
        self._streams = [stream_of(message) for message in messages]

    def items(self, history: list[int]) -> list[_Said]:
        """Return one rank's items, with text that was cut within a line made whole again."""
        out: list[_Said] = []
        texts: list[str] = []
        scope: Hashable = None
        first: Message | None = None
        for index in history:
            message, stream = self._messages[index], self._streams[index]
            if stream is not None and first is not None and stream[0] == scope:
                texts.append(stream[1])
                continue
            if first is not None:
                out += _lines(scope, first, "".join(texts))
                first = None
            if stream is not None:
                scope, first, texts = stream[0], message, [stream[1]]
            else:
                key = parts_of(message)[0][0]
                out.append(_Said((_UNIQUE, index) if key is None else key, message))
        if first is not None:
            out += _lines(scope, first, "".join(texts))
        return out


def _lines(scope: Hashable, message: Message, text: str) -> list[_Said]:
    return [_Said((scope, line), message, line) for line in lines_of(text)]


# -- merging: one line of items, each class's order kept ---------------------------------------------------------------


@dataclass(slots=True)
class _Head:
    """Classes whose next item is the same."""

    groups: list[_Class] = field(default_factory=list)
    #: How many ranks, and the lowest of them.
    size: int = 0
    first: int = 0
    #: Number of its newest entry in the heap.
    serial: int = -1

    def add(self, group: _Class) -> None:
        """One more class has come to this item."""
        self.first = min(self.first, group.first) if self.groups else group.first
        self.groups.append(group)
        self.size += len(group.numbers)

    def ranks(self) -> RankSet:
        """Return all ranks."""
        if len(self.groups) * _FEW > self.size > _FEW:
            return RankSet(chain.from_iterable(group.numbers for group in self.groups))
        ranks = self.groups[0].ranks
        for group in self.groups[1:]:
            ranks |= group.ranks
        return ranks


class _Merge:
    """Merges the items of all classes into one line, each class's order kept."""

    def __init__(self, classes: list[_Class]) -> None:
        self._heads: dict[Key, _Head] = defaultdict(_Head)
        #: How many ranks will say an item again after their next one; for what nobody said, 1.
        self._later: Counter[Key] = Counter()
        #: Entries (later, -size, first rank, serial); the newest entry of a head counts, older ones are skipped.
        self._heap: list[tuple[int, int, int, int]] = []
        self._keys: list[Key] = []
        for group in classes:
            for said in group.items[1:]:
                self._later[said.key] += _weight(group)
            if group.items:
                self._heads[group.items[0].key].add(group)
        for key in list(self._heads):
            self._push(key)

    def _push(self, key: Key) -> None:
        head, later = self._heads[key], self._later[key]
        if later and key[0] == _UNIQUE:
            return
        head.serial = len(self._keys)
        self._keys.append(key)
        heapq.heappush(self._heap, (later, -head.size, head.first, head.serial))

    def run(self) -> list[Item]:
        """Return all items."""
        out: list[Item] = []
        while self._heap:
            *_, serial = heapq.heappop(self._heap)
            key = self._keys[serial]
            head = self._heads.get(key)
            if head is not None and head.serial == serial:
                out.append(self._say(key))
        return out

    def _say(self, key: Key) -> Item:
        """Say the item that these classes have as head, and bring up their next ones."""
        head = self._heads.pop(key)
        first = min(head.groups, key=lambda group: group.first)
        said = first.items[first.next]
        touched: dict[Key, None] = {}
        for group in head.groups:
            group.next += 1
            if group.next < len(group.items):
                following = group.items[group.next].key
                self._later[following] -= _weight(group)
                self._heads[following].add(group)
                touched[following] = None
        for other in touched:
            self._push(other)
        return Item(key, said.message, head.ranks(), said.text)


def _weight(group: _Class) -> int:
    return len(group.numbers) or 1
