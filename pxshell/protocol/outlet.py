"""One destination that may be slow: what cannot be sent is cut with notice, or waits (P2, P7)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pxshell.protocol.message import Message
from pxshell.protocol.types import Lane
from pxshell.ranks import EMPTY, RankSet

__all__ = ["CUTTABLE", "Outlet", "extent_of"]

#: What may be left out of a view: text is in the logs, and pictures are not needed to go on.
CUTTABLE = frozenset({"stream", "display_data", "update_display_data", "clear_output"})


@dataclass(slots=True)
class _Cut:
    """What has been left out of one cell's view."""

    #: Of the notice: made of the first message's id, so that the notices of several outlets differ.
    id: str
    ranks: RankSet = EMPTY
    bytes: int = 0
    lines: int = 0

    def add(self, message: Message) -> None:
        """Count what a reader would have seen: the text's bytes and lines, or the bytes of a picture."""
        self.ranks |= message.ranks
        size, lines = extent_of(message)
        self.bytes += size
        self.lines += lines


def extent_of(message: Message) -> tuple[int, int]:
    """Return what a reader would have seen of it: the text's bytes and lines, or the bytes of a picture."""
    if message.type != "stream":
        return message.size, 0
    text = str(message.data().get("text", ""))
    return len(text.encode("utf-8", "replace")), text.count("\n")


class Outlet:
    """Sends to one destination, keeping each lane's order.

    At the limit text and pictures are left out, and one `px_cut` for each cell says how much of whom; all else waits,
    which is bounded by the requests in flight.

    Args:
        send: queues a message; False when the lane is at its limit. `drained` must be called when it is below again.
        file_of: the log that has the full text of these ranks.
    """

    def __init__(self, send: Callable[[Message], bool], file_of: Callable[[RankSet], str]) -> None:
        self._send = send
        self._file_of = file_of
        #: For (parent, origin) what has been left out.
        self._cut: dict[tuple[str, str], _Cut] = {}
        self._waiting: dict[Lane, deque[Message]] = {lane: deque() for lane in Lane}

    def deliver(self, message: Message) -> None:
        """Send, or cut, or keep for later."""
        if self._is_blocked(message.lane) or not self._send(message):
            self._cut_or_wait(message)

    def _is_blocked(self, lane: Lane) -> bool:
        """Whether something of this lane waits already, which order forbids to overtake."""
        return bool(self._waiting[lane]) or (lane is Lane.WORK and bool(self._cut))

    def _cut_or_wait(self, message: Message) -> None:
        if message.type not in CUTTABLE:
            self._waiting[message.lane].append(message)
            return
        key = (message.parent, message.header.origin)
        self._cut.setdefault(key, _Cut(f"cut-{message.id}")).add(message)

    def drained(self, lane: Lane) -> None:
        """The link takes messages again: first the notice of what was cut, then what had to wait."""
        if lane is Lane.WORK and not self._announce():
            return
        waiting = self._waiting[lane]
        while waiting and self._send(waiting[0]):
            waiting.popleft()

    def _announce(self) -> bool:
        """Send the notices; tell whether all of them went, or something else would overtake them."""
        for (parent, origin), cut in list(self._cut.items()):
            content = {"bytes": cut.bytes, "lines": cut.lines, "file": self._file_of(cut.ranks)}
            notice = Message.make("px_cut", cut.id, content, ranks=cut.ranks, parent=parent, origin=origin)
            if not self._send(notice):
                return False
            del self._cut[parent, origin]
        return True
