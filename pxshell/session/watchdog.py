"""The watchdog: says at the prompt, unasked and once, that no rank has moved for a while, and where they stand."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable

from pxshell.errors import PxshellError
from pxshell.protocol.state import Activity, RankState
from pxshell.ranks import EMPTY, RankSet
from pxshell.session.desk import Desk
from pxshell.session.ports import RequestPort
from pxshell.session.stacks import StackLooking
from pxshell.session.stacktrees import tree_of_request
from pxshell.session.stuck import completing_text, groups_text

__all__ = ["Watchdog"]

#: Looks in the time after which the watchdog speaks.
_LOOKS = 8
_SHORTEST_S = 0.25
_LONGEST_S = 5.0
#: Looks in quick succession before it speaks: a loop around one call is at the same place most of the time.
_LAST_LOOKS = 8
_LAST_EVERY_S = 0.05
# Of a failed rank its peers' waiting has been told.
_ON_PURPOSE = frozenset({Activity.PAUSED, Activity.HELD, Activity.FAILED, Activity.DEBUGGING})


class Watchdog:
    """Looks at busy ranks now and then, in a thread of its own; asks nothing while no rank is busy, or one is paused.

    Args:
        desk: Its setting `watchdog` is the time in seconds; 0 is off. It is read at each look.
        clock: Seconds.
    """

    def __init__(self, desk: Desk, clock: Callable[[], float] = time.monotonic) -> None:
        self._desk = desk
        self._clock = clock
        self._stacks = StackLooking(desk)
        self._watch = uuid.uuid4().hex
        #: When each busy rank was last found to have moved, and in which cell it was.
        self._since: dict[int, tuple[float, str]] = {}
        self._asked: list[RequestPort] = []
        self._told = EMPTY
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="pxshell-watchdog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(self._period()):
            try:
                self.look()
            except PxshellError:
                # The cluster has gone; whoever waits for it says so.
                self._forget()

    def _period(self) -> float:
        limit = self._desk.config.watchdog
        return min(max(limit / _LOOKS, _SHORTEST_S), _LONGEST_S)

    # -- one look ------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Take what the last question brought, speak when it is time to, and ask again."""
        limit = self._desk.config.watchdog
        busy = self._busy() if limit > 0 and not self._desk.is_asking else EMPTY
        if not busy:
            self._forget()
            return
        now = self._clock()
        self._take(busy, now)
        last = max((since for since, _ in self._since.values()), default=now)
        if now - last >= limit and self._told != busy and self._is_still(busy) and busy <= self._busy():
            self._told = busy
            self._speak(busy, now - last)
        owing = EMPTY
        for request in self._asked:
            owing |= request.account.pending
        if asked := busy - owing:
            content = {"brief": True, "watch": self._watch}
            self._asked.append(self._desk.client.request("px_stacks_request", content, asked))

    def _busy(self) -> RankSet:
        """Return the ranks that run something; none while one stands on purpose."""
        busy = EMPTY
        for ranks, state in self._desk.client.states.groups():
            if state.is_alive and state.activity in _ON_PURPOSE:
                return EMPTY
            if state.is_alive and state.activity is Activity.BUSY:
                busy |= ranks
        return busy

    def _take(self, busy: RankSet, now: float) -> None:
        """Note who has moved. Whoever has not answered has not: its Python stands."""
        moved = EMPTY
        for request in self._asked:
            for stack in tree_of_request(request, 0.0).stacks():
                if stack.end.still <= 0:
                    moved |= stack.ranks
        for request in self._asked:
            if request.done:
                request.forget()
        self._asked = [request for request in self._asked if not request.done]
        before, self._since = self._since, {}
        for ranks, state in self._desk.client.states.groups():
            for rank in ranks & busy:
                self._since[rank] = _since(before.get(rank), state, now, has_moved=rank in moved)
        if moved & busy:
            self._told = EMPTY

    def _forget(self) -> None:
        for request in self._asked:
            request.forget()
        self._asked = []
        self._since = {}
        self._told = EMPTY

    def _is_still(self, busy: RankSet) -> bool:
        """Look some more times, one shortly after the other."""
        watch = uuid.uuid4().hex
        answering = busy & self._desk.client.states.where("ok")
        for number in range(_LAST_LOOKS if answering else 0):
            if number and self._closing.wait(_LAST_EVERY_S):
                return False
            content = {"brief": True, "watch": watch}
            request = self._desk.control("px_stacks_request", content, answering, 1.0)
            has_moved = number and any(not one.end.still for one in tree_of_request(request, 1.0).stacks())
            request.forget()
            if has_moved:
                self._since = {}
                return False
        return True

    def _speak(self, busy: RankSet, seconds: float) -> None:
        tree = self._stacks.take(busy, self._desk.config.control_deadline)
        who = "no rank has" if busy >= self._desk.client.states.alive() else f"{busy} {_has(busy)} not"
        text = f"{who} moved for {seconds:.0f} s: {groups_text(tree)}.  See: %pxdebug stacks"
        self._desk.say(text, "warning", busy)
        if hint := completing_text(self._desk, tree, busy):
            self._desk.say(hint, ranks=busy)


def _since(before: tuple[float, str] | None, state: RankState, now: float, *, has_moved: bool) -> tuple[float, str]:
    if before is None or has_moved or before[1] != state.cell:
        return now, state.cell
    return before


def _has(ranks: RankSet) -> str:
    return "has" if len(ranks) == 1 else "have"
