"""Source as the ranks have it: fetched from one of them, once for each stretch of a file.

The files may be on the ranks' machine alone, another version here, or no files at all but cells.
"""

from __future__ import annotations

from pxshell.ranks import RankSet
from pxshell.session.answers import clean
from pxshell.session.desk import Desk

__all__ = ["Sources"]

_STRETCH = 400
"""Lines that are fetched at once; a rank gives no more."""


class Sources:
    """Lines of source; for the face's thread. What was fetched is kept until the ranks start anew."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._stretches: dict[tuple[str, int], list[str]] = {}

    def lines(self, rank: int, file: str, first: int, last: int) -> list[tuple[int, str]]:
        """Return the lines from `first` to `last` that there are, with their numbers."""
        first = max(1, first)
        numbered = []
        for start in range((first - 1) // _STRETCH * _STRETCH, last, _STRETCH):
            numbered += list(enumerate(self._stretch(rank, file, start), start + 1))
        return [(number, text) for number, text in numbered if first <= number <= last]

    def line(self, rank: int, file: str, line: int) -> str:
        """Return a line without blanks around it; "" if there is none."""
        return next((text.strip() for _, text in self.lines(rank, file, line, line)), "")

    def _stretch(self, rank: int, file: str, start: int) -> list[str]:
        known = self._stretches.get((file, start))
        if known is None:
            content = {"file": file, "first": start + 1, "count": _STRETCH}
            limit = self._desk.config.control_deadline
            request = self._desk.control("px_source_request", content, RankSet.of(rank), limit)
            replies = [one for _, one in request.replies() if one.get("status") == "ok"]
            known = [clean(str(text)) for text in (replies[0]["lines"] if replies else [])]
            if replies:
                self._stretches[file, start] = known
        return known

    def forget(self) -> None:
        """Fetch all anew: the ranks have."""
        self._stretches.clear()
