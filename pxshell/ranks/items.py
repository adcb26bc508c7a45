"""The items of a rank set: ``3``, ``0-3``, ``0-15/2`` and slices such as ``2:8:2``, read into ranges."""

from __future__ import annotations

import re
from typing import NoReturn

from pxshell.errors import RankSetError
from pxshell.ranks.bitmap import MAX_RANKS

__all__ = ["is_plain", "scan_item", "scan_plain"]

_NUMBER = re.compile("[0-9]+")
_PLAIN = re.compile(r"[0-9]+(?:-[0-9]+(?:/[0-9]+)?)?(?:,[0-9]+(?:-[0-9]+(?:/[0-9]+)?)?)*")
_DIGITS = len(str(MAX_RANKS))


def is_plain(text: str) -> bool:
    """Return whether the text is numbers, ranges and commas only, as rank sets print themselves."""
    return _PLAIN.fullmatch(text) is not None


def scan_plain(text: str) -> list[range]:
    """Return the ranges of a printed rank set; ``RankSetError`` when it is none."""
    if not text:
        return []
    ranges = []
    position = 0
    while True:
        item, position = _scan_plain_item(text, position)
        ranges.append(item)
        if position == len(text):
            return ranges
        if text[position] != ",":
            _refuse("expected a comma, as in 0-3,7", text, position)
        position += 1


def scan_item(text: str, position: int, end: int) -> tuple[range, int]:
    """Return the item at ``position``, slices too, and the position after it; open slices reach up to ``end``."""
    number, after = _scan_number(text, position) if text[position : position + 1] != ":" else (0, position)
    if text[after : after + 1] == ":":
        return _scan_slice(text, position, number, after, end)
    return _scan_plain_item(text, position)


def _scan_plain_item(text: str, position: int) -> tuple[range, int]:
    """Read ``3``, ``0-3`` or ``0-15/2``."""
    first, after = _scan_number(text, position)
    if text[after : after + 1] != "-":
        return range(first, first + 1), after
    last, stop = _scan_number(text, after + 1)
    if last < first:
        _refuse(f"a range goes upwards: {last}-{first}", text, position)
    step = 1
    if text[stop : stop + 1] == "/":
        step, stop = _scan_step(text, stop + 1)
    return range(first, last + 1, step), stop


def _scan_slice(text: str, position: int, first: int, after: int, end: int) -> tuple[range, int]:
    """Read the rest of a slice, whose first colon is at ``after``."""
    stop, after = _scan_optional(text, after + 1, end)
    step = 1
    if text[after : after + 1] == ":":
        step, after = _scan_step(text, after + 1) if _NUMBER.match(text, after + 1) else (1, after + 1)
    if stop <= first:
        _refuse(f"no rank is in this slice; its end, {stop}, is not part of it", text, position)
    return range(first, stop, step), after


def _scan_optional(text: str, position: int, default: int) -> tuple[int, int]:
    return _scan_number(text, position) if _NUMBER.match(text, position) else (default, position)


def _scan_step(text: str, position: int) -> tuple[int, int]:
    step, after = _scan_number(text, position)
    if not step:
        _refuse("a step is at least 1", text, position)
    return step, after


def _scan_number(text: str, position: int) -> tuple[int, int]:
    match = _NUMBER.match(text, position)
    if match is None:
        _refuse(_expectation(text, position), text, position)
    digits = match.group().lstrip("0") or "0"
    # Length first: Python refuses to convert very long texts of digits.
    if len(digits) > _DIGITS or int(digits) >= MAX_RANKS:
        _refuse(f"ranks are below {MAX_RANKS}", text, position)
    return int(digits), match.end()


def _expectation(text: str, position: int) -> str:
    if text[position : position + 1] == "-":
        return "there are no negative ranks; the last one is @last"
    return "expected a rank, as in 0-3,7"


def _refuse(message: str, text: str, position: int) -> NoReturn:
    raise RankSetError(message, text, position)
