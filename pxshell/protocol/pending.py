"""Which ranks have not answered which request yet: what folding waits for."""

from __future__ import annotations

from typing import NamedTuple

from pxshell.protocol.message import Message
from pxshell.protocol.types import Lane
from pxshell.ranks import EMPTY, RankSet

__all__ = ["Owed", "PendingReplies", "is_reply"]


class Owed(NamedTuple):
    """A reply that ranks still owe."""

    request: str
    #: The client that waits for it.
    origin: str
    ranks: RankSet


def is_reply(message: Message) -> bool:
    """Tell whether this message is a rank's last word for its parent request."""
    return message.type.endswith("_reply") or message.type == "px_missing"


class PendingReplies:
    """Requests that went down, each with the ranks that still owe a reply."""

    def __init__(self) -> None:
        self._owing: dict[str, RankSet] = {}
        self._origins: dict[str, str] = {}
        #: Those of the work lane, which the main threads of ranks carry out one after the other.
        self._work: set[str] = set()
        self.alive = EMPTY

    def begin(self, request: Message, ranks: RankSet) -> None:
        """A message goes down to these ranks; only a request is answered."""
        if not request.type.endswith("_request"):
            return
        if owing := ranks & self.alive:
            self._owing[request.id] = self._owing.get(request.id, EMPTY) | owing
            self._origins[request.id] = request.header.origin
            if request.lane is Lane.WORK:
                self._work.add(request.id)

    def answered(self, message: Message) -> bool:
        """A message has come up; replies settle what they answer. Return whether it was the last for its request."""
        request = message.header.parent
        if request not in self._owing or not is_reply(message):
            return False
        return self._settle(request, message.ranks)

    def _settle(self, request: str, ranks: RankSet) -> bool:
        """Return whether nobody owes a reply any more."""
        owing = self._owing.get(request, EMPTY) - ranks
        if owing:
            self._owing[request] = owing
            return False
        self._owing.pop(request, None)
        self._origins.pop(request, None)
        self._work.discard(request)
        return True

    def gone(self, ranks: RankSet) -> list[Owed]:
        """These ranks will say nothing any more; return what they still owed."""
        self.alive -= ranks
        owed = [
            Owed(request, self._origins[request], part)
            for request, owing in self._owing.items()
            if (part := owing & ranks)
        ]
        for debt in owed:
            self._settle(debt.request, debt.ranks)
        return owed

    def owing(self, request: str) -> RankSet:
        """Return the ranks that still owe a reply to a request in flight."""
        return self._owing.get(request, EMPTY)

    def in_flight(self, rank: int) -> str:
        """Return the request that the main thread of a rank works on, if it works on one of ours; "" for none."""
        return next((request for request, owing in self._owing.items() if request in self._work and rank in owing), "")

    def expected(self, request: str) -> RankSet:
        """Return the ranks that may still say something for a request.

        For what is no request in flight (scripts, states, late output) that is every living rank.
        """
        return self._owing.get(request, self.alive)
