"""Numbers that each rank's debugpy gives to its own things, and one number for each of them in the editor."""

from __future__ import annotations

import itertools

__all__ = ["Ids"]


class Ids:
    """Numbers of one kind: (rank, its number) and the editor's number, both ways.

    Args:
        first: The first number that the editor sees.
    """

    def __init__(self, first: int = 1) -> None:
        self._next = itertools.count(first)
        self._out: dict[tuple[int, int], int] = {}
        self._back: dict[int, tuple[int, int]] = {}

    def out(self, rank: int, number: int) -> int:
        """Return the editor's number of a rank's; 0, which means nothing everywhere, stays."""
        if not number:
            return 0
        key = (rank, number)
        if key not in self._out:
            self._out[key] = made = next(self._next)
            self._back[made] = key
        return self._out[key]

    def back(self, number: int) -> tuple[int, int] | None:
        """Return rank and its number; None for a number that was never given out, or means nothing any more."""
        return self._back.get(number)

    def forget(self, rank: int) -> None:
        """Drop a rank's numbers: what they meant has gone on."""
        for key in [one for one in self._out if one[0] == rank]:
            del self._back[self._out.pop(key)]

    def __len__(self) -> int:
        return len(self._out)
