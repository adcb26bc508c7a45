"""Lines of styled spans: what all renderers of text draw from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pxshell.ranks import RankSet
from pxshell.render.widths import padded, width_of

__all__ = ["MARK_COLUMN", "Line", "Span", "Style", "beside", "label_of", "mark_for", "marked"]

MARK_COLUMN = 58
"""Where marks stand, when the text before them leaves it free."""


class Style(Enum):
    """What a span is; a renderer decides how that looks."""

    PLAIN = "plain"
    RANK = "rank"
    GROUP = "group"
    DIFFERS = "differs"
    FAILED = "failed"
    ERROR = "error"
    WARNING = "warning"
    DIM = "dim"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line; `rank` is the one whose colour a span of style RANK has.

    `pixels` are for those who have colours: for each character the upper and the lower one that are drawn in its
    place, as numbers of the 256, -1 for none.
    """

    text: str
    style: Style = Style.PLAIN
    rank: int = 0
    pixels: tuple[tuple[int, int], ...] = ()


Line = tuple[Span, ...]


def label_of(ranks: RankSet, width: int = 0) -> Span:
    """Return ranks in brackets: a good rank by itself has its colour, a group the neutral one."""
    text = padded(f"[{ranks}]", width)
    return Span(text, Style.RANK, ranks.first) if len(ranks) == 1 else Span(text, Style.GROUP)


def mark_for(word: str) -> Span | None:
    """Return `◀ differs` or `◀ failed`; None for no word."""
    return Span(f"◀ {word}", Style(word)) if word else None


def beside(ranks: RankSet, text: Span, mark: Span | None, column: int, columns: int) -> list[Line]:
    """Set a text beside its ranks when it is one line and fits; else under them.

    Args:
        ranks: Who said it.
        text: What they said, any number of lines.
        mark: What stands at the right of the first line.
        column: Where the texts of this group of lines begin.
        columns: Width of the screen.
    """
    label = label_of(ranks, column)
    if "\n" not in text.text and width_of(label.text) <= column:
        line = marked((label, text), mark, columns)
        if sum(width_of(span.text) for span in line) <= columns:
            return [line]
    header = marked((label_of(ranks),), mark, columns)
    return [header, *((Span(line, text.style),) for line in text.text.split("\n"))]


def marked(line: Line, mark: Span | None, columns: int) -> Line:
    """Put the mark into its column, or after the text where that is longer."""
    if mark is None:
        return line
    used = sum(width_of(span.text) for span in line)
    column = min(MARK_COLUMN, columns - width_of(mark.text))
    return (*line, Span(" " * max(2, column - used)), mark)
