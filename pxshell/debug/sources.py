"""Source files that only a rank has: the editor gets a reference in place of a path that it could not open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pxshell.debug.conversation import Json

__all__ = ["Sources"]

#: Above every reference that debugpy gives out itself.
_FIRST = 1 << 30


class Sources:
    """References to files, by rank.

    Args:
        has_file: Tells whether the editor can open a file of this path.
    """

    def __init__(self, has_file: Callable[[str], bool]) -> None:
        self._has_file = has_file
        self._reference_of: dict[tuple[int, str], int] = {}

    def referred(self, rank: int, frame: dict[str, Any]) -> dict[str, Any]:
        """Return a stack frame whose source the editor can show."""
        source = frame.get("source") or {}
        path = source.get("path")
        if not path or source.get("sourceReference") or self._has_file(path):
            return frame
        reference = self._reference_of.setdefault((rank, path), _FIRST + len(self._reference_of))
        return frame | {"source": source | {"sourceReference": reference}}

    def file_of(self, request: Json) -> tuple[int, str] | None:
        """Return rank and path of a `source` request for a reference of ours."""
        if request.get("command") != "source":
            return None
        arguments: dict[str, Any] = request.get("arguments") or {}
        source: dict[str, Any] = arguments.get("source") or {}
        wanted = arguments.get("sourceReference") or source.get("sourceReference")
        return next((key for key, reference in self._reference_of.items() if reference == wanted), None)
