"""Events as plain text, for files, pipes, notebooks and NO_COLOR."""

from __future__ import annotations

from pxshell.ranks import RankSet
from pxshell.render.events import Event
from pxshell.render.layout import Layout

__all__ = ["to_plain"]


def to_plain(event: Event, world: RankSet, columns: int = 80) -> str:
    """Return whole lines without escape sequences; "" when there is nothing to show."""
    lines = Layout(world, columns).lines(event)
    return "".join("".join(span.text for span in line).rstrip() + "\n" for line in lines)
