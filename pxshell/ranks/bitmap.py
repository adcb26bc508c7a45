"""Bitmaps of ranks, built and taken apart in linear time: a base and an integer whose bit *n* is rank *base + n*.

The base is that multiple of eight which leaves the lowest byte of the integer filled, so that equal sets have equal
bitmaps, and a set costs the distance from its first rank to its last, however high they are. Bits are set in a text of
``0`` and ``1``, one byte a rank, because one big integer changed bit by bit costs its whole length each time.
"""

from __future__ import annotations

import re
from operator import index
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "EMPTY_BITMAP",
    "MAX_RANKS",
    "Bitmap",
    "based",
    "bitmap_of_ranges",
    "bitmap_of_ranks",
    "count_runs",
    "intervals_of",
]

#: Base and bits.
Bitmap = tuple[int, int]
EMPTY_BITMAP: Bitmap = (0, 0)

MAX_RANKS = 2**24
"""Ranks are below this, so that no text and no message can make us allocate without bound."""

_RUN = re.compile("1+")
_FEW = 8


def based(base: int, bits: int) -> Bitmap:
    """Return the bitmap whose bit *n* of `bits` is rank *base + n*; `base` is a multiple of eight."""
    if bits & 255:
        return base, bits
    if not bits:
        return EMPTY_BITMAP
    empty = (bits & -bits).bit_length() - 1 & ~7
    return base + empty, bits >> empty


def bitmap_of_ranks(ranks: Iterable[int]) -> Bitmap:
    """Return the bitmap of any iterable of integers; ``ValueError`` for ranks below 0 or too high."""
    if isinstance(ranks, range):
        return bitmap_of_ranges([ranks])
    numbers = [index(rank) for rank in ranks]
    if not numbers:
        return EMPTY_BITMAP
    lowest, highest = min(numbers), max(numbers)
    _check(lowest, highest)
    base = lowest & ~7
    if lowest == highest:
        return base, 1 << lowest - base
    mask = bytearray(b"0") * (highest - base + 1)
    for number in numbers:
        mask[number - base] = 49  # the digit 1
    return base, _bits_of_mask(mask)


def bitmap_of_ranges(ranges: Sequence[range]) -> Bitmap:
    """Return the bitmap of the union of ranges with positive steps, in any order."""
    filled = [one for one in ranges if one]
    if not filled:
        return EMPTY_BITMAP
    lowest, highest = min(one[0] for one in filled), max(one[-1] for one in filled)
    _check(lowest, highest)
    base = lowest & ~7
    if len(filled) == 1 and filled[0].step == 1:
        return base, ((1 << len(filled[0])) - 1) << lowest - base
    mask = bytearray(b"0") * (highest - base + 1)
    for one in filled:
        mask[one.start - base : one[-1] + 1 - base : one.step] = b"1" * len(one)
    return base, _bits_of_mask(mask)


def intervals_of(base: int, bits: int) -> tuple[tuple[int, int], ...]:
    """Return the runs of set bits as half-open intervals of ranks, ascending."""
    if count_runs(bits) > _FEW:
        spans = map(re.Match.span, _RUN.finditer(f"{bits:b}"[::-1]))
        return tuple((base + start, base + stop) for start, stop in spans)
    runs = []
    while bits:
        start = (bits & -bits).bit_length() - 1
        # Adding the lowest bit carries through the run: what the sum has in its place is the bit after the run.
        carried = bits + (1 << start)
        stop = (carried & -carried).bit_length() - 1
        runs.append((base + start, base + stop))
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
