"""Waiting with a line that says for whom: who is done, who is not, and where the slowest is."""

from __future__ import annotations

import time
from collections.abc import Callable

from pxshell.protocol.stacktree import Stack
from pxshell.protocol.state import RankState
from pxshell.ranks import RankSet
from pxshell.render.events import Progress
from pxshell.session.desk import Desk
from pxshell.session.ports import RequestPort
from pxshell.session.running_on import innermost, written_place
from pxshell.session.stacktrees import tree_of_request
from pxshell.session.stuck import completing_text

__all__ = ["Waiting", "place_text", "wait_for"]

_EVERY_S = 1.0
_LOOK_S = 0.1


def place_text(state: RankState) -> str:
    """Write where a rank stands: `sim.py:87 in main`; "" when unknown."""
    return written_place(state.file, state.line, state.function) if state.file else ""


def wait_for(desk: Desk, request: RequestPort, timeout: float | None = None) -> bool:
    """Wait until a request is done, with the line that says for whom; False after `timeout` seconds."""
    waiting = Waiting(desk, request)
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        while not request.done:
            left = _LOOK_S if deadline is None else min(_LOOK_S, deadline - time.monotonic())
            if left <= 0:
                return False
            request.wait(left)
            waiting.look()
    finally:
        waiting.end()
    return True


class Waiting:
    """The progress line of one request. Not thread-safe: the face's thread only."""

    def __init__(self, desk: Desk, request: RequestPort, clock: Callable[[], float] = time.monotonic) -> None:
        self._desk = desk
        self._request = request
        self._clock = clock
        after = desk.config.progress_after
        self._next = clock() + after if after >= 0 else float("inf")
        self._is_shown = False
        self._stacks: RequestPort | None = None
        self._hint = ""

    def look(self) -> None:
        """Show the line when it is time to."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + _EVERY_S
        account = self._request.account
        if not account.pending:
            return
        outside = self._desk.client.states.where("idle") - self._request.targets
        self._desk.progress(Progress(account.answered, account.pending, self._where(account.pending), outside))
        self._is_shown = True

    def end(self) -> None:
        """Take the line away."""
        if self._is_shown:
            self._desk.progress(None)
            self._is_shown = False

    def _where(self, pending: RankSet) -> str:
        """Return where the first waiting rank is: as its state says, else as its stack said since the last line."""
        state = self._desk.client.states.of(pending.first)
        if state is not None and state.file:
            return f"at {place_text(state)}"
        told = self._told(pending)
        if self._stacks is None or self._stacks.done:
            self._stacks = self._desk.client.request("px_stacks_request", {"full": False}, pending)
        return told

    def _told(self, pending: RankSet) -> str:
        if self._stacks is None or not self._stacks.done:
            return ""
        tree = tree_of_request(self._stacks, 0.0)
        self._say_hint(completing_text(self._desk, tree, pending))
        return next((_where(stack) for stack in tree.stacks() if pending.first in stack.ranks), "")

    def _say_hint(self, hint: str) -> None:
        if hint and hint != self._hint:
            self._hint = hint
            self._desk.say(f"{hint}  (Ctrl-C twice gives the prompt back)")


def _where(stack: Stack) -> str:
    """Write where the innermost user frame is: `at sim.py:90 in step, in MPI Allreduce`."""
    found = innermost(stack)
    if found is None:
        return ""
    place = f"at {written_place(found.file, found.line, found.function)}"
    return f"{place}, {stack.end.text}" if stack.end.text else place
