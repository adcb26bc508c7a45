"""Digests of an array, block by block: what differs is found without moving the rest."""

from __future__ import annotations

import math

# Not from hashlib, which loads OpenSSL into every rank.
from _blake2 import blake2b
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pxshell.values.numbers import Numbers, numpy_if_loaded
from pxshell.values.tolerance import Tolerance

__all__ = ["BLOCKS", "Blocks", "Scan", "block_length", "blocks_of", "digest", "scan"]

#: Blocks of an array at most: each costs up to 24 bytes on the wire.
BLOCKS = 256
#: Elements of a block at least.
_SHORTEST = 1024
_DIGEST_BYTES = 8
_WHOLE_BYTES = 16


def digest(raw: bytes, size: int = _DIGEST_BYTES) -> bytes:
    """Return the digest of bytes."""
    return blake2b(raw, digest_size=size).digest()


def block_length(size: int) -> int:
    """Return how many elements a block of an array of `size` has; equal for equal sizes."""
    return max(_SHORTEST, -(-size // BLOCKS))


def _starts(numbers: Numbers) -> range:
    size = math.prod(numbers.shape)
    return range(0, size, block_length(size))


@dataclass(slots=True)
class Scan:
    """One pass over an array: its digest and its statistics, NaN left out; None where there are none."""

    digest: bytes = b""
    nan: int = 0
    least: float | None = None
    most: float | None = None
    mean: float | None = None


@dataclass(slots=True)
class _Sums:
    """Statistics so far."""

    nan: int = 0
    count: int = 0
    total: float = 0.0
    extremes: list[float] = field(default_factory=list)

    def add(self, row: Any, width: int) -> None:
        numpy = numpy_if_loaded()
        if numpy is None or not isinstance(row, numpy.ndarray):
            good = [x for x in row if x == x]  # noqa: PLR0124 - NaN
            self._count(len(row), len(good), _sum(good))
            least_and_most = (min(good), max(good)) if good else ()
        else:
            with numpy.errstate(all="ignore"):
                size = numpy.hypot(row[::2], row[1::2]) if width == 2 else row
                good = size[~numpy.isnan(size)]
                self._count(len(size), len(good), float(good.sum()))
            least_and_most = (float(good.min()), float(good.max())) if len(good) else ()
        if least_and_most:
            lows, highs = zip(*([self.extremes] if self.extremes else []), least_and_most, strict=True)
            self.extremes = [min(lows), max(highs)]

    def _count(self, all_of_them: int, good: int, total: float) -> None:
        self.nan += all_of_them - good
        self.count += good
        self.total += total


def _sum(row: Sequence[float]) -> float:
    try:
        return math.fsum(row)
    except (OverflowError, ValueError):  # finite numbers with an infinite sum, infinities of both signs
        return sum(row)


def scan(numbers: Numbers) -> Scan:
    """Read an array once. The extremes and the mean of complex numbers are those of their sizes."""
    whole = blake2b(digest_size=_WHOLE_BYTES)
    sums = _Sums()
    starts = _starts(numbers)
    for start in starts:
        whole.update(digest(numbers.raw(start, start + starts.step)))
        if numbers.has_numbers:
            sums.add(numbers.doubles(start, start + starts.step), numbers.width)
    if not sums.count:
        return Scan(whole.digest(), sums.nan)
    least, most = sums.extremes
    return Scan(whole.digest(), sums.nan, least, most, sums.total / sums.count)


@dataclass(frozen=True, slots=True)
class Blocks:
    """The digests of an array's blocks: of its elements, and of the cells that they lie in (see `Tolerance.cells`).

    A block without cells has `b""` there and is the same only as an equal one.
    """

    exact: tuple[bytes, ...]
    near: tuple[tuple[bytes, bytes], ...] = ()

    def whole(self) -> bytes:
        """Return the digest of the array, as `scan` gives it."""
        return blake2b(b"".join(self.exact), digest_size=_WHOLE_BYTES).digest()

    def unlike(self, other: Blocks) -> list[int]:
        """Return the numbers of the blocks that may differ from another array's; all others are the same."""
        return [number for number in range(len(self.exact)) if not self._is_like(other, number)]

    def _is_like(self, other: Blocks, number: int) -> bool:
        if self.exact[number] == other.exact[number]:
            return True
        pairs = zip(self.near[number], other.near[number], strict=True) if self.near and other.near else ()
        return any(mine and mine == theirs for mine, theirs in pairs)


def blocks_of(numbers: Numbers, tolerance: Tolerance) -> Blocks:
    """Return the digests of an array's blocks."""
    starts = _starts(numbers)
    ends = [(start, start + starts.step) for start in starts]
    exact = tuple(digest(numbers.raw(*end)) for end in ends)
    numpy = numpy_if_loaded()
    if tolerance.is_exact or not numbers.is_inexact or numpy is None:
        return Blocks(exact)
    rows = (numpy.asarray(numbers.doubles(*end), numpy.float64) for end in ends)
    return Blocks(exact, tuple(_near(tolerance.cells(row, numpy)) for row in rows))


def _near(cells: tuple[Any, Any] | None) -> tuple[bytes, bytes]:
    if cells is None:
        return b"", b""
    one, other = (digest(grid.tobytes()) for grid in cells)
    return one, other
