"""One request of the editor to many ranks, and their answers as they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pxshell.debug.conversation import Effect, Json

__all__ = ["Gathering"]


class Gathering:
    """Collects the answers to one request, and makes the editor's of them when nobody is missing.

    Args:
        ranks: Whose answers are waited for.
        finish: Makes the effects of the answers, by rank; those that said no and those that are gone are not there.
    """

    def __init__(self, ranks: set[int], finish: Callable[[dict[int, dict[str, Any]]], list[Effect]]) -> None:
        self._missing = set(ranks)
        self._finish = finish
        self._bodies: dict[int, dict[str, Any]] = {}
        #: What the first rank that said no has said.
        self.refusal = ""

    def answered(self, rank: int, message: Json) -> list[Effect]:
        """Take a rank's answer."""
        if message.get("success"):
            self._bodies[rank] = message.get("body") or {}
        else:
            self.refusal = self.refusal or str(message.get("message") or "it said no")
        return self._settle(rank)

    def gone(self, rank: int) -> list[Effect]:
        """Wait for a rank no longer."""
        return self._settle(rank) if rank in self._missing else []

    def _settle(self, rank: int) -> list[Effect]:
        self._missing.discard(rank)
        return [] if self._missing else self._finish(self._bodies)
