"""What ranks say too early: an editor that is still setting breakpoints drops stops that it is told of.

https://microsoft.github.io/debug-adapter-protocol/specification#Requests_ConfigurationDone ends its setting up.
"""

from __future__ import annotations

from pxshell.debug.conversation import Json

__all__ = ["Early"]

_FOR_LATER = frozenset({"stopped", "continued", "thread"})


class Early:
    """Events of one session, kept until the editor is ready for them."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, Json]] = []
        self._is_over = False

    def keep(self, rank: int, message: Json) -> bool:
        """Return whether this is to be told later, and keep it."""
        if self._is_over or message.get("event") not in _FOR_LATER:
            return False
        self._kept.append((rank, message))
        return True

    def release(self) -> list[tuple[int, Json]]:
        """Return what was kept, in order; from now on nothing is: the editor has said `configurationDone`."""
        kept, self._kept, self._is_over = self._kept, [], True
        return kept
