"""Stacks of many ranks as lines: one tree, each branch with its letter and its ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from pxshell.protocol.stacks import Frame
from pxshell.protocol.stacktree import StackTree
from pxshell.ranks import RankSet
from pxshell.render.branching import Block, Branch, Rest, blocks_of
from pxshell.render.events import Stacks
from pxshell.render.lines import Line, Span, Style, label_of, mark_for, marked
from pxshell.render.widths import padded, width_of

__all__ = ["places_of", "stack_lines"]

_GAP = "  "
_WIDE_GAP = "   "
#: Values of one local that are shown for a branch.
_MAX_VALUES = 4


def stack_lines(stacks: Stacks, columns: int) -> list[Line]:
    """Return the lines of a tree."""
    return [_line(row, columns) for row in _Drawing(stacks).rows()]


def places_of(tree: StackTree) -> dict[str, str]:
    """Return for each file of a tree the shortest end of its path that no other file has."""
    files = {frame.file for stack in tree.stacks() for frame in stack.frames if frame.file}
    names: dict[str, str] = {}
    for file in files:
        parts = PurePath(file).parts
        others = [PurePath(other).parts for other in files if other != file]
        length = next(
            (n for n in range(1, len(parts)) if all(other[-n:] != parts[-n:] for other in others)), len(parts)
        )
        names[file] = "/".join(parts[-length:])
    return names


@dataclass(slots=True)
class _Row:
    """One line before its columns are aligned."""

    lead: list[Span]
    function: str = ""
    place: str = ""
    note: str = ""
    tail: Span | None = None
    mark: Span | None = None
    widths: list[int] = field(default_factory=lambda: [0, 0])


class _Drawing:
    """Draws one tree."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._letters = iter(stacks.letters)
        self._places = places_of(stacks.tree)

    def rows(self) -> Iterator[_Row]:
        """Yield all lines."""
        block = blocks_of(self._stacks.tree)
        if len(block.branches) == 1:
            yield from self._trunk(block.branches[0])
        elif block.branches:
            yield from self._fork(block, "", is_outermost=True)

    def _trunk(self, branch: Branch) -> Iterator[_Row]:
        rows = self._frames(branch, [[] for _ in branch.lines])
        rows[0].tail = label_of(branch.ranks)
        _align(rows)
        yield from rows
        yield from self._below(branch, "")

    def _fork(self, block: Block, prefix: str, *, is_outermost: bool = False) -> Iterator[_Row]:
        last = len(block.branches) - (block.rest is None)
        ties = [_tie(number == last, is_outermost=is_outermost) for number in range(len(block.branches))]
        labels, below = [], []
        for branch, (_, under) in zip(block.branches, ties, strict=True):
            # In the order in which letters were given: a branch, what is below it, the next branch.
            labels.append(self._label(branch.ranks))
            below.append(list(self._below(branch, prefix + under)))
        width = max(width_of(letter + label.text) for letter, label in labels)
        rows = []
        for branch, (tie, under), (letter, label) in zip(block.branches, ties, labels, strict=True):
            blank = Span(" " * (width - width_of(letter + label.text)) + _GAP)
            leads = [[Span(prefix + tie, Style.DIM), Span(letter), label, blank]]
            leads += [[Span(prefix + under, Style.DIM), Span(" " * width + _GAP)] for _ in branch.lines[1:]]
            rows.append(self._frames(branch, leads))
        _align([row for some in rows for row in some])
        for mine, deeper in zip(rows, below, strict=True):
            yield from (*mine, *deeper)
        if block.rest is not None:
            yield _Row([Span(prefix + ("" if is_outermost else "└─ "), Style.DIM), Span(_rest_text(block.rest))])

    def _label(self, ranks: RankSet) -> tuple[str, Span]:
        letter = next(self._letters, "")
        return (f"@{letter} " if letter else "", label_of(ranks))

    def _frames(self, branch: Branch, leads: Sequence[list[Span]]) -> list[_Row]:
        rows = []
        for line, lead in zip(branch.lines, leads, strict=True):
            row = _Row(lead, note=line.end.text)
            if line.frame is not None:
                row.function, row.place = line.frame.function, self._place(line.frame)
            rows.append(row)
        if branch.is_leaf and branch.ranks <= self._stacks.odd:
            rows[-1].mark = mark_for("differs")
        return rows

    def _place(self, frame: Frame) -> str:
        return f"{self._places[frame.file]}:{frame.line}" if frame.file else ""

    def _below(self, branch: Branch, prefix: str) -> Iterator[_Row]:
        if branch.is_leaf:
            yield from self._values(branch.ranks, prefix)
        else:
            yield from self._fork(branch.fork, prefix)

    def _values(self, ranks: RankSet, prefix: str) -> Iterator[_Row]:
        for name, groups in self._stacks.values:
            here = [(some & ranks, text) for some, text in groups if some & ranks]
            if here:
                text = f"{name} = {_values_text(here, ranks)}"
                yield _Row([Span(f"{prefix}    ", Style.DIM), Span(text, Style.DIM)])


def _tie(is_last: bool, *, is_outermost: bool) -> tuple[str, str]:
    """Return what ties a branch to its trunk, and what stands below that."""
    if is_outermost:
        return "", ""
    return ("└─ ", "   ") if is_last else ("├─ ", "│  ")


def _values_text(groups: Sequence[tuple[RankSet, str]], ranks: RankSet) -> str:
    if len(groups) == 1 and groups[0][0] == ranks:
        return groups[0][1]
    told = [f"{text} [{some}]" for some, text in groups[:_MAX_VALUES]]
    more = len(groups) - _MAX_VALUES
    return ", ".join([*told, *([f"… {more} more values"] if more > 0 else [])])


def _rest_text(rest: Rest) -> str:
    return f"… {rest.count} more branches on {rest.ranks}.  Of some: -t RANKS"


def _align(rows: Sequence[_Row]) -> None:
    widths = [max(width_of(row.function) for row in rows), max(width_of(row.place) for row in rows)]
    for row in rows:
        row.widths = widths


def _line(row: _Row, columns: int) -> Line:
    spans = list(row.lead)
    if row.function:
        spans.append(Span(padded(row.function, row.widths[0]) + _GAP))
        is_last = not row.note and row.tail is None
        spans.append(Span(row.place if is_last else padded(row.place, row.widths[1]) + _WIDE_GAP))
    if row.tail is not None:
        spans.append(row.tail)
    if row.note:
        spans.append(Span(f"{_GAP if row.tail is not None else ''}{row.note}"))
    return marked(tuple(spans), row.mark, columns)
