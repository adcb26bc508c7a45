"""Figures: what was measured, with what it is compared to, as a table and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Figure", "percentile", "table"]


@dataclass(frozen=True)
class Figure:
    """One figure: medians of ours and of the peer in the same unit, and what the target says."""

    group: str
    name: str
    unit: str
    ours: float
    #: What it is compared to, and its median; "" and None without a peer.
    peer_name: str = ""
    peer: float | None = None
    target: str = ""
    #: Whether the target is met; None where there is none.
    met: bool | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's."""
        return self.ours / self.peer if self.peer else None

    def as_json(self) -> dict[str, Any]:
        """Return what is written to a file."""
        return {**asdict(self), "ratio": self.ratio}


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table for each group."""
    lines: list[str] = []
    for group in dict.fromkeys(figure.group for figure in figures):
        rows = [_row(figure) for figure in figures if figure.group == group]
        rows.insert(0, (group, "pxshell", "peer", "ratio", "target", "note"))
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
        padded.insert(1, ["-" * width for width in widths])
        lines += ["| " + " | ".join(row) + " |" for row in padded]
        lines.append("")
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    peer = f"{_number(figure.peer)} {figure.unit} ({figure.peer_name})" if figure.peer is not None else ""
    ratio = f"{figure.ratio:.3g}" if figure.ratio is not None else ""
    verdict = {True: ": met", False: ": MISSED", None: ""}[figure.met]
    ours = f"{_number(figure.ours)} {figure.unit}"
    return figure.name, ours, peer, ratio, figure.target + verdict, figure.note


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile; the worst value when there are few."""
    if len(values) < 2:
        return max(values)
    return min(max(values), statistics.quantiles(values, n=100, method="inclusive")[percent - 1])
