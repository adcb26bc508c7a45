"""Questions of ranks in the order in which they are asked here: by rank, and nobody a second time before all others."""

from __future__ import annotations

import threading
from collections import Counter

from pxshell.protocol.message import Message
from pxshell.ranks import EMPTY, RankSet

__all__ = ["Questions"]


class Questions:
    """What `input()` asks on ranks and nobody has answered yet; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Message] = []
        #: How many questions have been taken, by their first rank, while others waited.
        self._turns: Counter[int] = Counter()

    @property
    def ranks(self) -> RankSet:
        """Who asks."""
        with self._lock:
            ranks = EMPTY
            for message in self._waiting:
                ranks |= message.ranks
            return ranks

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, message: Message) -> None:
        """Take a question, an `input_request`."""
        with self._lock:
            self._waiting.append(message)

    def take(self) -> Message | None:
        """Return the next question; None when there is none, which ends the round."""
        with self._lock:
            if not self._waiting:
                self._turns.clear()
                return None
            found = min(self._waiting, key=lambda one: (self._turns[one.ranks.first], one.ranks.first))
            self._waiting.remove(found)
            self._turns[found.ranks.first] += 1
            return found

    def drop_oldest(self) -> None:
        """Give the question up that has waited longest."""
        with self._lock:
            del self._waiting[:1]

    def clear(self) -> None:
        """Give all up: whoever asked asks no more."""
        with self._lock:
            self._waiting.clear()
            self._turns.clear()
