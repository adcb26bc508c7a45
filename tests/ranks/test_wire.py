"""Rank sets cross the wire small, and malformed ones are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.ranks import MAX_RANKS, RankSet


@given(st.sets(st.integers(0, 5000)), st.integers(0, MAX_RANKS - 5001))
def test_sets_come_back_as_they_went(ranks: set[int], start: int) -> None:
    """The wire changes nothing, however high a set begins."""
    sent = RankSet(start + rank for rank in ranks)
    assert RankSet.from_wire(sent.to_wire()) == sent


@given(st.sets(st.integers(0, 500), min_size=1), st.integers(0, MAX_RANKS // 8 - 100))
def test_a_set_costs_what_it_spans(ranks: set[int], start: int) -> None:
    """P7: a form, a base of at most three bytes, a bit a rank between the first and the last."""
    sent = RankSet(8 * start + rank for rank in ranks)
    assert len(sent.to_wire()) <= 4 + (sent.last - sent.first) // 8 + 2


@given(st.binary(max_size=20))
def test_bytes_are_refused_or_are_the_only_form_of_their_set(data: bytes) -> None:
    """Any bytes at all are a set or a ValueError; within one form there is one spelling of a set."""
    try:
        ranks = RankSet.from_wire(data)
    except ValueError:
        return
    written = ranks.to_wire()
    assert RankSet.from_wire(written) == ranks
    assert data == written or data[:1] != written[:1]


@pytest.mark.parametrize(
    ("ranks", "size"),
    [
        (RankSet(), 0),
        (RankSet.of(3), 3),
        (RankSet.span(0, 100_000), 5),
        (RankSet.of(99_999), 4),
        (RankSet(range(0, 64, 2)), 10),
        (RankSet(range(99_200, 99_264, 2)), 11),
        (RankSet.of(MAX_RANKS - 1), 5),
    ],
)
def test_the_smaller_form_is_taken(ranks: RankSet, size: int) -> None:
    """A run or one far rank costs a few bytes, many runs a bit a rank."""
    assert len(ranks.to_wire()) == size
    assert RankSet.from_wire(ranks.to_wire()) == ranks


@pytest.mark.parametrize(
    "data",
    [
        b"\x02\x01",  # unknown form
        b"\x00",  # a bitmap without a base
        b"\x00\x00",  # a bitmap of nothing
        b"\x00\x80",  # ends within the base
        b"\x00\x80\x00\x01",  # a base longer than it need be
        b"\x00\x00\x00\x01",  # a zero byte at the beginning
        b"\x00\x00\x01\x00",  # a zero byte at the end
        b"\x00\x00" + b"\xff" * (MAX_RANKS // 8 + 1),  # a rank too high
        b"\x00\xff\xff\x7f\x01\x01",  # the last rank too high
        b"\x01",  # runs, but none
        b"\x01\x03",  # a gap without a run
        b"\x01\x00\x00\x00\x00",  # runs that touch
        b"\x01\x80",  # ends within a number
        b"\x01\x80\x00\x00",  # a number longer than it need be
        b"\x01\xff\xff\xff\xff\xff\xff\x01\x00",  # a number too high
        b"\x01\xff\xff\xff\x07\x01",  # the last rank too high
    ],
)
def test_malformed_bytes_are_refused(data: bytes) -> None:
    """P9: what comes from another process is bounded and checked before it is used."""
    with pytest.raises(ValueError, match="rank"):
        RankSet.from_wire(data)
