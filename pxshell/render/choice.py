"""Which renderer a stream of output gets: colours on a terminal, plain text elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TextIO

from pxshell.ranks import RankSet
from pxshell.render.ansi import to_ansi
from pxshell.render.events import Event
from pxshell.render.plain import to_plain

__all__ = ["Renderer", "renderer_for"]

Renderer = Callable[[Event, RankSet, int], str]
"""(event, world, columns) to whole lines."""


def renderer_for(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Renderer:
    """Return `to_ansi` for a terminal that has colours, unless NO_COLOR is set; else `to_plain`."""
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb" or not stream.isatty():
        return to_plain
    return to_ansi
