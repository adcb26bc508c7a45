"""Where ranks are to stop that start later: breakpoints and raised exceptions, as they were asked of those before them.

They are the ranks' own; what is kept here is for processes that are not there yet (`%pxrestart`).
"""

from __future__ import annotations

from typing import Any

from pxshell.protocol.message import Message
from pxshell.ranks import EMPTY, RankSet

__all__ = ["KeptStops"]

#: Breakpoints that are kept; more only reach the ranks that are there.
_BREAKS = 1000
#: Lists of exceptions that are kept; each rank has one.
_RAISES = 1000


class KeptStops:
    """The last word of all clients on where ranks stop."""

    def __init__(self) -> None:
        self._breaks: dict[int, tuple[RankSet, dict[str, Any]]] = {}
        self._raises: dict[tuple[str, ...], RankSet] = {}

    def asked(self, message: Message) -> None:
        """Take a request on its way down, whatever it is."""
        if message.type == "px_break_request":
            self._keep(message)
        elif message.type == "px_clear_request":
            for number in message.data()["numbers"] or list(self._breaks):
                self._breaks.pop(int(number), None)
        elif message.type == "px_raise_request":
            self._keep_raises(message)

    def _keep(self, message: Message) -> None:
        content = message.data()
        # A watch belongs to a frame that runs.
        if not content.get("watch") and len(self._breaks) < _BREAKS:
            self._breaks[int(content["number"])] = (message.ranks, content)

    def _keep_raises(self, message: Message) -> None:
        others = ((names, ranks - message.ranks) for names, ranks in self._raises.items())
        self._raises = {names: ranks for names, ranks in others if ranks}
        names = tuple(str(name) for name in message.data()["types"])
        if names and (names in self._raises or len(self._raises) < _RAISES):
            self._raises[names] = self._raises.get(names, EMPTY) | message.ranks

    def of(self, ranks: RankSet) -> list[tuple[RankSet, dict[str, Any]]]:
        """Return the contents of `px_breakpoints` for ranks that have just come."""
        told: list[tuple[RankSet, dict[str, Any]]] = []
        for wanted, content in self._breaks.values():
            told.append((wanted & ranks, {"breaks": [content]}))
        for names, wanted in self._raises.items():
            told.append((wanted & ranks, {"breaks": [], "raises": list(names)}))
        return [(part, content) for part, content in told if part]
