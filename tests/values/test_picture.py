"""Pictures of values: small, and what stands out stays seen."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.values.picture import Picture, picture_of, place_of
from pxshell.values.survey import answer


def travelled(picture):
    return Picture.from_content(*picture.to_content())


@pytest.mark.parametrize("value", [3, 2.5, True, np.float32(2), 3 + 4j, np.array(7)])
def test_a_number_is_one_number(value):
    picture = travelled(picture_of(value, 10))
    assert (picture.shape, picture.rows) == ((), ((float(abs(value)),),))


@given(st.lists(st.floats(allow_infinity=False), min_size=1, max_size=300), st.integers(2, 40))
def test_a_row_keeps_its_extremes_and_its_nan(values, limit):
    for value in (np.array(values), values):
        picture = travelled(picture_of(value, limit))
        assert all(len(row) <= limit for row in picture.rows)
        assert any(math.isnan(x) for x in picture.rows[0]) == any(map(math.isnan, values))
        if not any(map(math.isnan, values)):
            assert min(picture.rows[0]) == min(values)
            assert max(picture.rows[-1]) == max(values)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20))
def test_a_field_keeps_its_mean_and_one_nan_of_many(rows, columns, limit):
    field = np.arange(float(rows * columns)).reshape(rows, columns)
    for value in (field, field.tolist()):
        picture = travelled(picture_of(value, limit))
        assert len(picture.rows) == min(rows, limit)
        assert len(picture.rows[0]) == min(columns, limit)
        if rows % len(picture.rows) == 0 and columns % len(picture.rows[0]) == 0:
            assert np.mean(picture.rows) == pytest.approx(field.mean())
    field[rows // 2, columns // 2] = np.nan
    assert sum(math.isnan(x) for row in picture_of(field, limit).rows for x in row) == 1


def test_fields_of_any_layout_are_drawn_alike():
    field = np.random.default_rng(1).random((30, 20))
    assert picture_of(field, 8) == picture_of(np.asfortranarray(field), 8)
    assert picture_of(field.T.copy().T, 8) == picture_of(field, 8)


def test_complex_rows_are_drawn_by_size():
    assert picture_of(np.array([3 + 4j, 0]), 9).rows == ((5.0, 0.0),)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("text", "a str cannot be plotted"),
        ([], "a list cannot be plotted"),
        ([[1], [1, 2]], "a list cannot be plotted"),
        (["a"], "a list cannot be plotted"),
        (np.array(["a"]), "a ndarray cannot be plotted"),
        (np.zeros((2, 3, 4)), "3 dimensions cannot be plotted: plot a part of it"),
        (np.zeros((0, 3)), "nothing in it to plot"),
    ],
)
def test_what_cannot_be_plotted_is_refused_in_one_line(value, why):
    """P10."""
    with pytest.raises(ValueError, match=why):
        picture_of(value, 10)


def test_where_a_part_lies():
    assert place_of((slice(0, 64), slice(64, 128))) == [[0, 64], [64, 128]]
    assert place_of(slice(None, 5)) == [[0, 5]]
    assert place_of([1, np.int64(2)]) == [[1], [2]]
    assert place_of(np.array([0, 1])) == [[0], [1]]
    for wrong in (slice(5, None), (slice(0, 4, 2),), "text", (slice(-4, 2),)):
        with pytest.raises(ValueError, match="where a part lies is told by"):
            place_of(wrong)


def asked(names, **question):
    return answer({"ask": "picture", "limit": 10, "expression": "u", **question}, lambda text: eval(text, names))[0]


def test_the_program_may_say_where_the_parts_of_its_fields_lie():
    names = {"u": np.zeros((2, 2)), "block": (slice(0, 2), slice(2, 4)), "__pxplot__": {"u": "block"}}
    assert asked(names)["place"] == []
    assert asked(names, is_placed=True)["place"] == [[0, 2], [2, 4]]
    assert asked(names, at="(1, 0)", is_placed=True)["place"] == [[1], [0]]
    names["__pxplot__"] = None
    assert asked(names, is_placed=True)["place"] == []
    del names["__pxplot__"]
    assert asked(names, is_placed=True)["place"] == []


def test_what_is_masked_is_a_gap():
    row = np.ma.masked_array([1, 2, 3], mask=[False, True, False])
    assert str(picture_of(row, 10).rows) == "((1.0, nan, 3.0),)"
