"""The terminal, and cells without one: two faces over a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pxshell.terminal.app import run_terminal
    from pxshell.terminal.batch import run_cells

__all__ = ["run_cells", "run_terminal"]


def __getattr__(name: str) -> object:
    """Import what is used: cells of `-c` need neither prompt_toolkit nor, mostly, IPython."""
    if name == "run_terminal":
        from pxshell.terminal.app import run_terminal

        return run_terminal
    if name == "run_cells":
        from pxshell.terminal.batch import run_cells

        return run_cells
    message = f"module 'pxshell.terminal' has no attribute {name!r}"
    raise AttributeError(message)
