"""Failed ranks: what is said of them and of the peers that wait for them, and how a cell's failure is looked at.

A failed rank has raised and is kept as it was; see `pxshell.protocol.state.Activity.FAILED`.
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from pxshell.errors import PxshellError, UsageError
from pxshell.protocol.stacktree import StackTree
from pxshell.protocol.state import Activity, RankState
from pxshell.protocol.types import RUN
from pxshell.ranks import EMPTY, RankSet
from pxshell.session.answers import clean
from pxshell.session.desk import Desk, is_running_script
from pxshell.session.stacks import StackLooking
from pxshell.session.stuck import stack_text
from pxshell.session.waiting import place_text
from pxshell.session.wake import Wake

__all__ = ["FailureNotices", "failure_text", "has_failed", "post_mortem", "stop_on_raise"]

# Ranks of one program fail together; those that fail within this time are told together.
_GATHER_S = 0.3
# A peer that stands at one place in all of so many looks, this far apart, waits there.
_LOOKS = 3
_BETWEEN_LOOKS_S = 0.4
# Peers that still move are looked at again, ever more seldom, for as long as a failed rank is kept.
_LONGEST_S = 5.0
_LOOK_LIMIT_S = 1.0
_CELL = re.compile(r"<px cell (\d+)>:(\d+)")


def failure_text(ranks: RankSet, state: RankState) -> str:
    """Write where ranks have failed, and with what: `3 failed at sim.py:91 in step: ValueError: no mass`."""
    place = _CELL.sub(r"cell \1, line \2", place_text(state))
    return f"{ranks} failed at {place}: {clean(state.why)}"


def has_failed(state: RankState) -> bool:
    """Tell whether a rank is kept as it has failed."""
    return state.is_alive and state.activity is Activity.FAILED


class FailureNotices:
    """Tells of ranks whose script has failed, then of their peers.

    `heard` is for the client's io thread; the rest happens in a thread of its own, for it waits and asks.

    Args:
        desk: What the session shares.
        gather: Seconds in which failures are told together.
        between: Seconds between two looks at the peers.
    """

    def __init__(self, desk: Desk, gather: float = _GATHER_S, between: float = _BETWEEN_LOOKS_S) -> None:
        self._desk = desk
        self._stacks = StackLooking(desk)
        self._gather = gather
        self._between = between
        self._lock = threading.Lock()
        self._new: dict[tuple[str, str], tuple[RankSet, RankState]] = {}
        self._told: set[tuple[int, str]] = set()
        self._has_taught = False
        self._closed = threading.Event()
        #: Set when somebody has failed anew, and in the end.
        self._news = threading.Event()
        self._thread: threading.Thread | None = None

    def heard(self, ranks: RankSet, state: RankState) -> None:
        """Take a state of ranks that have failed; it comes again with each cell there."""
        if state.cell != RUN:
            return  # somebody looks at a cell's failure, and knows
        with self._lock:
            new = RankSet(rank for rank in ranks if (rank, state.pause) not in self._told)
            if not new or self._closed.is_set():
                return
            self._told |= {(rank, state.pause) for rank in new}
            key = place_text(state), state.why
            self._new[key] = (self._new.get(key, (EMPTY, state))[0] | new, state)
            self._news.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._tell, name="pxshell-failures", daemon=True)
                self._thread.start()

    def forget(self, ranks: RankSet) -> None:
        """Take it that these ranks are new processes."""
        with self._lock:
            self._told = {one for one in self._told if one[0] not in ranks}

    def close(self) -> None:
        """Tell nothing more."""
        with self._lock:
            self._closed.set()
            self._news.set()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _tell(self) -> None:
        while not self._closed.wait(self._gather):
            with self._lock:
                new, self._new = self._new, {}
                if self._closed.is_set() or not new:
                    self._thread = None
                    return
                self._news.clear()
            failed = EMPTY
            for ranks, state in sorted(new.values(), key=lambda one: one[0].first):
                failed |= ranks
                self._desk.say(failure_text(ranks, state), "error", ranks)
            self._teach(failed)
            try:
                self._tell_peers(failed)
            except PxshellError:
                continue  # the cluster has gone; whoever waits for it says so

    def _teach(self, failed: RankSet) -> None:
        if self._has_taught:
            return
        self._has_taught = True
        are, their = ("is", "its") if len(failed) == 1 else ("are", "their")
        self._desk.say(
            f"{failed} {are} kept, {their} finally and with blocks have run.  "
            f"Look: %pxfocus @failed   Let {their} exception{'s' if len(failed) > 1 else ''} go on: %pxsignal resume",
            ranks=failed,
        )

    def _tell_peers(self, failed: RankSet) -> None:
        """Say which ranks wait for those that have failed, and where; ranks that move are looked at again."""
        it = "it" if len(failed) == 1 else "them"
        told, pause = EMPTY, self._between
        while failed & self._desk.ranks_that(has_failed):
            for (text, is_call), ranks in self._standing(told).items():
                told |= ranks
                wait = "waits" if len(ranks) == 1 else "wait"
                self._desk.say(
                    f"{ranks} {wait} for {it} {text}" if is_call else f"{ranks} {_stand(ranks)} {text}", ranks=ranks
                )
            # Where all are paused or at a prompt, somebody may let them run yet.
            if EMPTY < self._desk.ranks_that(is_running_script) <= told or self._news.wait(pause):
                return
            pause = min(2 * pause, _LONGEST_S)

    def _standing(self, told: RankSet) -> dict[tuple[str, bool], RankSet]:
        """Return the peers that do not move, by where they stand, and whether that is a call that waits for others."""
        watch, tree = uuid.uuid4().hex, StackTree()
        for number in range(_LOOKS):
            peers = self._desk.ranks_that(is_running_script) - told
            if not peers or (number and self._news.wait(self._between)):
                return {}
            tree = self._stacks.take(peers, _LOOK_LIMIT_S, watch=watch)
        found: dict[tuple[str, bool], RankSet] = {}
        for stack in tree.stacks():
            if stack.end.still >= _LOOKS - 1:
                key = stack_text(stack), bool(stack.end.call)
                found[key] = found.get(key, EMPTY) | stack.ranks
        return found


def _stand(ranks: RankSet) -> str:
    return "stands" if len(ranks) == 1 else "stand"


def post_mortem(desk: Desk, ranks: RankSet) -> RankSet:
    """Stop ranks in the frames of what their last failed cell raised; see `Session.post`."""
    asked = ranks & desk.client.states.alive() - desk.ranks_that(has_failed)
    refused = _ask(desk, asked) if asked else {}
    failed = ranks & desk.ranks_that(has_failed)
    for who, state in desk.client.states.among(failed):
        desk.say(failure_text(who, state), ranks=who)
    if not failed:
        told = "; ".join(f"{who}: {why}" for why, who in refused.items()) or f"{ranks}: gone"
        raise UsageError(f"nothing to look at: {told}")
    for why, who in refused.items():
        desk.say(f"{who} not looked at: {why}", "warning", who)
    return failed


def stop_on_raise(desk: Desk, names: Sequence[str], ranks: RankSet) -> RankSet:
    """Let ranks pause where they raise; see `Session.stop_on_raise`."""
    limit = desk.config.control_deadline
    request = desk.control("px_raise_request", {"types": list(names)}, ranks & desk.client.states.alive(), limit)
    done, refused = EMPTY, list(request.account.missing)
    for who, content in request.replies():
        if content.get("status") == "ok":
            done |= who
        else:
            refused.append((who, clean(str(content.get("why") or content.get("evalue")))))
    if pending := request.account.pending:
        refused.append((pending, f"no answer within {limit:g} s"))
    told = "; ".join(f"{who}: {why}" for who, why in refused)
    if not done:
        raise UsageError(f"stops at no exception: {told or 'no rank is alive'}")
    if names:
        pause = "pauses" if len(done) == 1 else "pause"
        desk.say(f"{done} {pause} where {', '.join(names)} is raised.  No more: %pxdebug break --on-raise", ranks=done)
    else:
        desk.say(f"{done} {'stops' if len(done) == 1 else 'stop'} at no exception any more", ranks=done)
    if told:
        desk.say(f"not so on {told}", "warning")
    return done


def _ask(desk: Desk, ranks: RankSet) -> dict[str, RankSet]:
    """Send the request; return who does not stop, and why."""
    limit = desk.config.control_deadline
    request = desk.control("px_post_request", {"places": [["idle", str(ranks)]]}, ranks, limit)
    refused: dict[str, RankSet] = {}
    stopping = EMPTY

    def refuse(who: RankSet, why: str) -> None:
        refused[why] = refused.get(why, EMPTY) | who

    for who, content in request.replies():
        if content.get("status") == "ok":
            stopping |= who
        else:
            refuse(who, clean(str(content.get("why") or content.get("evalue") or "refused")))
    for who, why in request.account.missing:
        refuse(who, why)
    if request.account.pending:
        refuse(request.account.pending, f"no answer within {limit:g} s")
    _wait_states(desk, lambda: stopping <= desk.ranks_that(has_failed), limit)
    return refused


def _wait_states(desk: Desk, holds: Callable[[], bool], limit: float) -> None:
    """Wait until the states, which come beside the replies, say it too."""
    deadline = time.monotonic() + limit
    with Wake(desk) as wake:
        while not holds() and (left := deadline - time.monotonic()) > 0:
            wake.wait(min(left, 0.05))
