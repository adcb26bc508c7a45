"""A rank set is a value: it behaves as a set, never changes, and prints folded."""

from __future__ import annotations

import copy
import operator
import pickle
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.errors import RankSetError
from pxshell.ranks import EMPTY, MAX_RANKS, RankSet, union

#: Also sets that begin high, and at different places.
RANKS = st.builds(
    lambda start, ranks: {start + rank for rank in ranks}, st.integers(0, 40), st.sets(st.integers(0, 160))
)
ALTERNATING = range(0, 200_000, 2)


@given(RANKS, RANKS, st.sampled_from([operator.or_, operator.and_, operator.sub, operator.xor]))
def test_algebra_is_that_of_python_sets(a: set[int], b: set[int], combine: Callable[[Any, Any], Any]) -> None:
    """Union, intersection, difference and symmetric difference."""
    assert set(combine(RankSet(a), RankSet(b))) == combine(a, b)


@given(RANKS, RANKS, st.sampled_from([operator.le, operator.lt, operator.ge, operator.gt, operator.eq, set.isdisjoint]))
def test_comparison_is_that_of_python_sets(a: set[int], b: set[int], compare: Callable[[Any, Any], bool]) -> None:
    """Subset, equality and disjointness."""
    expected = compare(a, b)
    mine = RankSet.isdisjoint if compare is set.isdisjoint else compare
    assert mine(RankSet(a), RankSet(b)) == expected


@given(RANKS)
def test_contents_are_those_of_the_python_set(ranks: set[int]) -> None:
    """Length, truth, ends, membership and ascending iteration."""
    mine = RankSet(ranks)
    assert list(mine) == sorted(ranks)
    assert len(mine) == len(ranks)
    assert bool(mine) == bool(ranks)
    assert all(rank in mine for rank in ranks)
    assert [rank in mine for rank in range(210)] == [rank in ranks for rank in range(210)]
    if ranks:
        assert (mine.first, mine.last) == (min(ranks), max(ranks))


@given(RANKS)
def test_printed_form_is_read_back(ranks: set[int]) -> None:
    """What a set prints as is that set again, for people and for programs."""
    mine = RankSet(ranks)
    assert RankSet.parse_folded(str(mine)) == mine
    assert eval(repr(mine)) == mine


def test_printed_form_folds_runs() -> None:
    """A run has a dash, a single rank stands alone, the empty set is the empty text."""
    assert str(RankSet([7, 2, 1, 0, 3])) == "0-3,7"
    assert str(EMPTY) == ""
    assert RankSet.parse_folded("0-15/5,1") == RankSet.of(0, 1, 5, 10, 15)


@pytest.mark.parametrize("text", ["x", "1,", ",", "1 2", "-1", "3-1", "0-3/0", "0-", "all", "16777216", "0:3", "1,,2"])
def test_what_no_set_prints_as_is_refused(text: str) -> None:
    """The printed form has no words, operators or slices: those are the grammar's."""
    with pytest.raises(RankSetError) as caught:
        RankSet.parse_folded(text)
    assert 0 <= caught.value.position <= len(text)


def test_constructors_agree() -> None:
    """Every way to make a set makes the same value."""
    expected = RankSet([1, 2, 3])
    assert RankSet.of(3, 2, 1) == RankSet.span(1, 4) == RankSet.from_bits(0b1110) == RankSet(expected) == expected
    assert RankSet.span(4, 1) == RankSet() == EMPTY
    assert expected.bits == 0b1110
    assert expected.intervals() == ((1, 4),)


def test_sets_are_hashable_and_equal_only_to_sets() -> None:
    """Equal sets are one key of a mapping; a Python set or an integer is no rank set."""
    assert {RankSet.of(1): "a"}[RankSet.of(1)] == "a"
    assert RankSet.of(1) != {1}
    assert RankSet.of(1) != 2


def test_sets_do_not_change() -> None:
    """A value that is shared by threads has no setters."""
    ranks = RankSet.of(1)
    with pytest.raises(AttributeError, match="does not change"):
        ranks._bits = 3
    with pytest.raises(AttributeError, match="does not change"):
        del ranks._bits


def test_sets_survive_pickle_and_copy() -> None:
    """A set crosses processes and copies of what holds it."""
    ranks = RankSet.of(0, 5)
    assert pickle.loads(pickle.dumps(ranks)) == copy.copy(ranks) == copy.deepcopy(ranks) == ranks


def test_empty_set_has_no_ends() -> None:
    """Asking for the first rank of none is an error, not a number."""
    with pytest.raises(ValueError, match="empty"):
        _ = EMPTY.first
    with pytest.raises(ValueError, match="empty"):
        _ = EMPTY.last


@pytest.mark.parametrize("combine", [operator.or_, operator.and_, operator.sub, operator.xor, operator.le, operator.lt])
def test_algebra_refuses_other_types(combine: Callable[[Any, Any], Any]) -> None:
    """A Python set is made a rank set first, so that a mistake is not silently accepted."""
    with pytest.raises(TypeError):
        combine(RankSet.of(1), {1})


@pytest.mark.parametrize("bits", [-1, 1 << MAX_RANKS], ids=["negative", "too high"])
def test_bitmaps_out_of_bounds_are_refused(bits: int) -> None:
    """A bitmap is no way around the highest rank."""
    with pytest.raises(ValueError, match="bitmap"):
        RankSet.from_bits(bits)


def test_strange_members_are_not_in_a_set() -> None:
    """Membership of what is no rank is false, and never an error or an allocation."""
    ranks = RankSet.of(1)
    assert "1" not in ranks
    assert -1 not in ranks
    assert 2**70 not in ranks


def test_a_far_set_is_as_small_as_a_near_one() -> None:
    """P7: each of 128,000 ranks that answers differently is a set of its own, and costs what one rank costs."""
    far = [RankSet.of(rank) for rank in range(MAX_RANKS - 1000, MAX_RANKS)]
    assert all(sys.getsizeof(ranks._bits) == sys.getsizeof(1) for ranks in far)
    assert all(len(pickle.dumps(ranks)) < 100 for ranks in far)
    both = far[0] | RankSet.of(0)
    assert both - RankSet.of(0) == far[0]
    assert sys.getsizeof((both - RankSet.of(0))._bits) == sys.getsizeof(1)
    assert sys.getsizeof((both ^ RankSet.of(0))._bits) == sys.getsizeof(1)
    assert sys.getsizeof((both & RankSet.span(8, MAX_RANKS))._bits) == sys.getsizeof(1)


@given(RANKS, RANKS)
def test_equal_sets_are_equal_however_they_came_about(a: set[int], b: set[int]) -> None:
    """What algebra, bitmap, wire, text and pickle make is the one value of its ranks, with the one hash."""
    expected = RankSet(a - b)
    made = RankSet(a) - RankSet(b)
    ways = [
        made,
        (RankSet(a) | RankSet(b)) - RankSet(b),
        (RankSet(a) ^ RankSet(b)) & RankSet(a),
        RankSet.from_bits(made.bits),
        RankSet.from_wire(made.to_wire()),
        RankSet.parse_folded(str(made)),
        pickle.loads(pickle.dumps(made)),
    ]
    assert all(one == expected and hash(one) == hash(expected) for one in ways)
    assert {one.to_wire() for one in ways} == {expected.to_wire()}


def test_a_set_costs_the_distance_between_its_ends() -> None:
    """P7: as many sets as there are ranks, one rank each, cost what as many small sets do."""
    low, high = RankSet.of(7), RankSet.of(MAX_RANKS - 1)
    left_over = (RankSet.span(0, 100_000) | high) - RankSet.span(0, 100_000)
    assert sys.getsizeof(low._bits) == sys.getsizeof(high._bits) == sys.getsizeof(left_over._bits)
    assert sys.getsizeof(RankSet.of(0, 99_999)._bits) > 12_000


def test_a_hundred_thousand_alternating_ranks_are_handled_in_linear_time() -> None:
    """P7: the worst set of an exascale job, in every operation, takes well under the test's patience."""
    ranks = RankSet(ALTERNATING)
    assert list(ranks) == list(ALTERNATING)
    assert RankSet(list(ALTERNATING)) == ranks
    assert RankSet.parse_folded(str(ranks)) == ranks
    assert RankSet.from_wire(ranks.to_wire()) == ranks
    assert len(ranks | RankSet(range(1, 200_000, 2))) == 200_000
    assert len(ranks.intervals()) == 100_000


@given(st.lists(st.frozensets(st.integers(0, 300))))
def test_the_union_of_sets_has_the_ranks_of_each_and_no_others(parts: list[frozenset[int]]) -> None:
    assert set(union(RankSet(part) for part in parts)) == set().union(*parts)
