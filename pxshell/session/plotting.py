"""`%pxplot`: values over the ranks as a plot; arrays are made small on the ranks before they travel."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pxshell.errors import UsageError
from pxshell.ranks import RankSet
from pxshell.render.events import Failure, Panel, Plot
from pxshell.render.figures import draw
from pxshell.session.desk import Desk
from pxshell.session.surveys import Answered, Surveys, check_expression
from pxshell.values.picture import Picture

__all__ = ["Plotting"]

_MAGIC = "%pxplot"
#: Numbers along an axis of the whole plot; each rank sends its share at most.
_FINEST = 512
_COARSEST = 32
_GRID = re.compile(r"(\d+)(?:[x,](\d+))?")
_FORMATS = {".png", ".svg", ".pdf"}


class Plotting:
    """Plots an expression over ranks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._surveys = Surveys(desk)

    def plot(
        self, text: str, ranks: RankSet, *, grid: str, at: str, save: Path | None, peek: bool, is_text: bool
    ) -> Plot | None:
        """Plot; see `Session.plot`."""
        expression = check_expression(text, _MAGIC)
        if at:
            check_expression(at, f"{_MAGIC} {expression} --at")
        if save is not None and save.suffix not in _FORMATS:
            raise UsageError(f"{save.name} is of no known format: {', '.join(sorted(_FORMATS))}")
        shape = _grid_of(grid, ranks) if grid else None
        subject = self._surveys.subject(expression, ranks, peek=peek, magic=_MAGIC)
        if subject is None:
            return None
        limit = max(_COARSEST, _FINEST // max(1, round(len(ranks) ** 0.5)))
        question = {"ask": "picture", "limit": limit, "at": at, "is_placed": shape is None}
        answers = self._surveys.ask(subject, question)
        if not answers:
            return None
        panels, told = _of_one_kind(answers, shape, ranks)
        for failure in told:
            self._desk.show(failure)
        plot = Plot(f"{expression} on {_union(panels)}", panels)
        return self._shown(plot, save, is_text=is_text)

    def _shown(self, plot: Plot, save: Path | None, *, is_text: bool) -> Plot:
        if save is not None:
            _write(save, draw(plot, save.suffix.removeprefix(".")))
            self._desk.say(f"{plot.title}: {save}")
            return plot
        if self._desk.display.shows_images and not is_text:
            try:
                plot = replace(plot, png=draw(plot))
            except UsageError as error:
                self._desk.say(f"{error}; as text:", "warning")
        self._desk.show(plot)
        return plot


def _write(path: Path, image: bytes) -> None:
    try:
        path.write_bytes(image)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _grid_of(text: str, ranks: RankSet) -> tuple[int, int]:
    """Read `2x2`: rows and columns of the grid in which the ranks stand, row by row.

    Raises:
        UsageError: it is no grid, or one of another number of ranks.
    """
    found = _GRID.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no grid: --grid 2x2, rows and columns of ranks")
    rows, columns = int(found[1]), int(found[2] or 1)
    if rows * columns != len(ranks):
        raise UsageError(f"a grid of {text} has {rows * columns} ranks, and {ranks} are {len(ranks)}")
    return rows, columns


def _of_one_kind(
    answers: Sequence[Answered], grid: tuple[int, int] | None, ranks: RankSet
) -> tuple[tuple[Panel, ...], list[Failure]]:
    """Return the panels of the kind that most ranks have (numbers, rows, fields), and a failure for the others."""
    pictures = [(one, Picture.from_content(one.content, one.buffers)) for one in answers]
    counts: dict[int, int] = {}
    for one, picture in pictures:
        counts[len(picture.shape)] = counts.get(len(picture.shape), 0) + len(one.ranks)
    kind = max(counts, key=lambda dimensions: (counts[dimensions], -dimensions))
    kept = [(one, picture) for one, picture in pictures if len(picture.shape) == kind]
    told = [
        Failure(one.ranks, "not drawn", f"{picture.dtype} {picture.shape}, unlike most")
        for one, picture in pictures
        if len(picture.shape) != kind
    ]
    places = _places(kept, grid, ranks) if kind else {}
    panels = [
        Panel(part, picture, places.get(part.first, ()))
        for one, picture in kept
        for part in (map(RankSet.of, one.ranks) if places else [one.ranks])
    ]
    return tuple(sorted(panels, key=lambda panel: panel.ranks.first)), told


Place = tuple[tuple[int, int], ...]


def _places(kept: Sequence[tuple[Answered, Picture]], grid: tuple[int, int] | None, ranks: RankSet) -> dict[int, Place]:
    """Return where each rank's part lies in the whole field; nothing when that is not known of all of them."""
    shapes = {rank: picture.shape for one, picture in kept for rank in one.ranks}
    if grid is not None:
        placed = enumerate(ranks)
        return _of_cells({rank: divmod(number, grid[1]) for number, rank in placed if rank in shapes}, shapes)
    told = {rank: one.content.get("place") or [] for one, _ in kept for rank in one.ranks}
    if any(len(place) != len(shapes[rank]) for rank, place in told.items()):
        return {}
    if all(len(axis) == 2 for place in told.values() for axis in place):
        return {rank: tuple((int(start), int(stop)) for start, stop in place) for rank, place in told.items()}
    return _of_cells({rank: tuple(axis[0] for axis in place) for rank, place in told.items()}, shapes)


def _of_cells(cells: Mapping[int, tuple[int, ...]], shapes: Mapping[int, tuple[int, ...]]) -> dict[int, Place]:
    """Return the places of parts in a grid whose rows and columns are as high and wide as the largest part in them."""
    axes = len(next(iter(shapes.values()), ()))
    edges: list[dict[int, int]] = []
    for axis in range(axes):
        sizes: dict[int, int] = {}
        for rank, cell in cells.items():
            index = cell[axis] if axis < len(cell) else 0
            sizes[index] = max(sizes.get(index, 0), shapes[rank][axis])
        starts, total = {}, 0
        for index in sorted(sizes):
            starts[index] = total
            total += sizes[index]
        edges.append(starts)
    return {
        rank: tuple(
            (start := edges[axis][cell[axis] if axis < len(cell) else 0], start + shapes[rank][axis])
            for axis in range(axes)
        )
        for rank, cell in cells.items()
    }


def _union(panels: Sequence[Panel]) -> RankSet:
    ranks = RankSet()
    for panel in panels:
        ranks |= panel.ranks
    return ranks
