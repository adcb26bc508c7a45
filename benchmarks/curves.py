"""Growth curves as SVG: log-log, one panel for each kind, the fitted exponent beside each curve."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

__all__ = ["Curve", "drawing", "exponent"]

_COLOURS = ("#0b6e99", "#b5482a", "#4a7c3f", "#7b4ea3", "#a07d1c", "#555555", "#c2478a")
_PANEL = (360, 260)
_LEFT, _TOP, _LEGEND = 60, 34, 20


@dataclass(frozen=True)
class Curve:
    """Points of one piece of work, in one panel."""

    panel: str
    name: str
    points: Sequence[tuple[float, float]]


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """Return b of the y = a x^b that fits best in the logarithms."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    middle_x, middle_y = (sum(values) / len(logs) for values in zip(*logs, strict=True))
    spread = sum((x - middle_x) ** 2 for x, _ in logs)
    return sum((x - middle_x) * (y - middle_y) for x, y in logs) / spread


def drawing(curves: Sequence[Curve], across: str, upwards: str) -> str:
    """Return the SVG."""
    panels = list(dict.fromkeys(curve.panel for curve in curves))
    rows = max(sum(curve.panel == panel for curve in curves) for panel in panels)
    width = len(panels) * (_PANEL[0] + _LEFT + 20)
    height = _TOP + _PANEL[1] + 50 + rows * _LEGEND
    ends = [_decades(values) for values in zip(*(point for curve in curves for point in curve.points), strict=True)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="12">',
        "<style>text { font-family: sans-serif }</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, panel in enumerate(panels):
        left = _LEFT + number * (_PANEL[0] + _LEFT + 20)
        parts += _axes(left, panel, ends[0], ends[1], across, upwards)
        shown = [curve for curve in curves if curve.panel == panel]
        for row, (curve, colour) in enumerate(zip(shown, _COLOURS, strict=False)):
            parts += _curve(left, row, curve, colour, ends)
    return "\n".join([*parts, "</svg>", ""])


def _decades(values: Iterable[float]) -> tuple[int, int]:
    logs = [math.log10(value) for value in values]
    return math.floor(min(logs)), math.ceil(max(logs))


def _at(left: int, x: float, y: float, ends: Sequence[tuple[int, int]]) -> tuple[float, float]:
    (x0, x1), (y0, y1) = ends
    across = left + (math.log10(x) - x0) / (x1 - x0) * _PANEL[0]
    return round(across, 1), round(_TOP + _PANEL[1] - (math.log10(y) - y0) / (y1 - y0) * _PANEL[1], 1)


def _axes(left: int, title: str, xs: tuple[int, int], ys: tuple[int, int], across: str, upwards: str) -> list[str]:
    bottom = _TOP + _PANEL[1]
    parts = [
        f'<text x="{left}" y="14" font-weight="bold">{escape(title)}</text>',
        f'<text x="{left}" y="28" fill="#555">{escape(upwards)}</text>',
    ]
    for decade in range(xs[0], xs[1] + 1):
        x, _ = _at(left, 10**decade, 10 ** ys[0], (xs, ys))
        parts.append(f'<path d="M{x} {_TOP}V{bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{10**decade:,}</text>')
    for decade in range(ys[0], ys[1] + 1):
        _, y = _at(left, 10 ** xs[0], 10.0**decade, (xs, ys))
        parts.append(f'<path d="M{left} {y}H{left + _PANEL[0]}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{10.0**decade:g}</text>')
    parts.append(f'<text x="{left + _PANEL[0]}" y="{bottom + 32}" text-anchor="end">{escape(across)}</text>')
    return parts


def _curve(left: int, row: int, curve: Curve, colour: str, ends: Sequence[tuple[int, int]]) -> list[str]:
    places = [_at(left, x, y, ends) for x, y in curve.points]
    line = " ".join(f"{x},{y}" for x, y in places)
    y = _TOP + _PANEL[1] + 50 + row * _LEGEND
    told = f"{escape(curve.name)}: ranks^{exponent(curve.points):.2f}"
    return [
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{x}" cy="{y_}" r="3" fill="{colour}"/>' for x, y_ in places),
        f'<path d="M{left} {y - 4}h22" stroke="{colour}" stroke-width="2"/>',
        f'<text x="{left + 28}" y="{y}">{told}</text>',
    ]
