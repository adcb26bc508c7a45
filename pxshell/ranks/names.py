"""Names of rank sets: which ones people may give."""

from __future__ import annotations

import re

from pxshell.errors import RankSetError

__all__ = ["LETTER_NAMES_HINT", "RESERVED_NAMES", "check_name", "is_letter_name"]

RESERVED_NAMES = frozenset(
    {
        *("all", "first", "last", "odd"),
        *("starting", "idle", "busy", "paused", "held", "failed", "debugging", "ended"),
        *("ok", "unresponsive", "lost", "dead"),
    }
)
"""What a name of the user's cannot be: the built-in sets and the words for a rank's state."""

LETTER_NAMES_HINT = "letters name what the last %pxdebug stacks or answer printed, and none has printed any"

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def check_name(name: str) -> str:
    """Return ``name`` when a rank set may be called so; ``RankSetError`` says why not."""
    match = _NAME.match(name)
    end = match.end() if match else 0
    if not name or end < len(name):
        message = "a name has letters, digits and _ only, and does not begin with a digit"
        raise RankSetError(message, name, end)
    if len(name) == 1:
        message = "one letter is a branch of the last stack tree; give a longer name"
        raise RankSetError(message, name, 0)
    if name in RESERVED_NAMES:
        message = f"@{name} has a meaning already; give another name"
        raise RankSetError(message, name, 0)
    return name


def is_letter_name(name: str) -> bool:
    """Return whether a name is one that commands print: a branch or group, or all outside the majority."""
    return len(name) == 1 or name == "odd"
