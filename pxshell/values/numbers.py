"""Arrays as rows of numbers, read in stretches: NumPy's, torch's, and plain lists of numbers."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Sequence
from typing import Any, Protocol

__all__ = ["Numbers", "is_masked", "numbers_in", "numpy_if_loaded", "plain_number"]

#: A list of so many numbers of one type is described as an array; a shorter one item by item.
_LONG = 17
_TYPECODES = {float: "d", int: "q"}
#: Elements of an array that is read; more are views of few numbers, or take minutes.
LARGEST = 2**32


class Numbers(Protocol):
    """An array, whatever it is made of."""

    @property
    def dtype(self) -> str:
        """Its type as people write it: `float64`, `list of float`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""

    @property
    def width(self) -> int:
        """Numbers in one element: 2 for complex, else 1."""

    @property
    def is_inexact(self) -> bool:
        """Whether a tolerance applies: floating point; integers, truth and times are compared exactly."""

    @property
    def has_numbers(self) -> bool:
        """Whether minimum, maximum and mean mean anything."""

    def raw(self, start: int, stop: int) -> bytes:
        """Return elements as bytes, equal for equal ones: one NaN, one zero."""

    def doubles(self, start: int, stop: int) -> Any:
        """Return elements in double precision, a complex one as two: a NumPy array, or an `array.array`."""


def numpy_if_loaded() -> Any:
    """Return NumPy if this process has imported it; we never do."""
    return sys.modules.get("numpy")


def plain_number(value: Any) -> Any:
    """Return a number of NumPy's or a tensor of no dimension as Python's own; all else as it is."""
    if is_masked(value):
        return value
    for module, name in (("numpy", "generic"), ("numpy", "ndarray"), ("torch", "Tensor")):
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(value, kind) and not value.ndim:
            return value.item()
    return value


def is_masked(value: Any) -> bool:
    """Tell whether a value is a masked array of NumPy's, of any number of dimensions."""
    masked = getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)
    return masked is not None and isinstance(value, masked)


def numbers_in(value: Any) -> Numbers | None:
    """Return an array's numbers; None for what is no array, or one of Python objects or records, or masked.

    Raises:
        ValueError: it has more than `LARGEST` elements.
    """
    numpy = numpy_if_loaded()
    found = _as_ndarray(value, numpy) if numpy is not None else None
    if found is not None:
        return NumpyNumbers(found, numpy) if found.dtype.kind in "biufcmMSU" else None
    if isinstance(value, array) and value.typecode != "u":
        return ListNumbers(value, f"array of {value.typecode}")
    return _listed(value) if isinstance(value, list | tuple) and len(value) >= _LONG else None


def _as_ndarray(value: Any, numpy: Any) -> Any:
    """Return an ndarray, also of a torch tensor; None for what is neither. 0-dimensional ones are numbers."""
    if isinstance(value, numpy.ndarray):
        return _read(value, value.size) if value.ndim and not is_masked(value) else None
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(value, torch.Tensor) or not value.ndim:
        return None
    plain = _read(value, math.prod(value.shape)).detach().cpu()
    return (plain.float() if plain.dtype is torch.bfloat16 else plain).numpy()


def _read(value: Any, size: int) -> Any:
    """Return an array that is not too large to be read."""
    if size > LARGEST:
        shape = tuple(value.shape)
        raise ValueError(f"an array of shape {shape} is too large to read: name a part of it, as in u[:1000, :1000]")
    return value


def _listed(value: Sequence[Any]) -> Numbers | None:
    kind = type(value[0])
    if kind not in _TYPECODES or any(type(item) is not kind for item in value):
        return None
    try:
        return ListNumbers(array(_TYPECODES[kind], value), f"{type(value).__name__} of {kind.__name__}")
    except OverflowError:  # Python's integers have no limit; these are described item by item
        return None


class NumpyNumbers:
    """A NumPy array of one dimension or more, in C order; nothing of it is copied but the stretch that is read."""

    def __init__(self, array: Any, numpy: Any) -> None:
        self._numpy = numpy
        self._flat = array.reshape(-1) if array.flags.c_contiguous else array.flat
        self._type = array.dtype
        self.dtype = str(array.dtype)
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.width = 2 if array.dtype.kind == "c" else 1
        self.is_inexact = array.dtype.kind in "fc"
        self.has_numbers = array.dtype.kind in "biufc"

    def raw(self, start: int, stop: int) -> bytes:
        """Return elements as bytes; see `Numbers`."""
        piece = self._flat[start:stop]
        if not self.is_inexact:
            return bytes(piece.tobytes())
        piece = self._numpy.ascontiguousarray(piece)
        # Both zeros become 0.0, and each NaN the one that Python has. A complex number has two of each.
        real = piece.view(self._type.type(0).real.dtype) if self.width == 2 else piece
        with self._numpy.errstate(all="ignore"):
            real = real + real.dtype.type(0)
        real[self._numpy.isnan(real)] = self._numpy.nan
        return bytes(real.tobytes())

    def doubles(self, start: int, stop: int) -> Any:
        """Return elements in double precision; see `Numbers`."""
        piece = self._flat[start:stop]
        if self.width == 2:
            return self._numpy.ascontiguousarray(piece, self._numpy.complex128).view(self._numpy.float64)
        return self._numpy.asarray(piece, self._numpy.float64)


class ListNumbers:
    """A row of numbers without NumPy."""

    def __init__(self, row: array[Any], dtype: str) -> None:
        self._row = row
        self.dtype = dtype
        self.shape: tuple[int, ...] = (len(row),)
        self.width = 1
        self.is_inexact = row.typecode in "fd"
        self.has_numbers = True

    def raw(self, start: int, stop: int) -> bytes:
        """Return elements as bytes; see `Numbers`."""
        piece = self._row[start:stop]
        if self.is_inexact:
            piece = array(piece.typecode, [x + 0.0 if x == x else float("nan") for x in piece])  # noqa: PLR0124 - NaN
        return piece.tobytes()

    def doubles(self, start: int, stop: int) -> Any:
        """Return elements in double precision; see `Numbers`."""
        return array("d", self._row[start:stop])
