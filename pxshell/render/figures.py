"""Plots as images, by matplotlib, which is in the extra `plot`: no window, no state of pyplot's."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

from pxshell.errors import UsageError
from pxshell.render.events import Panel, Plot

__all__ = ["draw"]

_DPI = 100
_MAX_LEGEND = 12
_MAX_BARS = 64
#: From the least to the greatest number; matplotlib puts margins on both sides, in double precision.
_WIDEST = 1e300


def draw(plot: Plot, format: str = "png") -> bytes:  # noqa: A002 - matplotlib's word
    """Return a plot as a file of an image: `png`, `svg` or `pdf`.

    Raises:
        UsageError: matplotlib is not installed here, or its axes cannot hold the numbers.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError('a figure needs matplotlib here: pip install "pxshell[plot]"') from None
    _check_range(plot)
    figure = Figure(figsize=(7.5, 4.5), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    shape = plot.panels[0].picture.shape
    figure.suptitle(plot.title, fontsize="medium", family="monospace")
    if len(shape) == 2:
        _fields(figure, plot.panels)
    elif len(shape) == 1:
        _rows(figure, plot.panels)
    else:
        _numbers(figure, plot.panels)
    file = io.BytesIO()
    figure.savefig(file, format=format)
    return file.getvalue()


def _check_range(plot: Plot) -> None:
    numbers = [x for panel in plot.panels for x in panel.picture.numbers]
    low, high = min(numbers, default=0.0), max(numbers, default=0.0)
    if high - low > _WIDEST:
        raise UsageError(f"numbers from {low:.4g} to {high:.4g} lie too far apart for a figure")


def _numbers(figure: Any, panels: Sequence[Panel]) -> None:
    axes = figure.subplots()
    by_rank = sorted((rank, panel.picture.rows[0][0]) for panel in panels for rank in panel.ranks)
    ranks, numbers = zip(*by_rank, strict=True)
    if len(ranks) <= _MAX_BARS:
        axes.bar(ranks, numbers, width=0.8)
        axes.set_xticks(ranks if len(ranks) <= 32 else ranks[:: max(1, len(ranks) // 16)])
    else:
        axes.plot(ranks, numbers, ".-", markersize=3)
    axes.set_xlim(ranks[0] - 0.6, ranks[-1] + 0.6)
    for rank, number in by_rank:
        if math.isnan(number):
            axes.annotate("NaN", (rank, 0), ha="center", va="bottom", color="red")
    axes.set_xlabel("rank")


def _rows(figure: Any, panels: Sequence[Panel]) -> None:
    axes = figure.subplots()
    for panel in panels:
        rows = panel.picture.rows
        step = panel.picture.shape[0] / max(1, len(rows[0]))
        start = panel.place[0][0] if panel.place else 0
        where = [start + step * number for number in range(len(rows[0]))]
        (line,) = axes.plot(where, rows[0], linewidth=1, label=f"[{panel.ranks}]")
        if len(rows) == 2:
            axes.plot(where, rows[1], linewidth=1, color=line.get_color())
            axes.fill_between(where, rows[0], rows[1], alpha=0.3, color=line.get_color())
    axes.set_xlabel("index")
    if len(panels) <= _MAX_LEGEND:
        axes.legend(fontsize="small")


def _fields(figure: Any, panels: Sequence[Panel]) -> None:
    numbers = [x for panel in panels for x in panel.picture.numbers]
    limits = {"vmin": min(numbers, default=0.0), "vmax": max(numbers, default=1.0)}
    if panels[0].place:
        height, width = (max(panel.place[axis][1] for panel in panels) for axis in (0, 1))
        figure.set_size_inches(min(12.0, max(3.5, 4.5 * width / height + 1)), 4.5)
        axes = figure.subplots()
        figure.colorbar(_one_field(axes, panels, limits), ax=axes)
        return
    across = math.ceil(math.sqrt(len(panels)))
    down = -(-len(panels) // across)
    figure.set_size_inches(min(16, max(5.0, 2.4 * across + 1)), min(16, max(3.0, 2.4 * down + 0.5)))
    grid = figure.subplots(down, across, squeeze=False)
    image = None
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.set_axis_off()
            continue
        panel = panels[number]
        height, width = panel.picture.shape
        image = _image(axes, panel, (0, width, height, 0), limits)
        axes.set_title(f"[{panel.ranks}]", fontsize="small", family="monospace")
        axes.tick_params(labelsize="x-small")
    figure.colorbar(image, ax=list(grid.flat))


def _one_field(axes: Any, panels: Sequence[Panel], limits: dict[str, float]) -> Any:
    image = None
    for panel in panels:
        (top, bottom), (left, right) = panel.place
        image = _image(axes, panel, (left, right, bottom, top), limits)
        axes.add_patch(_frame(left, top, right - left, bottom - top))
        if len(panels) <= 64:
            label = f"[{panel.ranks}]"
            axes.annotate(label, (left, top), (3, -3), textcoords="offset points", va="top", color="white", fontsize=8)
    axes.set_xlim(min(panel.place[1][0] for panel in panels), max(panel.place[1][1] for panel in panels))
    axes.set_ylim(max(panel.place[0][1] for panel in panels), min(panel.place[0][0] for panel in panels))
    axes.set_aspect("equal")
    return image


def _image(axes: Any, panel: Panel, extent: tuple[int, int, int, int], limits: dict[str, float]) -> Any:
    import matplotlib as mpl

    colours = mpl.colormaps["viridis"].with_extremes(bad="red")
    rows = [[x if math.isfinite(x) else math.nan for x in row] for row in panel.picture.rows]
    return axes.imshow(rows, extent=extent, cmap=colours, interpolation="nearest", aspect="equal", **limits)


def _frame(left: int, top: int, width: int, height: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((left, top), width, height, fill=False, edgecolor="white", linewidth=0.6, alpha=0.7)
