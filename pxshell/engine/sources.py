"""Lines of source as this rank has them: of its files, its cells, and what loaders give. Any thread."""

from __future__ import annotations

import linecache

__all__ = ["MOST_LINES", "source_line", "source_lines"]

MOST_LINES = 400
"""So many lines are given at once."""
_LONGEST = 400  # characters of a line: one of generated code may be a megabyte


def source_line(file: str, line: int) -> str:
    """Return a line without blanks around it; "" if there is none."""
    return linecache.getline(file, line).strip()[:_LONGEST]


def source_lines(file: str, first: int, count: int) -> tuple[int, list[str]]:
    """Return the number of the first line, at least 1, and at most `count` lines from there."""
    first = max(1, first)
    lines = linecache.getlines(file)[first - 1 : first - 1 + max(0, min(count, MOST_LINES))]
    return first, [line.rstrip("\n")[:_LONGEST] for line in lines]
