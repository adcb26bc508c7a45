"""A view takes a good deal at once and so much a second after that, however what comes is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.pace import Pace


def test_what_is_no_flood_goes_at_once():
    """A cell's output, however fast, up to what a rest has saved up."""
    pace = Pace(100.0, burst=1000)
    assert [pace.spend(400, 0.0) for _ in range(4)] == [True, True, True, False]


def test_a_closed_view_opens_when_it_has_saved_up_a_quarter_of_a_second():
    """P2: one notice for each pause, not one for every few lines."""
    pace = Pace(100.0, burst=1000)
    assert pace.spend(1000, 0.0)
    assert not pace.spend(1, 0.0)
    assert pace.opens_in(0.0) == pytest.approx(0.25)
    assert not pace.is_open(0.2)
    assert pace.opens_in(0.2) == pytest.approx(0.05)
    assert pace.spend(1, 0.25)
    assert pace.opens_in(0.25) == 0.0


def test_one_message_may_be_larger_than_what_is_left_and_is_made_up_for():
    """P7: size alone never makes a picture impossible."""
    pace = Pace(100.0, burst=1000)
    assert pace.spend(3000, 0.0)
    assert not pace.is_open(20.0)
    assert pace.is_open(20.3)


def test_a_small_burst_is_enough_to_open():
    """Also where it is less than a quarter of a second."""
    pace = Pace(100.0, burst=10)
    assert pace.spend(10, 0.0)
    assert pace.opens_in(0.0) == pytest.approx(0.1)
    assert pace.is_open(0.1)


steps = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 500)), max_size=60)


@given(steps)
def test_over_any_time_no_more_goes_than_the_burst_the_rate_and_one_message(steps):
    """P7: bounded."""
    pace, now, gone = Pace(100.0, burst=1000), 0.0, 0
    for wait, size in steps:
        now += wait
        if pace.spend(size, now):
            gone += size
        assert gone <= 1000 + 100 * now + 500 + 1e-6


@given(steps)
def test_a_closed_view_opens_when_it_says(steps):
    """P3: what was cut is told of."""
    pace, now = Pace(100.0, burst=1000), 0.0
    for wait, size in steps:
        now += wait
        pace.spend(size, now)
    assert pace.is_open(now + pace.opens_in(now) + 1e-6)
