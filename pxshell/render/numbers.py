"""Numbers among answers: read from their text, and told in three."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from pxshell.render.events import Answer

__all__ = ["number_in", "spread_of"]

_NUMPY = re.compile(r"np\.(?:float|u?int)\d+\((.*)\)")


def number_in(text: str) -> float | None:
    """Return the number that a text is, as Python or NumPy prints it; None when it is none."""
    wrapped = _NUMPY.fullmatch(text.strip())
    try:
        return float(wrapped[1] if wrapped else text)
    except ValueError:
        return None


def spread_of(answers: Iterable[Answer]) -> str:
    """Return `min 1, median 2, max 9` over all ranks of the answers; "" unless all are numbers."""
    counted: list[tuple[float, int]] = []
    for answer in answers:
        number = number_in(answer.text)
        if number is None:
            return ""
        if not math.isnan(number):
            counted.append((number, len(answer.ranks)))
    if not counted:
        return ""
    counted.sort()
    return f"min {counted[0][0]:.6g}, median {_median(counted):.6g}, max {counted[-1][0]:.6g}"


def _median(counted: list[tuple[float, int]]) -> float:
    """Return the median of sorted numbers with how often each occurs."""
    total = sum(count for _, count in counted)
    return (_at(counted, (total - 1) // 2) + _at(counted, total // 2)) / 2


def _at(counted: list[tuple[float, int]], position: int) -> float:
    for number, count in counted:
        if position < count:
            return number
        position -= count
    raise AssertionError("a position beyond the last number")
