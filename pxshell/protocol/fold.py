"""Folding on the way: equal messages of several ranks become one, and each rank's own order stays (P1, P4)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from pxshell.protocol.items import Item, Key, is_merge, messages_of, parts_of
from pxshell.protocol.message import Message
from pxshell.ranks import EMPTY, RankSet

__all__ = ["Folder"]

_NOWHERE = -1
_Spans = tuple[tuple[int, int], ...]


class Folder:
    """Folds messages that pass, in one lane of one relay.

    Items wait in one line. A message joins the first waiting equal item that stands behind everything that its ranks
    said before; if there is none it goes to the end. So each rank's own order is kept whatever folds.

    Items have a number, counted from the beginning of time. A message costs a slice of a list for each run of its
    ranks, and each of its lines a comparison with the item that stands next, however many items and ranks there are.
    """

    def __init__(self) -> None:
        self._items: dict[int, Item] = {}
        #: Numbers of the first waiting item and of the next one to come.
        self._base = 0
        self._end = 0
        #: Numbers of the items with a key, ascending; the first ones may have gone already.
        self._by_key: dict[Key, list[int]] = {}
        #: For each rank the number of the item that it said last; it may have gone already.
        self._said_last: list[int] = []
        #: Ranks that have said something behind the first item.
        self._passed = EMPTY
        #: A rank that the first item waited for when it was looked at last, or _NOWHERE.
        self._awaited = _NOWHERE
        #: Bytes that wait.
        self.size = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, message: Message) -> None:
        """Take one message."""
        parts = parts_of(message)
        if not parts:
            return
        ranks, spans = message.ranks, message.ranks.intervals()
        at = self._leave(ranks, spans)
        #: Neighbouring items mostly have the same ranks: they share one value, before and after.
        before, after = ranks, ranks
        for key, text in parts:
            at = self._find(key, at)
            held = self._items.get(at)
            if held is None:
                self._append(Item(key, message, ranks, text))
                continue
            if text is None and is_merge(key):
                held.more.append(message)
                self.size += message.size
            if held.ranks is not before:
                before, after = held.ranks, held.ranks | ranks
            held.ranks = after
        self._enter(ranks, spans, at)

    def _find(self, key: Key | None, at: int) -> int:
        """Return the number of the first item behind `at` with this key, or the number that it will have."""
        if key is None:
            return self._end
        following = self._items.get(at + 1)
        if following is not None and following.key == key:
            return at + 1
        numbers = self._by_key.get(key)
        if numbers is None or numbers[-1] <= at:
            return self._end
        return numbers[bisect_right(numbers, at)]

    def _append(self, item: Item) -> None:
        if item.key is not None:
            self._by_key.setdefault(item.key, []).append(self._end)
        self._items[self._end] = item
        self._end += 1
        self.size += item.size

    def _leave(self, ranks: RankSet, spans: _Spans) -> int:
        """Take the ranks from where they stand; return the number of the last item that they said."""
        said: set[int] = set()
        for start, stop in spans:
            if stop > len(self._said_last):
                self._said_last.extend([_NOWHERE] * (stop - len(self._said_last)))
            said.update(self._said_last[start:stop])
        for number in said:
            if number >= self._base:
                self._items[number].last -= ranks
        return max(self._base - 1, *said, _NOWHERE)

    def _enter(self, ranks: RankSet, spans: _Spans, number: int) -> None:
        for start, stop in spans:
            self._said_last[start:stop] = [number] * (stop - start)
        self._items[number].last |= ranks
        if number > self._base:
            self._passed |= ranks

    def take(self) -> list[Message]:
        """Take all that waits."""
        taken = list(self._items.values())
        self._items.clear()
        self._by_key.clear()
        self._awaited = _NOWHERE
        self._base = self._end
        self._passed = EMPTY
        self.size = 0
        return messages_of(taken)

    def take_complete(self, expected: Callable[[str], RankSet]) -> list[Message]:
        """Take the leading items to which nobody can be added any more.

        Args:
            expected: for a parent id, the ranks that may still say something for it. Who says nothing and is not
                expected any more is seen after `recheck`.
        """
        taken: list[Item] = []
        while self._items and self._is_complete(self._items[self._base], expected):
            taken.append(self._pop())
        return messages_of(taken)

    def take_through(self, parent: str) -> list[Message]:
        """Take all that waits up to the last item for this parent: nothing more comes for it."""
        last = max((number for number, item in self._items.items() if item.message.parent == parent), default=_NOWHERE)
        taken: list[Item] = []
        while self._base <= last:
            taken.append(self._pop())
        return messages_of(taken)

    def recheck(self) -> None:
        """Ranks may have left that the first item waits for."""
        self._awaited = _NOWHERE

    def _is_complete(self, first: Item, expected: Callable[[str], RankSet]) -> bool:
        if first.key is None:
            return True
        # One rank that has not come to the first item is enough, and costs nothing however many ranks there are.
        # The highest: in whatever order ranks come, but the very reverse, it is rarely the next.
        if self._awaited >= 0 and not self._has_come(self._awaited):
            return False
        missing = expected(first.message.parent) - first.ranks - self._passed
        self._awaited = missing.last if missing else _NOWHERE
        return not missing

    def _has_come(self, rank: int) -> bool:
        return rank < len(self._said_last) and self._said_last[rank] >= self._base

    def _pop(self) -> Item:
        item = self._items.pop(self._base)
        self._base += 1
        self._awaited = _NOWHERE
        self.size -= item.size
        if item.key is not None:
            self._forget(item.key)
        first = self._items.get(self._base)
        self._passed = EMPTY if first is None else self._passed - first.last
        return item

    def _forget(self, key: Key) -> None:
        """Drop numbers of items that have gone, once they are half of their list: that is a constant time for each."""
        numbers = self._by_key[key]
        gone = bisect_right(numbers, self._base - 1)
        if gone == len(numbers):
            del self._by_key[key]
        elif 2 * gone > len(numbers):
            del numbers[:gone]
