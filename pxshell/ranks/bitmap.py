"""Bitmaps of ranks: Python integers whose bit *n* stands for rank *n*, built and taken apart in linear time.

Bits are set in a text of ``0`` and ``1``, one byte a rank, because one big integer changed bit by bit costs its whole
length each time.
"""

from __future__ import annotations

import re
from operator import index
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["MAX_RANKS", "bits_of_ranges", "bits_of_ranks", "count_runs", "intervals_of"]

MAX_RANKS = 2**24
"""Ranks are below this, so that no text and no message can make us allocate without bound."""

_RUN = re.compile("1+")
_FEW = 8


def bits_of_ranks(ranks: Iterable[int]) -> int:
    """Return the bitmap of any iterable of integers; ``ValueError`` for ranks below 0 or too high."""
    if isinstance(ranks, range):
        return bits_of_ranges([ranks])
    numbers = [index(rank) for rank in ranks]
    if not numbers:
        return 0
    _check(min(numbers), max(numbers))
    if len(numbers) == 1:
        return 1 << numbers[0]
    mask = bytearray(b"0") * (max(numbers) + 1)
    for number in numbers:
        mask[number] = 49  # the digit 1
    return _bits_of_mask(mask)


def bits_of_ranges(ranges: Sequence[range]) -> int:
    """Return the bitmap of the union of ranges with positive steps, in any order."""
    filled = [one for one in ranges if one]
    if not filled:
        return 0
    _check(min(one[0] for one in filled), max(one[-1] for one in filled))
    if len(filled) == 1 and filled[0].step == 1:
        return ((1 << len(filled[0])) - 1) << filled[0].start
    mask = bytearray(b"0") * (max(one[-1] for one in filled) + 1)
    for one in filled:
        mask[one.start : one[-1] + 1 : one.step] = b"1" * len(one)
    return _bits_of_mask(mask)


def intervals_of(bits: int) -> tuple[tuple[int, int], ...]:
    """Return the runs of set bits as half-open intervals, ascending."""
    # Without the zeros below its first rank a set of few ranks is a small number, however high they are.
    first = max(0, (bits & -bits).bit_length() - 1)
    bits >>= first
    if count_runs(bits) > _FEW:
        spans = map(re.Match.span, _RUN.finditer(f"{bits:b}"[::-1]))
        return tuple((first + start, first + stop) for start, stop in spans)
    runs = []
    while bits:
        start = (bits & -bits).bit_length() - 1
        # Adding the lowest bit carries through the run: what the sum has in its place is the bit after the run.
        carried = bits + (1 << start)
        stop = (carried & -carried).bit_length() - 1
        runs.append((first + start, first + stop))
        bits = bits >> stop << stop
    return tuple(runs)


def count_runs(bits: int) -> int:
    """Return how many runs of set bits there are."""
    return (bits & ~(bits << 1)).bit_count()


def _bits_of_mask(mask: bytearray) -> int:
    mask.reverse()
    return int(mask, 2)


def _check(lowest: int, highest: int) -> None:
    if lowest < 0:
        message = f"rank {lowest}: ranks are not negative"
        raise ValueError(message)
    if highest >= MAX_RANKS:
        message = f"rank {highest}: ranks are below {MAX_RANKS}"
        raise ValueError(message)
