"""An outlet at the pace of who looks: text that comes faster is cut at once, with notice, and not carried further."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pxshell.protocol.message import Message
from pxshell.protocol.outlet import CUTTABLE, Outlet
from pxshell.protocol.pace import Pace
from pxshell.protocol.types import Lane
from pxshell.ranks import RankSet
from pxshell.transport.base import Reactor, Timer

__all__ = ["PacedOutlet"]


class PacedOutlet(Outlet):
    """An outlet that takes no more text than its view shows.

    Args:
        reactor: the loop that opens the view again.
        send: queues a message; False when the lane is at its limit. `drained` must be called when it is below again.
        file_of: the log that has the full text of these ranks.
    """

    def __init__(self, reactor: Reactor, send: Callable[[Message], bool], file_of: Callable[[RankSet], str]) -> None:
        super().__init__(self._send_paced, file_of)
        self._reactor = reactor
        self._send_now = send
        #: For each client whose answers have a pace of their own; "" is everybody's.
        self._paces: dict[str, Pace] = {}
        self._timer: Timer | None = None

    def set_paces(self, rates: Mapping[str, float]) -> None:
        """Show so many bytes a second from now on.

        Args:
            rates: for each client what it takes of the answers to its requests, and for "" what goes to all clients;
                what is not named has no limit.
        """
        before = self._paces
        self._paces = {
            origin: before[origin] if origin in before and before[origin].rate == rate else Pace(rate)
            for origin, rate in rates.items()
        }
        self._reopen()

    def is_open(self, origin: str) -> bool:
        """Tell whether text would go on now; if not, whoever has some need not even make messages of it: see `cut`."""
        pace = self._paces.get(origin)
        return pace is None or pace.is_open(self._reactor.time())

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def cut(self, id_: str, ranks: RankSet, parent: str, origin: str, extent: tuple[int, int]) -> None:
        """Leave text out of the view, and say so when it opens again."""
        super().cut(id_, ranks, parent, origin, extent)
        pace = self._paces.get(origin)
        if self._timer is None and pace is not None:
            delay = pace.opens_in(self._reactor.time())
            if delay:
                self._timer = self._reactor.call_later(delay, self._reopen)

    def _send_paced(self, message: Message) -> bool:
        pace = self._paces.get(message.header.origin) if message.type in CUTTABLE else None
        if pace is not None and not pace.spend(message.size, self._reactor.time()):
            return False
        return self._send_now(message)

    def _reopen(self) -> None:
        self.close()
        self.drained(Lane.WORK)
