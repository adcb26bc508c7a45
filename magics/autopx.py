"""`%autopx`: every cell goes to the focus, but for what is for this process, as in pxshell's own terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.interactiveshell import InteractiveShell

from pxshell.session.routing import Piece, split_cell

__all__ = ["AutoPx", "routed"]


class AutoPx:
    """Puts `%%px --` above each cell while it is enabled."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        # IPython leaves transformers with side effects out when it asks whether a cell is complete.
        self._transform = _Routed()

    def toggle(self) -> bool:
        """Enable or disable; return whether it is enabled now."""
        if self._transform in self._shell.input_transformers_cleanup:
            self.disable()
            return False
        self._shell.input_transformers_cleanup.append(self._transform)
        return True

    def disable(self) -> None:
        """Leave cells alone."""
        if self._transform in self._shell.input_transformers_cleanup:
            self._shell.input_transformers_cleanup.remove(self._transform)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Leave the code alone that a magic runs here: IPython transforms it as it does a cell."""
        self._transform.is_suspended = True
        try:
            yield
        finally:
            self._transform.is_suspended = False


class _Routed:
    has_side_effects = True

    def __init__(self) -> None:
        self.is_suspended = False

    def __call__(self, lines: list[str]) -> list[str]:
        return lines if self.is_suspended else routed(lines)


def routed(lines: list[str]) -> list[str]:
    """Return the lines of a cell with what is for the focus under `%px`; a cell that changes sides is cut there."""
    pieces = split_cell("".join(lines))
    if all(piece.is_here for piece in pieces):
        return lines
    if len(pieces) == 1:
        return ["%%px --\n", *lines]
    return [line for piece in pieces for line in _lines_of(piece)]


def _lines_of(piece: Piece) -> list[str]:
    if piece.is_here:
        return f"{piece.text}\n".splitlines(keepends=True)
    return [f"get_ipython().run_cell_magic('px', '--', {piece.text!r})\n"]
