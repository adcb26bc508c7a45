"""Folded events to ANSI, plain text and JSON."""

from __future__ import annotations

from pxshell.render.ansi import to_ansi
from pxshell.render.choice import renderer_for
from pxshell.render.display import Display
from pxshell.render.events import (
    Answer,
    CellAnswers,
    Compared,
    Comparison,
    Cut,
    Event,
    Failure,
    Listing,
    Missing,
    Notice,
    Panel,
    Plot,
    Progress,
    Refusal,
    Stacks,
    Stand,
    Stands,
    States,
    Text,
)
from pxshell.render.jsonlines import to_json
from pxshell.render.plain import to_plain

__all__ = [
    "Answer",
    "CellAnswers",
    "Compared",
    "Comparison",
    "Cut",
    "Display",
    "Event",
    "Failure",
    "Listing",
    "Missing",
    "Notice",
    "Panel",
    "Plot",
    "Progress",
    "Refusal",
    "Stacks",
    "Stand",
    "Stands",
    "States",
    "Text",
    "renderer_for",
    "to_ansi",
    "to_json",
    "to_plain",
]
