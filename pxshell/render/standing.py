"""Where ranks stand, and their stacks and source, as lines of spans."""

from __future__ import annotations

from pxshell.ranks import RankSet
from pxshell.render.events import Listing, Stand, Stands
from pxshell.render.lines import Line, Span, Style, beside, label_of, mark_for
from pxshell.render.widths import padded, width_of

__all__ = ["listing_lines", "odd_stands", "stands_lines"]

_WIDEST = 44
"""Columns that a place takes at most; source follows it."""


def odd_stands(stands: Stands) -> RankSet:
    """Return the ranks that do not stand where more than half of them do; empty when no place has so many."""
    total = sum(len(one.ranks) for one in stands.rows)
    odd = RankSet()
    for one in stands.rows:
        odd |= one.ranks
    majority = next((one.ranks for one in stands.rows if 2 * len(one.ranks) > total), odd)
    return odd - majority


def stands_lines(stands: Stands, column: int, columns: int) -> list[Line]:
    """Return a line for each place, the majority first: ranks, place, source."""
    odd = odd_stands(stands)
    width = min(_WIDEST, max((width_of(_place(one)) for one in stands.rows), default=0))
    lines: list[Line] = []
    for one in sorted(stands.rows, key=lambda one: (-len(one.ranks), one.ranks.first)):
        text = f"{padded(_place(one), width)}  {one.source}" if one.source else _place(one)
        mark = mark_for("differs") if one.ranks <= odd else None
        room = columns - column - (width_of(mark.text) + 2 if mark else 0)
        lines += beside(one.ranks, Span(_fitted(text, room)), mark, column, columns)
    return lines


def _place(one: Stand) -> str:
    return f"{one.word}: {one.place}" if one.word and one.place else one.word or one.place


def _fitted(text: str, room: int) -> str:
    return text if width_of(text) <= room else f"{text[: max(10, room - 2)]} …"


def listing_lines(listing: Listing, columns: int) -> list[Line]:
    """Return rows in two columns under their ranks, with an arrow at the one that is meant."""
    title = (label_of(listing.ranks), Span(f"  {listing.title}")) if listing.title else (label_of(listing.ranks),)
    width = max((width_of(left) for left, _ in listing.rows), default=0)
    lines: list[Line] = [title]
    for index, (left, right) in enumerate(listing.rows):
        arrow = "▸ " if index == listing.marked else "  "
        style = Style.GROUP if index == listing.marked else Style.PLAIN
        lines.append((Span(_fitted(f"{arrow}{padded(left, width)}  {right}".rstrip(), columns), style),))
    return lines
