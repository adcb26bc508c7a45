"""Bitmaps of ranks are built and taken apart exactly, and in linear time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.ranks.bitmap import (
    MAX_RANKS,
    Bitmap,
    based,
    bitmap_of_ranges,
    bitmap_of_ranks,
    count_runs,
    intervals_of,
)

RANGES = st.builds(range, st.integers(0, 300), st.integers(0, 300), st.integers(1, 9))


def spelled_out(bitmap: Bitmap) -> set[int]:
    """Return the ranks of a bitmap, one by one; it must be the only one of its set."""
    base, bits = bitmap
    assert base % 8 == 0
    assert bits & 255 or bitmap == (0, 0)
    return {base + place for place in range(bits.bit_length()) if bits >> place & 1}


@given(st.sets(st.integers(0, 500)))
def test_a_bitmap_has_one_bit_for_each_rank(ranks: set[int]) -> None:
    """Bit n stands for the rank n above the base."""
    assert spelled_out(bitmap_of_ranks(iter(ranks))) == ranks


@given(st.lists(RANGES))
def test_a_bitmap_of_ranges_is_that_of_their_union(ranges: list[range]) -> None:
    """Ranges may overlap, be empty, have steps and come in any order."""
    assert bitmap_of_ranges(ranges) == bitmap_of_ranks({rank for one in ranges for rank in one})


@given(st.sets(st.integers(0, 300)), st.integers(0, 20))
def test_bits_find_the_base_that_leaves_no_empty_byte(places: set[int], base: int) -> None:
    """However a set came about, it has one bitmap."""
    bits = sum(1 << place for place in places)
    assert spelled_out(based(8 * base, bits)) == {8 * base + place for place in places}


@given(st.sets(st.integers(0, 120)))
def test_intervals_are_the_maximal_runs(ranks: set[int]) -> None:
    """Few and many runs are found by different means, and both are right."""
    base, bits = bitmap_of_ranks(ranks)
    found = intervals_of(base, bits)
    assert {rank for start, stop in found for rank in range(start, stop)} == ranks
    assert all(before[1] < after[0] for before, after in pairwise(found))
    assert count_runs(bits) == len(found)


@pytest.mark.parametrize("ranks", [[-1], [3, -2], [MAX_RANKS], range(MAX_RANKS + 1), range(-1, 3)])
def test_ranks_out_of_bounds_are_refused(ranks: list[int]) -> None:
    """No rank is negative, and none so high that the bitmap would fill the memory."""
    with pytest.raises(ValueError, match="rank"):
        bitmap_of_ranks(ranks)


def test_what_is_no_integer_is_refused() -> None:
    """A text is no rank, and a float is none either."""
    with pytest.raises(TypeError):
        bitmap_of_ranks(["3"])  # type: ignore[list-item]
