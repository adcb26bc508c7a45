"""Who has been told of in which pause: by the thread that waits for ranks, or by the one that hears of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection

from pxshell.protocol.state import Activity, StateTable
from pxshell.ranks import EMPTY, RankSet

__all__ = ["ToldPauses"]

#: Pauses whose ranks are remembered.
_PAUSES = 10_000
_STANDING = (Activity.PAUSED, Activity.FAILED)


class ToldPauses:
    """Has each stop told once, although the client knows a state before it hands on the message that brought it.

    Thread-safe: the face's thread expects and settles, the client's io thread has heard.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Ranks stand in several pauses at once, and a state comes again with each cell there.
        self._told: OrderedDict[str, RankSet] = OrderedDict()
        self._expected: tuple[RankSet, Collection[str]] = EMPTY, ()

    def expect(self, ranks: RankSet, pauses: Collection[str]) -> None:
        """Take it that the face's thread waits until these ranks stand in these pauses, and for nothing else."""
        with self._lock:
            self._expected = ranks, pauses

    def settle(self, look: Callable[[], StateTable]) -> StateTable:
        """Return the states as they are now: of all that was expected and stands in them the face's thread will tell.

        Args:
            look: Returns what the client knows.
        """
        with self._lock:
            (ranks, pauses), self._expected = self._expected, (EMPTY, ())
            states = look()
            for who, state in states.among(ranks):
                if state.is_alive and state.activity in _STANDING and state.pause in pauses:
                    self._tell(state.pause, who)
        return states

    def heard(self, pause: str, ranks: RankSet) -> RankSet:
        """Return those of the ranks that stand in a pause that whoever has heard of them is to tell of."""
        with self._lock:
            expected, pauses = self._expected
            new = self._tell(pause, ranks)
            return new - expected if pause in pauses else new

    def _tell(self, pause: str, ranks: RankSet) -> RankSet:
        """Return those of the ranks that have not been told of in this pause; they are from now on."""
        told = self._told.pop(pause, EMPTY)
        self._told[pause] = told | ranks
        if len(self._told) > _PAUSES:
            self._told.popitem(last=False)
        return ranks - told
