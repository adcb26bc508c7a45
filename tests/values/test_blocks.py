"""Digests of arrays: equal for equal values, whatever they are made of; statistics beside them."""

import math
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pxshell.values.blocks import block_length, blocks_of, scan
from pxshell.values.numbers import numbers_in
from pxshell.values.tolerance import EXACT, Tolerance

ARRAYS = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.float16, np.int64, np.uint8, np.bool_, np.complex128]),
    hnp.array_shapes(max_dims=3, max_side=6),
)


def numbers(value):
    found = numbers_in(value)
    assert found is not None
    return found


@given(ARRAYS)
def test_the_digest_does_not_depend_on_how_an_array_lies_in_memory(a):
    """Fortran order, a view with strides, a copy: equal values, equal digests."""
    spread = np.zeros((*a.shape, 2), a.dtype)
    spread[..., 0] = a
    digests = {scan(numbers(form)).digest for form in (a, a.copy("F"), spread[..., 0])}
    assert len(digests) == 1


@given(ARRAYS, ARRAYS)
def test_arrays_have_one_digest_only_if_they_are_equal(a, b):
    """P4."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return
    is_equal = np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    assert (scan(numbers(a)).digest == scan(numbers(b)).digest) == is_equal


@given(ARRAYS)
def test_the_statistics_are_numpys(a):
    found = scan(numbers(a))
    size = np.abs(a.astype(np.complex128)) if a.dtype.kind == "c" else a.astype(np.float64)
    good = size[~np.isnan(size)]
    assert found.nan == a.size - good.size
    if good.size:
        # Of complex numbers the sizes may differ in the last digit, by how they are computed.
        near = {"rel": 1e-15 if a.dtype.kind == "c" else 0, "abs": 0}
        assert found.least == pytest.approx(good.min(), **near)
        assert found.most == pytest.approx(good.max(), **near)
        with np.errstate(all="ignore"):
            mean = float(good.mean())
        assert math.isnan(mean) or math.isinf(mean) or found.mean == pytest.approx(mean, rel=1e-9, abs=1e-300)
    else:
        assert (found.least, found.most, found.mean) == (None, None, None)


def test_both_zeros_and_all_nan_are_equal():
    """0/0 gives a NaN with a sign, and a sum may give -0.0: nobody means a difference by that."""
    one = np.array([0.0, np.nan, 1.0])
    other = np.array([-0.0, -np.nan, 1.0])
    assert one.tobytes() != other.tobytes()
    assert scan(numbers(one)).digest == scan(numbers(other)).digest


def test_lists_of_numbers_are_arrays_without_numpy():
    row = [float(n) for n in range(5000)]
    found = scan(numbers(row))
    assert (found.nan, found.least, found.most, found.mean) == (0, 0.0, 4999.0, 2499.5)
    assert numbers(row).dtype == "list of float"
    assert numbers(tuple(range(20))).dtype == "tuple of int"
    assert numbers(array("f", range(3))).shape == (3,)
    assert scan(numbers([math.nan, -0.0] * 20)).digest == scan(numbers([-math.nan, 0.0] * 20)).digest
    assert scan(numbers([math.inf, -math.inf] * 20)).most == math.inf


@pytest.mark.parametrize(
    "value", [3, "text", [1.0] * 5, [1, 2.0] * 20, [True] * 40, [2**70] * 40, np.float64(1), np.array(1.0), ["a"] * 40]
)
def test_what_is_no_row_of_equal_numbers_is_none(value):
    assert numbers_in(value) is None


def test_arrays_of_texts_and_dates_have_a_digest_and_no_statistics():
    for a in (np.array(["a", "b"]), np.array(["2026-01-01"], "M8[D]")):
        found = scan(numbers(a))
        assert found.digest and found.mean is None and found.nan == 0


def test_an_empty_array_has_a_digest():
    assert scan(numbers(np.zeros((0, 3)))).mean is None
    assert blocks_of(numbers(np.zeros(0)), Tolerance()).exact == ()


def test_blocks_find_where_arrays_differ():
    a = np.arange(1_000_000.0)
    b = a.copy()
    b[700_000] += 1
    mine, theirs = (blocks_of(numbers(x), Tolerance()) for x in (a, b))
    length = block_length(a.size)
    assert len(mine.exact) <= 256
    assert mine.unlike(theirs) == [700_000 // length]
    assert mine.whole() == scan(numbers(a)).digest


def test_blocks_that_differ_within_the_tolerance_are_alike():
    a = np.arange(1.0, 5001.0)
    b = a * (1 + 1e-15)
    mine, theirs = (blocks_of(numbers(x), Tolerance(1e-6)) for x in (a, b))
    assert mine.exact != theirs.exact
    assert mine.unlike(theirs) == []
    assert len(blocks_of(numbers(a), EXACT).unlike(blocks_of(numbers(b), EXACT))) == 5
    # Where the cells are too narrow for doubles, blocks are unlike.
    mine, theirs = (blocks_of(numbers(x), Tolerance(1e-14)) for x in (a, b))
    assert len(mine.unlike(theirs)) == 5


def test_a_torch_tensor_is_the_array_that_it_holds(monkeypatch):
    """By its NumPy view; torch itself is not needed to test that."""

    class Tensor:
        bfloat16, dtype, ndim, shape = "bfloat16", "float32", 1, (5,)

        def __init__(self, values):
            self.values = values

        def detach(self):
            return self

        cpu = detach

        def numpy(self):
            return self.values

    module = type("torch", (), {"Tensor": Tensor, "bfloat16": "bfloat16"})
    monkeypatch.setitem(__import__("sys").modules, "torch", module)
    a = np.arange(5, dtype=np.float32)
    assert scan(numbers(Tensor(a))).digest == scan(numbers(a)).digest
