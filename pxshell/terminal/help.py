"""What `?px` prints in the terminal: the magics' help, and the keys."""

from __future__ import annotations

from pxshell.magics.help import HELP

__all__ = ["help_text"]

_KEYS = """
Keys:
  Ctrl-C      interrupts the cell; twice leaves it running. With nothing typed it pauses a running script
  Ctrl-D      leaves: the cluster is stopped, or runs on
  F5, Alt-r   resume
  F10, Alt-n  next;  F11, Alt-s  step;  Shift-F11, Alt-o  finish
  Tab         completes on the ranks' objects
"""


def help_text() -> str:
    """Return the help."""
    return f"{HELP}{_KEYS}"
