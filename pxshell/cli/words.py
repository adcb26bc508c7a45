"""Numbers and tables as people read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

__all__ = ["age_in_words", "json_line", "ranks_folded", "ranks_in_words", "table"]

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def age_in_words(seconds: float) -> str:
    """Write an age in its largest unit: `31 s`, `2 min`, `3 h`, `5 d`."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def ranks_folded(count: int) -> str:
    """Write all ranks of a world as a rank set; "" when their number is not known."""
    return f"0-{count - 1}" if count > 1 else "0" * count


def ranks_in_words(count: int, launcher: str = "", mpi: str = "") -> str:
    """Write `4 MPI ranks (MPICH 5.0.2)`, `1 rank`."""
    kind = "MPI " if launcher == "mpi" else ""
    make = f" ({mpi})" if mpi else ""
    return f"{count} {kind}rank{'' if count == 1 else 's'}{make}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write rows in columns as wide as their widest entry."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (zip(line, widths, strict=True) for line in lines)
    return "\n".join("  ".join(cell.ljust(width) for cell, width in line).rstrip() for line in padded)


def json_line(type_: str, ranks: str, text: str, **facts: Any) -> str:
    """Write one object of `--json`: every line has `ranks`, `type` and `text`."""
    return json.dumps({"ranks": ranks, "type": type_, "text": text, **facts}, ensure_ascii=False)
