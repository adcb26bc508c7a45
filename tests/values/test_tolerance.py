"""When two numbers are the same, one by one and by the cells of grids."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pxshell.values.tolerance import EXACT, Tolerance

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
TOLERANCES = st.builds(
    Tolerance,
    st.sampled_from([0.0, 1e-14, 1e-9, 1e-3, 0.3]) | st.floats(1e-10, 0.5),
    st.sampled_from([0.0, 1e-12, 1.0]) | st.floats(0, 1e6),
)


@given(NUMBERS, NUMBERS, TOLERANCES)
def test_sameness_is_symmetric_and_reflexive(a, b, tolerance):
    assert tolerance.is_same(a, a)
    assert tolerance.is_same(a, b) == tolerance.is_same(b, a)


@given(NUMBERS, NUMBERS, st.floats(1e-12, 0.5))
def test_a_relative_tolerance_is_that_of_math_isclose(a, b, rtol):
    assume(not (math.isnan(a) or math.isnan(b)))
    assert Tolerance(rtol).is_same(a, b) == math.isclose(a, b, rel_tol=rtol)


@pytest.mark.parametrize(("rtol", "atol"), [(-1, 0), (1.5, 0), (math.nan, 0), (0, -1), (0, math.inf)])
def test_what_is_no_tolerance_is_refused(rtol, atol):
    """P10."""
    with pytest.raises(ValueError, match="a tolerance is 0 or more"):
        Tolerance(rtol, atol)


@pytest.mark.parametrize(
    ("tolerance", "text"),
    [(EXACT, "no tolerance"), (Tolerance(), "rtol 1e-09"), (Tolerance(1e-3, 0.5), "rtol 0.001, atol 0.5")],
)
def test_a_tolerance_says_what_it_is(tolerance, text):
    assert str(tolerance) == text
    assert Tolerance.from_content(tolerance.to_content()) == tolerance


@given(st.lists(st.tuples(NUMBERS, st.floats(-3, 3)), min_size=1, max_size=20), TOLERANCES)
def test_numbers_in_one_cell_are_the_same(pairs, tolerance):
    """P4: what is unequal beyond the tolerance never has a cell in common, of neither grid."""
    a = np.array([number for number, _ in pairs])
    with np.errstate(all="ignore"):
        b = a * (1 + np.array([off for _, off in pairs]) * tolerance.rtol) + tolerance.atol
    mine, theirs = tolerance.cells(a, np), tolerance.cells(b, np)
    assume(mine is not None and theirs is not None)
    for one, other in zip(mine, theirs, strict=True):
        for x, y, here, there in zip(a, b, one, other, strict=True):
            assert here != there or tolerance.is_same(x, y), (x, y)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_any_two_numbers_in_one_cell_are_the_same(a, b):
    """P4: also when they were not made from each other."""
    tolerance = Tolerance(0.05, 10.0)
    mine, theirs = (tolerance.cells(np.array([x]), np) for x in (a, b))
    for one, other in zip(mine, theirs, strict=True):
        assert one[0] != other[0] or tolerance.is_same(a, b)


def test_rounding_noise_stays_within_a_cell_of_one_of_the_grids():
    """What the grids are for: arrays with noise in the last digits have equal digests of cells."""
    a = np.random.default_rng(1).random(10_000) + 0.5
    b = a * (1 + 1e-16 * np.random.default_rng(2).integers(-2, 3, a.size))
    assert (a != b).any()
    mine, theirs = Tolerance(1e-6).cells(a, np), Tolerance(1e-6).cells(b, np)
    assert any((one == other).all() for one, other in zip(mine, theirs, strict=True))


@pytest.mark.parametrize("tolerance", [EXACT, Tolerance(1e-15), Tolerance(0.0, 1e-300)])
def test_there_are_no_cells_where_doubles_cannot_tell_them_apart(tolerance):
    assert tolerance.cells(np.array([1.0, 1e10]), np) is None


def test_signs_zeros_infinities_and_nan_have_cells_of_their_own():
    x = np.array([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, -math.nan])
    for grid in Tolerance(1e-3).cells(x, np):
        assert grid[0] == grid[1]
        assert grid[6] == grid[7]
        assert len(set(grid.tolist())) == 6
