"""`%autopx`: every cell goes to the focus, but for what is for this process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.interactiveshell import InteractiveShell

__all__ = ["AutoPx"]

_HERE = re.compile(r"\s*(?:%{1,2}(?:px|autopx\b|local\b)|\?+%*px|px\?|(?:exit|quit)\b)")


class AutoPx:
    """Puts `%%px --` above each cell while it is enabled."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        # IPython leaves transformers with side effects out when it asks whether a cell is complete.
        self._transform = _Above()

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


class _Above:
    has_side_effects = True

    def __init__(self) -> None:
        self.is_suspended = False

    def __call__(self, lines: list[str]) -> list[str]:
        text = "".join(lines)
        stays = self.is_suspended or not text.strip() or _HERE.match(text)
        return lines if stays else ["%%px --\n", *lines]
