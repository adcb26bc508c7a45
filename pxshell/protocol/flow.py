"""One lane on its way up through a relay: what waits for folding, for how long, and when it goes on."""

from __future__ import annotations

from collections.abc import Callable

from pxshell.protocol.fold import Folder
from pxshell.protocol.items import alone
from pxshell.protocol.message import Message
from pxshell.ranks import EMPTY, RankSet

__all__ = ["UpwardFlow"]

#: Seconds that the first message waits for equals when nothing was flowing.
SHORT_WINDOW = 0.002
#: Seconds at most while output flows.
LONG_WINDOW = 0.05
#: Messages that make a window full, also when all of them are one item: there are many nodes, and more will come.
MANY_MESSAGES = 16
#: Bytes after which what waits goes on whatever the window.
FLUSH_BYTES = 256 * 1024


class UpwardFlow:
    """Folds what the ranks of one relay say in one lane.

    A message goes on as soon as nobody can join it any more, else after a flush window: a rank that lags holds nobody's
    output back. The window grows while windows fill (twice as long each time) and falls back when one ends with little.

    Args:
        expected: for a request id, the ranks below this relay that have not answered it yet.
        longest: limit of the window in seconds.
    """

    def __init__(self, expected: Callable[[str], RankSet], *, longest: float = LONG_WINDOW) -> None:
        self._folder = Folder()
        self._expected = expected
        self._window = SHORT_WINDOW
        self._longest = longest
        self._due: float | None = None
        #: Messages that came since the last flush, or since nothing waited.
        self._gathered = 0

    @property
    def deadline(self) -> float | None:
        """When `flush` is due; None while nothing waits."""
        return self._due

    def add(self, message: Message, now: float, settled: RankSet = EMPTY) -> list[Message]:
        """Take one message; return what may go on at once.

        Args:
            message: What some ranks say.
            now: Seconds.
            settled: Ranks that are not waited for because what they say comes the same way, folded with this: those of
                the relay below that sent it.
        """
        if not len(self._folder) and not self._expected(message.header.parent) - message.ranks - settled:
            return [alone(message)]
        self._folder.add(message)
        self._gathered += 1
        if self._folder.size > FLUSH_BYTES:
            return self.flush()
        return self._take(now)

    def take(self, now: float) -> list[Message]:
        """Ranks have left: return what nobody can join any more."""
        self._folder.recheck()
        return self._take(now)

    def end(self, request: str, now: float) -> list[Message]:
        """All have answered a request: its answers go on, with what stands before them.

        What that is, states above all, could still be joined by any rank, for which no answer has to wait.
        """
        return self._scheduled(self._folder.take_through(request), now)

    def _take(self, now: float) -> list[Message]:
        """Return what nobody can join any more; start the window for the rest."""
        return self._scheduled(self._folder.take_complete(self._expected), now)

    def _scheduled(self, out: list[Message], now: float) -> list[Message]:
        if not len(self._folder):
            self._due = None
            self._gathered = 0
        elif self._due is None:
            self._due = now + self._window
        return out

    def flush(self) -> list[Message]:
        """Return all that waits: the window has ended."""
        busy = len(self._folder) > 1 or self._gathered >= MANY_MESSAGES
        self._window = min(self._window * 2, self._longest) if busy else SHORT_WINDOW
        self._due = None
        self._gathered = 0
        return self._folder.take()
