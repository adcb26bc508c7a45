"""Which process may say that it is a rank: the one that a launcher started, and none of its children.

A rank takes what pxshell told it out of its environment, and leaves a note there for whatever it starts.
"""

from __future__ import annotations

import os
import zlib

from pxshell.rendezvous.discovery import launcher_variables

__all__ = ["claim", "is_child_of_a_rank"]

_NOTE = "PXSHELL_CLAIMED"
_OURS = (
    "PXSHELL_SURVIVES",
    "PXSHELL_INTERRUPTIBLE",
    "PXSHELL_NODE",
    "PXSHELL_EPOCH",
    "PXSHELL_RANK",
    "PXSHELL_SIZE",
    "PXSHELL_WORLD",
    "PXSHELL_LOCAL_RANK",
)


def claim() -> None:
    """Take this process for a rank: its children are none, unless a launcher starts them anew."""
    for name in _OURS:
        os.environ.pop(name, None)
    os.environ[_NOTE] = f"{os.getpid()} {_launch()}"


def is_child_of_a_rank() -> bool:
    """Tell whether a process above this one is a rank, and no launcher came between: its variables are inherited."""
    pid, _, launch = os.environ.get(_NOTE, "").partition(" ")
    return bool(pid) and pid != str(os.getpid()) and launch == _launch()


def _launch() -> str:
    """Return a text that is the same for processes with the same launcher's variables."""
    described = "\0".join(f"{name}={os.environ[name]}" for name in launcher_variables())
    return f"{zlib.crc32(described.encode(errors='surrogateescape')):08x}"
