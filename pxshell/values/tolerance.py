"""When two numbers are the same: within a relative or an absolute tolerance, NaN like NaN."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

__all__ = ["EXACT", "Tolerance"]

#: Cells of the grids are half a tolerance wide, which leaves the other half to rounding.
_CELLS = 2.0
#: Above so many cells from zero, double precision no longer tells neighbours apart.
_FARTHEST = 2.0**50


@dataclass(frozen=True, slots=True)
class Tolerance:
    """`|a - b| <= atol + rtol * max(|a|, |b|)`: as `math.isclose`, the same both ways round.

    Both are 0 or more; with both 0 only equal numbers are the same (0.0 and -0.0 are, NaN and NaN too).
    """

    rtol: float = 1e-9
    atol: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.rtol < 1 and 0 <= self.atol < math.inf):
            raise ValueError(f"a tolerance is 0 or more (rtol below 1), not rtol {self.rtol:g}, atol {self.atol:g}")

    @property
    def is_exact(self) -> bool:
        """Whether only equal numbers are the same."""
        return not (self.rtol or self.atol)

    def __str__(self) -> str:
        parts = [f"{name} {value:g}" for name, value in (("rtol", self.rtol), ("atol", self.atol)) if value]
        return ", ".join(parts) or "no tolerance"

    def to_content(self) -> dict[str, float]:
        """Return the form that travels."""
        return {"rtol": self.rtol, "atol": self.atol}

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_content` wrote."""
        return cls(float(content["rtol"]), float(content["atol"]))

    def is_same(self, a: float, b: float) -> bool:
        """Tell whether two numbers are the same."""
        if a == b or (a != a and b != b):  # noqa: PLR0124 - NaN
            return True
        if math.isinf(a) or math.isinf(b):
            return False
        return abs(a - b) <= self.atol + self.rtol * max(abs(a), abs(b))

    def cells(self, x: Any, numpy: Any) -> tuple[Any, Any] | None:
        """Return the cells of numbers in two shifted grids, as integers; None where no grid is fine enough.

        Numbers in one cell of either grid are the same: the grid is even in a measure in which the tolerance is 1
        everywhere, the integral of `1 / (atol + rtol * |x|)`. Numbers in different cells may still be the same.

        Args:
            x: A NumPy array of double precision.
            numpy: The module, which this package does not import.
        """
        if self.is_exact:
            return None
        size = numpy.abs(x)
        with numpy.errstate(all="ignore"):
            measured = self._measured(size, numpy) * _CELLS
            is_special = ~numpy.isfinite(x) | ((x == 0) & (self.atol == 0))
            if (numpy.abs(measured) > _FARTHEST).any(where=~is_special):
                return None
            one, other = (self._numbered(measured + shift, x, is_special, numpy) for shift in (0.0, 0.5))
            return one, other

    def _measured(self, size: Any, numpy: Any) -> Any:
        if not self.rtol:
            return size / self.atol
        if not self.atol:
            return numpy.log(size) / self.rtol
        return numpy.log1p(size * (self.rtol / self.atol)) / self.rtol

    def _numbered(self, measured: Any, x: Any, is_special: Any, numpy: Any) -> Any:
        """Number cells so that the sign is part of the number; 0, infinities and NaN have numbers of their own."""
        cells = numpy.where(is_special, 0, numpy.floor(measured)).astype(numpy.int64) * 4 + numpy.where(x < 0, 1, 2)
        kinds = numpy.where(x == 0, 0, numpy.where(x != x, 3, numpy.where(x < 0, -4, 4)))  # noqa: PLR0124 - NaN
        # Multiples of 4 and 3 modulo 4 are free: no finite number's cell has them.
        return numpy.where(is_special, kinds, cells)


EXACT = Tolerance(0.0, 0.0)
