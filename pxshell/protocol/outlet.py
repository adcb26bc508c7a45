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
#: What changes nothing on the screen need not stand behind a notice: a state that all text before it, but what was cut,
#: has preceded. Else there would be a notice for each state of each rank.
_OVERTAKES = frozenset({"px_place"})


@dataclass(slots=True)
class _Cut:
    """What has been left out of one cell's view."""

    #: Of the notice: made of the first message's id, so that the notices of several outlets differ.
    id: str
    ranks: RankSet = EMPTY
    bytes: int = 0
    lines: int = 0

    def add(self, ranks: RankSet, extent: tuple[int, int]) -> None:
        """Count what a reader would have seen."""
        if not ranks <= self.ranks:
            self.ranks |= ranks
        self.bytes += extent[0]
        self.lines += extent[1]


def extent_of(message: Message) -> tuple[int, int]:
    """Return what a reader would have seen of it: the text's bytes and lines, or the bytes of a picture."""
    if message.type != "stream":
        return message.size, 0
    text = str(message.data().get("text", ""))
    return len(text.encode("utf-8", "replace")), text.count("\n")


class Outlet:
    """Sends to one destination, keeping each lane's order.

    At the limit text and pictures are left out, until `drained` is called; one `px_cut` for each cell says how much of
    whom, before answers go on. All else waits, which is bounded by the requests in flight.

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
        if self._is_blocked(message) or not self._send(message):
            self._cut_or_wait(message)

    def _is_blocked(self, message: Message) -> bool:
        """Whether something waits, or was cut, which order forbids this message to overtake."""
        if message.lane is Lane.WORK and self._is_cut(message.header.origin) and message.type not in _OVERTAKES:
            return message.type in CUTTABLE or not self._announce() or bool(self._waiting[Lane.WORK])
        return bool(self._waiting[message.lane])

    def _is_cut(self, origin: str) -> bool:
        """Whether the view of this client, "" for all, lacks something of which it has not been told yet."""
        return any(cut in ("", origin) or not origin for _, cut in self._cut)

    def _cut_or_wait(self, message: Message) -> None:
        if message.type not in CUTTABLE:
            self._waiting[message.lane].append(message)
            return
        self.cut(message.id, message.ranks, message.parent, message.header.origin, extent_of(message))

    def cut(self, id_: str, ranks: RankSet, parent: str, origin: str, extent: tuple[int, int]) -> None:
        """Leave text or a picture out of the view, and say so as soon as there is room.

        Args:
            id_: of the message that it is, or would have been.
            ranks: who said it.
            parent: the cell.
            origin: the client whose view it is; "" is all.
            extent: bytes and lines.
        """
        self._cut.setdefault((parent, origin), _Cut(f"cut-{id_}")).add(ranks, extent)

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
