"""IPython's transformation of cells, which does not take plain Python to tokens to find that nothing is to be done."""

from __future__ import annotations

from typing import Any

from IPython.core.inputtransformer2 import ESCAPE_SINGLES, TransformerManager

__all__ = ["RankTransformer"]

#: What a line of a command, an assignment from one, or a question has in it.
_ANYWHERE = frozenset("%!?")
#: Each of IPython's own transformers of tokens looks for one of these, at the beginning of a line or anywhere.
_FIRST = frozenset(ESCAPE_SINGLES)


class RankTransformer(TransformerManager):
    """IPython's transformer: what it does to a cell is the same, or is left to Python, which refuses it too."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # IPython has no annotations here
        #: Those that are known; others may look for anything.
        self._known = tuple(self.token_transformers)

    def do_token_transforms(self, lines: list[str]) -> Any:
        """Return the lines with all commands in them made Python."""
        if tuple(self.token_transformers) == self._known and not any(map(_may_be_command, lines)):
            return lines
        return super().do_token_transforms(lines)  # type: ignore[no-untyped-call]  # as above


def _may_be_command(line: str) -> bool:
    return not _ANYWHERE.isdisjoint(line) or line.lstrip()[:1] in _FIRST
