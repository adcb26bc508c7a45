"""Rank sets: the value that everything is addressed with and tagged with, and the grammar people write it in."""

from __future__ import annotations

from pxshell.ranks.grammar import Context, parse, parse_focus
from pxshell.ranks.mesh import Mesh
from pxshell.ranks.names import RESERVED_NAMES, check_name
from pxshell.ranks.value import EMPTY, MAX_RANKS, RankSet, union

__all__ = [
    "EMPTY",
    "MAX_RANKS",
    "RESERVED_NAMES",
    "Context",
    "Mesh",
    "RankSet",
    "check_name",
    "parse",
    "parse_focus",
    "union",
]
