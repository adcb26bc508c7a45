"""Names of clusters: short words that people can say and type, or the script's own."""

from __future__ import annotations

import re
import secrets
from itertools import count
from pathlib import PurePath
from typing import TYPE_CHECKING

from pxshell.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["check_cluster_name", "generate_name", "is_cluster_name", "name_from_script"]

_LONGEST = 32
_NAME = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{_LONGEST - 1}}}")
_ROLES = (".observer", ".node")
_QUALITIES = (  # noqa: SIM905 - a list would have a line a word
    "amber bold brave bright brisk calm clear cool crisp deft eager early fair fast fine firm fond free fresh "
    "gentle glad grand keen kind light lively lucky mild neat nimble noble quick quiet rapid ready shy silent "
    "smart snug soft spry still sunny swift tidy tiny warm wise young"
).split()
_ANIMALS = (  # noqa: SIM905 - a list would have a line a word
    "ant bat bear bee bison boar crab crane crow deer dove duck eagle elk emu falcon finch fox frog gecko goat "
    "goose hare hawk heron horse ibex jay koala lark lemur lion lynx mole moose moth mouse newt otter owl panda "
    "puma raven robin seal shark sloth snail stork swan tiger toad trout viper whale wolf wren yak zebra"
).split()


def is_cluster_name(name: str) -> bool:
    """Return whether a cluster may be called so."""
    # A name that ends like a role would be mistaken for that role's connection file.
    return _NAME.fullmatch(name) is not None and not name.endswith(_ROLES)


def check_cluster_name(name: str) -> str:
    """Return ``name`` when a cluster may be called so; ``UsageError`` when not."""
    if not is_cluster_name(name):
        rule = f"at most {_LONGEST} small letters, digits and . _ -, a letter or digit first, no role at the end"
        raise UsageError(f"{name[:60]!r} is no name of a cluster; take {rule}, as in calm-fox")
    return name


def generate_name(taken: Collection[str] = ()) -> str:
    """Return a name of two words that is not taken."""
    free = [f"{quality}-{animal}" for quality in _QUALITIES for animal in _ANIMALS]
    free = [name for name in free if name not in taken]
    return secrets.choice(free) if free else _numbered("cluster", taken)


def name_from_script(script: str, taken: Collection[str] = ()) -> str:
    """Return a name after a script or module: ``sim-1`` for sim.py, ``sim-2`` when that is taken."""
    stem = PurePath(script).name.removesuffix(".py").lower()
    stem = re.sub("[^a-z0-9._-]+", "-", stem).strip("._-")
    return _numbered(stem[: _LONGEST - 8].rstrip("._-") or "run", taken)


def _numbered(stem: str, taken: Collection[str]) -> str:
    return next(name for number in count(1) if (name := f"{stem}-{number}") not in taken)
