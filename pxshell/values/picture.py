"""A value as it is plotted: a number, a row or a field of numbers, made small before it travels.

What stands out stays seen: of a row each bin has its least and its greatest number, and a bin or cell with a NaN in it
is NaN. Complex numbers are plotted by their size.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from pxshell.protocol.message import Buffer
from pxshell.values.numbers import (
    LARGEST,
    ListNumbers,
    NumpyNumbers,
    is_masked,
    numbers_in,
    numpy_if_loaded,
    plain_number,
)

__all__ = ["Picture", "picture_of", "place_of"]


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn of one value.

    Attributes:
        shape: Of the value: () for a number, (n,) for a row, (rows, columns) for a field.
        dtype: Its type, as people write it.
        rows: Rows of numbers: one for a number or a short row; least and greatest of a long row; those of a field.
    """

    shape: tuple[int, ...]
    dtype: str
    rows: tuple[tuple[float, ...], ...]

    @property
    def numbers(self) -> list[float]:
        """All numbers that are finite."""
        return [x for row in self.rows for x in row if math.isfinite(x)]

    def to_content(self) -> tuple[dict[str, Any], list[Buffer]]:
        """Return what travels: content, and the numbers as a buffer."""
        flat = array("d", [x for row in self.rows for x in row])
        content = {"shape": list(self.shape), "dtype": self.dtype, "rows": len(self.rows)}
        return content, [flat.tobytes()]

    @classmethod
    def from_content(cls, content: Mapping[str, Any], buffers: Sequence[Buffer]) -> Self:
        """Read what `to_content` wrote."""
        flat = array("d")
        flat.frombytes(bytes(buffers[0]))
        count = max(1, int(content["rows"]))
        length = len(flat) // count
        rows = tuple(tuple(flat[start : start + length]) for start in range(0, count * length, length or 1))
        return cls(tuple(content["shape"]), str(content["dtype"]), rows[:count])


def picture_of(value: Any, limit: int) -> Picture:
    """Make a picture of a value, with at most `limit` numbers along each axis.

    Raises:
        ValueError: it is nothing that can be plotted; the text says what, and what to do.
    """
    value = _with_gaps(value)
    number = plain_number(value)
    if isinstance(number, bool | int | float | complex):
        size = abs(number) if isinstance(number, complex) else float(number)
        return Picture((), type(number).__name__, ((size,),))
    nested = _nested(value)
    if nested is not None:
        return Picture((len(nested), len(nested[0])), "list of lists", _field_of_lists(nested, limit))
    numbers = numbers_in(value if not isinstance(value, list | tuple) else list(value))
    if numbers is None and isinstance(value, list | tuple) and value:
        numbers = _short_row(value)
    if numbers is None or not numbers.has_numbers:
        raise ValueError(f"a {type(value).__name__} cannot be plotted, only numbers and arrays of numbers")
    return _of_array(numbers, limit)


def _with_gaps(value: Any) -> Any:
    """Return a masked array of numbers with NaN for what is masked; all else as it is."""
    if not is_masked(value) or value.dtype.kind not in "biufc" or value.size > LARGEST:
        return value
    return value.astype("complex128" if value.dtype.kind == "c" else "float64").filled(math.nan)


def _short_row(value: Sequence[Any]) -> ListNumbers | None:
    try:
        return ListNumbers(array("d", [float(item) for item in value]), f"{type(value).__name__} of numbers")
    except (TypeError, ValueError, OverflowError):
        return None


def _nested(value: Any) -> list[list[float]] | None:
    """Return a list of equally long lists of numbers; None for all else."""
    if not isinstance(value, list | tuple) or not value or not all(isinstance(row, list | tuple) for row in value):
        return None
    try:
        rows = [[float(item) for item in row] for row in value]
    except (TypeError, ValueError):
        return None
    return rows if rows[0] and len({len(row) for row in rows}) == 1 else None


def _of_array(numbers: Any, limit: int) -> Picture:
    shape = numbers.shape
    if not math.prod(shape):
        raise ValueError(f"an array of shape {shape} has nothing in it to plot")
    if len(shape) > 2:
        raise ValueError(f"an array of {len(shape)} dimensions cannot be plotted: plot a part of it, as in u[0]")
    if isinstance(numbers, NumpyNumbers):
        rows = _field(numbers, limit) if len(shape) == 2 else _row(numbers, limit)
    else:
        rows = _row_of_list(numbers.doubles(0, shape[0]), limit)
    return Picture(shape, numbers.dtype, tuple(tuple(map(float, row)) for row in rows))


def _edges(length: int, limit: int) -> list[int]:
    """Return where the bins of an axis begin."""
    count = min(length, limit)
    return [length * number // count for number in range(count)]


def _row(numbers: NumpyNumbers, limit: int) -> list[Any]:
    """Return a row, or the least and the greatest number of each bin of a long one, which is read bin by bin."""
    length = numbers.shape[0]
    if length <= limit:
        return [_sizes(numbers, 0, length)]
    lows, highs = [], []
    with numpy_if_loaded().errstate(all="ignore"):
        for start, stop in pairwise([*_edges(length, limit), length]):
            sizes = _sizes(numbers, start, stop)
            lows.append(sizes.min())
            highs.append(sizes.max())
    return [lows, highs]


def _field(numbers: NumpyNumbers, limit: int) -> Any:
    """Return the means of the cells of a field, which is read strip by strip."""
    numpy = numpy_if_loaded()
    height, width = numbers.shape
    down, across = (_edges(length, limit) for length in numbers.shape)
    widths = numpy.diff([*across, width])
    rows = []
    with numpy.errstate(all="ignore"):
        for top, bottom in pairwise([*down, height]):
            strip = _sizes(numbers, top * width, bottom * width).reshape(-1, width)
            sums = numpy.add.reduceat(strip.sum(axis=0), across)
            if not numpy.isfinite(sums).all():  # of finite numbers the mean is finite, though their sum may not be
                shares = (strip / (bottom - top) / numpy.repeat(widths, widths)).sum(axis=0)
                rows.append(numpy.add.reduceat(shares, across))
            else:
                rows.append(sums / (widths * (bottom - top)))
    return rows


def _sizes(numbers: NumpyNumbers, start: int, stop: int) -> Any:
    row = numbers.doubles(start, stop)
    numpy = numpy_if_loaded()
    return numpy.hypot(row[::2], row[1::2]) if numbers.width == 2 else row


def _row_of_list(row: Sequence[float], limit: int) -> list[list[float]]:
    if len(row) <= limit:
        return [list(row)]
    edges = [*_edges(len(row), limit), len(row)]
    bins = [row[start:stop] for start, stop in pairwise(edges)]
    return [[_least(bin_, min) for bin_ in bins], [_least(bin_, max) for bin_ in bins]]


def _least(row: Sequence[float], of: Any) -> float:
    return math.nan if any(map(math.isnan, row)) else float(of(row))


def _field_of_lists(rows: list[list[float]], limit: int) -> tuple[tuple[float, ...], ...]:
    down, across = [*_edges(len(rows), limit), len(rows)], [*_edges(len(rows[0]), limit), len(rows[0])]
    return tuple(
        tuple(
            sum(x for row in rows[top:bottom] for x in row[left:right]) / ((bottom - top) * (right - left))
            for left, right in pairwise(across)
        )
        for top, bottom in pairwise(down)
    )


def place_of(value: Any) -> list[list[int]]:
    """Read where a rank's part lies.

    Slices of the whole field, `(slice(0, 64), slice(64, 128))`, are starts and stops; the coordinates of the part in
    the grid of parts, `(0, 1)`, are single numbers.

    Raises:
        ValueError: it is neither.
    """
    items = list(value) if isinstance(value, list | tuple) else [value]
    numpy = numpy_if_loaded()
    if numpy is not None and isinstance(value, numpy.ndarray):
        items = value.tolist()
    if items and all(isinstance(item, slice) and _is_span(item) for item in items):
        return [[int(item.start or 0), int(item.stop)] for item in items]
    try:
        return [[item.__index__()] for item in items]
    except AttributeError:
        what = "slices of the whole field, or coordinates in the grid of ranks"
        raise ValueError(f"where a part lies is told by {what}, not by {value!r}") from None


def _is_span(item: slice) -> bool:
    return item.stop is not None and item.step in (None, 1) and item.stop >= 0 and (item.start or 0) >= 0
