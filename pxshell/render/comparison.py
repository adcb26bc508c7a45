"""How a comparison looks: each group with its letter, the odd ones marked, what differs below them."""

from __future__ import annotations

from pxshell.ranks import EMPTY
from pxshell.render.events import Compared, Comparison
from pxshell.render.grouping import MAX_GROUPS, SHOWN_GROUPS
from pxshell.render.lines import Line, Span, Style, beside, mark_for

__all__ = ["comparison_lines", "shown_groups"]


def shown_groups(comparison: Comparison) -> tuple[Compared, ...]:
    """Return the groups that are shown: all, or the largest of many."""
    groups = comparison.groups
    return groups if comparison.all_groups or len(groups) <= MAX_GROUPS else groups[:SHOWN_GROUPS]


def comparison_lines(comparison: Comparison, column: int, columns: int) -> list[Line]:
    """Return the lines of a comparison; texts begin at `column`."""
    lines: list[Line] = []
    shown = shown_groups(comparison)
    width = max((len(_letter(group)) for group in shown), default=0)
    for group in shown:
        mark = mark_for("differs") if group.is_odd else None
        text = f"{_letter(group):{width}}{group.text}"
        lines += beside(group.ranks, Span(text), mark, column, columns)
        lines += [(Span(" " * (column + width)), Span(detail, Style.DIM)) for detail in group.details]
    rest = comparison.groups[len(shown) :]
    if rest:
        ranks = EMPTY
        for group in rest:
            ranks |= group.ranks
        lines.append((Span(f"… {len(rest)} more groups on {ranks}.  See all: --all", Style.DIM),))
    return [*lines, *((Span(note, Style.DIM),) for note in comparison.notes)]


def _letter(group: Compared) -> str:
    return f"@{group.letter}  " if group.letter else ""
