"""Events as text with ANSI colours, for terminals."""

from __future__ import annotations

from pxshell.ranks import RankSet
from pxshell.render.events import Event
from pxshell.render.layout import Layout
from pxshell.render.lines import Line, Span, Style

__all__ = ["rank_colour", "to_ansi"]

_RANK_COLOURS = (36, 32, 35, 34, 96, 92, 95, 94)
_STYLES = {
    Style.PLAIN: "",
    Style.GROUP: "1",
    Style.DIFFERS: "33",
    Style.FAILED: "31",
    Style.ERROR: "31",
    Style.WARNING: "33",
    Style.DIM: "2",
}


def rank_colour(rank: int) -> int:
    """Return the SGR code of a rank's colour, the same for good; yellow and red are left to marks."""
    return _RANK_COLOURS[rank % len(_RANK_COLOURS)]


def to_ansi(event: Event, world: RankSet, columns: int = 80) -> str:
    """Return whole lines with colours; "" when there is nothing to show."""
    return "".join(_drawn(line) + "\n" for line in Layout(world, columns).lines(event))


def _drawn(line: Line) -> str:
    return "".join(map(_coloured, line)).rstrip(" ")


def _coloured(span: Span) -> str:
    if span.pixels:
        return f"{''.join(map(_pixel, span.pixels))}\x1b[0m"
    code = str(rank_colour(span.rank)) if span.style is Style.RANK else _STYLES[span.style]
    text = span.text.rstrip(" ")
    blanks = span.text[len(text) :]
    return f"\x1b[{code}m{text}\x1b[0m{blanks}" if code and text else span.text


def _pixel(pair: tuple[int, int]) -> str:
    """Return one character that is two pixels, one above the other."""
    upper, lower = pair
    if upper == lower:
        return "\x1b[0m " if upper < 0 else f"\x1b[38;5;{upper};48;5;{upper}m█"
    if upper < 0:
        return f"\x1b[0;38;5;{lower}m▄"
    return f"\x1b[0;38;5;{upper}m▀" if lower < 0 else f"\x1b[38;5;{upper};48;5;{lower}m▀"
