"""Bitmaps of ranks are built and taken apart exactly, and in linear time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.ranks.bitmap import MAX_RANKS, bits_of_ranges, bits_of_ranks, count_runs, intervals_of

RANGES = st.builds(range, st.integers(0, 300), st.integers(0, 300), st.integers(1, 9))


@given(st.sets(st.integers(0, 500)))
def test_bits_of_ranks_sets_one_bit_for_each_rank(ranks: set[int]) -> None:
    """Bit n stands for rank n."""
    assert bits_of_ranks(iter(ranks)) == sum(1 << rank for rank in ranks)


@given(st.lists(RANGES))
def test_bits_of_ranges_is_the_union_of_the_ranges(ranges: list[range]) -> None:
    """Ranges may overlap, be empty, have steps and come in any order."""
    assert bits_of_ranges(ranges) == bits_of_ranks({rank for one in ranges for rank in one})


@given(st.sets(st.integers(0, 120)))
def test_intervals_are_the_maximal_runs(ranks: set[int]) -> None:
    """Few and many runs are found by different means, and both are right."""
    found = intervals_of(bits_of_ranks(ranks))
    assert {rank for start, stop in found for rank in range(start, stop)} == ranks
    assert all(before[1] < after[0] for before, after in pairwise(found))
    assert count_runs(bits_of_ranks(ranks)) == len(found)


@pytest.mark.parametrize("ranks", [[-1], [3, -2], [MAX_RANKS], range(MAX_RANKS + 1), range(-1, 3)])
def test_ranks_out_of_bounds_are_refused(ranks: list[int]) -> None:
    """No rank is negative, and none so high that the bitmap would fill the memory."""
    with pytest.raises(ValueError, match="rank"):
        bits_of_ranks(ranks)


def test_what_is_no_integer_is_refused() -> None:
    """A text is no rank, and a float is none either."""
    with pytest.raises(TypeError):
        bits_of_ranks(["3"])  # type: ignore[list-item]
