"""Both lanes on their way up through a relay: folded, with flush windows kept by the loop."""

from __future__ import annotations

from collections.abc import Callable

from pxshell.protocol.flow import UpwardFlow
from pxshell.protocol.message import Message
from pxshell.protocol.pending import PendingReplies
from pxshell.protocol.types import Lane
from pxshell.ranks import EMPTY, RankSet
from pxshell.transport.base import Reactor, Timer

__all__ = ["Upward"]

#: Seconds that control answers wait for equal ones.
_CONTROL_WINDOW = 0.005


class Upward:
    """Both lanes on their way up.

    Args:
        reactor: the loop that keeps the flush windows.
        pending: the requests in flight below.
        deliver: hands a folded message on.
    """

    def __init__(
        self,
        reactor: Reactor,
        pending: PendingReplies,
        deliver: Callable[[Message], None],
    ) -> None:
        self._reactor = reactor
        self._pending = pending
        self._deliver = deliver
        self._flows = {
            Lane.WORK: UpwardFlow(pending.expected),
            Lane.CONTROL: UpwardFlow(pending.expected, longest=_CONTROL_WINDOW),
        }
        self._timers: dict[Lane, Timer] = {}

    def add(self, message: Message, settled: RankSet = EMPTY) -> None:
        """Take one message of ranks; see `UpwardFlow.add`."""
        lane, flow = message.lane, self._flows[message.lane]
        self._hand_on(flow.add(message, self._reactor.time(), settled))
        if self._pending.answered(message) and flow.deadline is not None:
            self._hand_on(flow.end(message.parent, self._reactor.time()))
        self._schedule(lane)

    def settle(self) -> None:
        """Ranks have gone: what waited for them may go on."""
        for lane, flow in self._flows.items():
            self._hand_on(flow.take(self._reactor.time()))
            self._schedule(lane)

    def flush(self) -> None:
        """Send all that waits, in both lanes."""
        for lane in Lane:
            self.flush_lane(lane)

    def _schedule(self, lane: Lane) -> None:
        due = self._flows[lane].deadline
        timer = self._timers.get(lane)
        if due is None and timer is not None:
            self._timers.pop(lane).cancel()
        elif due is not None and timer is None:
            delay = max(0.0, due - self._reactor.time())
            self._timers[lane] = self._reactor.call_later(delay, self.flush_lane, lane)

    def flush_lane(self, lane: Lane) -> None:
        """Send all that waits in one lane."""
        timer = self._timers.pop(lane, None)
        if timer is not None:
            timer.cancel()
        self._hand_on(self._flows[lane].flush())

    def _hand_on(self, messages: list[Message]) -> None:
        for message in messages:
            self._deliver(message)
