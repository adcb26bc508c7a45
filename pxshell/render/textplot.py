"""Plots as text: bars or a curve of numbers, curves of rows, shaded panels of fields."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pxshell.render.events import Panel, Plot
from pxshell.render.lines import Line, Span, Style, label_of
from pxshell.render.widths import width_of

__all__ = ["plot_lines"]

#: Numbers of so many groups are bars; of more a curve over the ranks.
MAX_BARS = 24
#: Rows or fields that are drawn; what else there is, a line says.
MAX_PANELS = 16
#: Lines of text that a field, or all curves together, may take.
MAX_LINES = 22
#: From low to high: in plain text, and as numbers of the 256 colours of terminals (viridis, as near as they come).
SHADES = " ░▒▓█"
COLOURS = (53, 54, 60, 24, 30, 36, 35, 71, 77, 113, 149, 184, 226)
NAN_SHADE, NAN_COLOUR = "×", 196  # noqa: RUF001 - the sign is meant
_BLANK = -1

Field = list[list[float | None]]
Item = TypeVar("Item")


def plot_lines(plot: Plot, columns: int) -> list[Line]:
    """Return a plot as lines of text."""
    shape = plot.panels[0].picture.shape
    lines: list[Line] = [(Span(plot.title, Style.GROUP),)]
    if len(shape) == 2:
        lines += _fields(plot.panels, columns)
    elif len(shape) == 1:
        lines += _curves(plot.panels, columns)
    elif len(plot.panels) <= MAX_BARS:
        lines += _bars(plot.panels, columns)
    else:
        lines += _over_ranks(plot.panels, columns)
    return lines


@dataclass(frozen=True, slots=True)
class Scale:
    """From numbers to heights between 0 and 1."""

    low: float
    high: float

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Scale:
        """Return the scale on which all finite numbers lie."""
        finite = [x for x in numbers if math.isfinite(x)]
        return cls(min(finite, default=0.0), max(finite, default=0.0))

    def height(self, number: float) -> float:
        """Return the height of a number that is no NaN; infinities are at the ends, a constant in the middle."""
        if math.isinf(number):
            return 1.0 if number > 0 else 0.0
        if not self.high > self.low:
            return 0.5
        if math.isinf(self.high - self.low):  # in halves the same, of numbers as large as these to the bit
            return (number / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return (number - self.low) / (self.high - self.low)


# Numbers.


def _bars(panels: Sequence[Panel], columns: int) -> list[Line]:
    numbers = [panel.picture.rows[0][0] for panel in panels]
    texts = [f"{number:.6g}" for number in numbers]
    labels = [label_of(panel.ranks) for panel in panels]
    left = max(width_of(label.text) for label in labels) + 2
    width = max(8, columns - left - max(map(len, texts)) - 3)
    scale = Scale.of([0.0, *numbers])
    lines: list[Line] = []
    for panel, number, text in zip(panels, numbers, texts, strict=True):
        bar = "" if math.isnan(number) else _bar(scale, number, width)
        lines.append((label_of(panel.ranks, left), Span(bar, Style.RANK, panel.ranks.first), Span(f" {text}")))
    return lines


def _bar(scale: Scale, number: float, width: int) -> str:
    """Return a bar from zero to a number; it is never empty."""
    start, end = sorted((round(scale.height(0.0) * width), round(scale.height(number) * width)))
    return " " * start + ("█" * (end - start) or "▏")


def _over_ranks(panels: Sequence[Panel], columns: int) -> list[Line]:
    by_rank = {rank: panel.picture.rows[0][0] for panel in panels for rank in panel.ranks}
    ranks = sorted(by_rank)
    row = [by_rank[rank] for rank in ranks]
    scale = Scale.of(row)
    lines = _graph([row], scale, columns, 8)
    nan = sum(map(math.isnan, row))
    told = f"ranks {ranks[0]} to {ranks[-1]}" + (f"; {nan} of them NaN" if nan else "")
    return [*lines, (Span(f"{' ' * _margin(scale)}{told}", Style.DIM),)]


# Rows.


def _curves(panels: Sequence[Panel], columns: int) -> list[Line]:
    scale = Scale.of(x for panel in panels for row in panel.picture.rows for x in row)
    shown = panels[:MAX_PANELS]
    height = max(2, min(6, MAX_LINES // len(shown)))
    lines: list[Line] = []
    for panel in shown:
        nan = sum(map(math.isnan, panel.picture.rows[0]))
        note = f"  {panel.picture.dtype} {panel.picture.shape}{'  NaN in it' if nan else ''}"
        lines.append((label_of(panel.ranks), Span(note, Style.DIM)))
        lines += _graph(panel.picture.rows, scale, columns, height, panel.ranks.first)
    return [*lines, *_not_shown(panels)]


def _margin(scale: Scale) -> int:
    return max(len(f"{scale.low:.4g}"), len(f"{scale.high:.4g}")) + 2


def _graph(rows: Sequence[Sequence[float]], scale: Scale, columns: int, height: int, rank: int = 0) -> list[Line]:
    """Draw least and greatest numbers in dots, two across and four down in each character; NaN leaves a gap."""
    margin = _margin(scale)
    width = max(8, min(columns - margin - 1, 72))
    dots = [[False] * (2 * width) for _ in range(4 * height)]
    before: tuple[int, int] | None = None
    for column, span in enumerate(_spans(rows, 2 * width)):
        if span is None:
            before = None
            continue
        low, high = (round(scale.height(x) * (4 * height - 1)) for x in span)
        bottom = min(low, before[1] + 1) if before else low
        top = max(high, before[0] - 1) if before else high
        for level in range(min(bottom, top), max(bottom, top) + 1):
            dots[4 * height - 1 - level][column] = True
        before = low, high
    labels = {0: f"{scale.high:.4g}", height - 1: f"{scale.low:.4g}"}
    return [
        (Span(f"{labels.get(line, ''):>{margin - 2}} ┤"), Span(_braille(dots, line), Style.RANK, rank))
        for line in range(height)
    ]


def _spans(rows: Sequence[Sequence[float]], count: int) -> list[tuple[float, float] | None]:
    """Return the least and the greatest number for each of so many columns; None for NaN."""
    lows, highs = rows[0], rows[-1]
    spans: list[tuple[float, float] | None] = []
    for column in range(count):
        start = len(lows) * column // count
        stop = max(start + 1, len(lows) * (column + 1) // count)
        low, high = lows[start:stop], highs[start:stop]
        spans.append(None if any(map(math.isnan, [*low, *high])) else (min(low), max(high)))
    return spans


#: Bits of the dots of a Braille character: rows of two.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def _braille(dots: Sequence[Sequence[bool]], line: int) -> str:
    characters = []
    for column in range(0, len(dots[0]), 2):
        bits = sum(
            bit
            for down, pair in enumerate(_DOTS)
            for across, bit in enumerate(pair)
            if dots[4 * line + down][column + across]
        )
        characters.append(chr(0x2800 + bits))
    return "".join(characters)


# Fields.


def _fields(panels: Sequence[Panel], columns: int) -> list[Line]:
    scale = Scale.of(x for panel in panels for row in panel.picture.rows for x in row)
    has_nan = any(math.isnan(x) for panel in panels for row in panel.picture.rows for x in row)
    lines = _one_field(panels, scale, columns) if panels[0].place else _side_by_side(panels, scale, columns)
    return [*lines, _legend(scale, has_nan=has_nan)]


def _one_field(panels: Sequence[Panel], scale: Scale, columns: int) -> list[Line]:
    size = [max(panel.place[axis][1] for panel in panels) for axis in (0, 1)]
    width, height = _fitting((size[0], size[1]), columns - 2, MAX_LINES)
    field: Field = [[None] * width for _ in range(2 * height)]
    for panel in panels:
        top, bottom = (round(2 * height * edge / size[0]) for edge in panel.place[0])
        left, right = (round(width * edge / size[1]) for edge in panel.place[1])
        part = _resampled(panel.picture.rows, max(1, bottom - top), max(1, right - left))
        for down, row in enumerate(part[: 2 * height - top]):
            field[top + down][left : left + len(row)] = row[: width - left]
    return [(span,) for span in _drawn(field, scale)]


def _side_by_side(panels: Sequence[Panel], scale: Scale, columns: int) -> list[Line]:
    shown = panels[:MAX_PANELS]
    across = min(len(shown), max(1, columns // 22), max(2, math.ceil(math.sqrt(len(shown)))))
    down = -(-len(shown) // across)
    shape = shown[0].picture.shape
    room = columns // across - 2
    width, height = _fitting((shape[0], shape[1]), room, max(4, MAX_LINES // down - 1))
    width = max(width, min(room, max(width_of(f"[{panel.ranks}]") for panel in shown)))
    lines: list[Line] = []
    for start in range(0, len(shown), across):
        row = shown[start : start + across]
        lines.append(tuple(label_of(panel.ranks, width + 2) for panel in row))
        drawn = [_drawn(_resampled(panel.picture.rows, 2 * height, width), scale) for panel in row]
        apart = Span("  ")
        lines += [tuple(span for piece in pieces for span in (piece, apart)) for pieces in zip(*drawn, strict=True)]
    return [*lines, *_not_shown(panels)]


def _fitting(shape: tuple[int, int], columns: int, lines: int) -> tuple[int, int]:
    """Return columns and lines for a field of a shape; a character is twice as high as wide."""
    ratio = min(max(shape[0] / shape[1], 0.05), 20.0)
    width = max(4, min(columns, round(2 * lines / ratio)))
    return width, max(2, min(lines, round(width * ratio / 2)))


def _resampled(rows: Sequence[Sequence[float]], height: int, width: int) -> Field:
    """Return a field of another size: means where it gets smaller, NaN where one is among them."""
    return [
        [_mean(part, len(rows[0]), column, width) for column in range(width)]
        for part in (_share(rows, number, height) for number in range(height))
    ]


def _share(items: Sequence[Item], number: int, count: int) -> Sequence[Item]:
    start = len(items) * number // count
    return items[start : max(start + 1, len(items) * (number + 1) // count)]


def _mean(rows: Sequence[Sequence[float]], length: int, number: int, count: int) -> float:
    cells = range(length)
    part = [row[cell] for row in rows for cell in _share(cells, number, count)]
    total = sum(part)
    # Of finite numbers it is finite, though their sum may not be.
    return total / len(part) if math.isfinite(total) else sum(x / len(part) for x in part)


def _drawn(field: Field, scale: Scale) -> list[Span]:
    """Draw two rows of a field in each line."""
    spans = []
    for top, bottom in zip(field[::2], field[1::2], strict=True):
        text = "".join(_shade(pair, scale) for pair in zip(top, bottom, strict=True))
        pixels = tuple((_colour(one, scale), _colour(other, scale)) for one, other in zip(top, bottom, strict=True))
        spans.append(Span(text, pixels=pixels))
    return spans


def _shade(pair: tuple[float | None, float | None], scale: Scale) -> str:
    known = [x for x in pair if x is not None]
    if not known:
        return " "
    if any(map(math.isnan, known)):
        return NAN_SHADE
    height = sum(map(scale.height, known)) / len(known)
    return SHADES[min(len(SHADES) - 1, int(height * len(SHADES)))]


def _colour(number: float | None, scale: Scale) -> int:
    if number is None:
        return _BLANK
    if math.isnan(number):
        return NAN_COLOUR
    return COLOURS[min(len(COLOURS) - 1, int(scale.height(number) * len(COLOURS)))]


def _legend(scale: Scale, *, has_nan: bool) -> Line:
    pixels = tuple((colour, colour) for colour in COLOURS)
    shades = "".join(SHADES[len(SHADES) * number // len(COLOURS)] for number in range(len(COLOURS)))
    legend = [Span(f"{scale.low:.6g} "), Span(shades, pixels=pixels), Span(f" {scale.high:.6g}")]
    if has_nan:
        legend += [Span("   "), Span(NAN_SHADE, pixels=((NAN_COLOUR, NAN_COLOUR),)), Span(" NaN")]
    return tuple(legend)


def _not_shown(panels: Sequence[Panel]) -> list[Line]:
    rest = len(panels) - MAX_PANELS
    return [(Span(f"… {rest} more; fewer ranks: -t RANKS, all: --save FILE", Style.DIM),)] if rest > 0 else []
