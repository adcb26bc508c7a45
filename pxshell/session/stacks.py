"""Where all ranks stand: their stacks merged into one tree, with letters for its branches."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pxshell.protocol.stacks import StackEnd
from pxshell.protocol.stacktree import StackTree
from pxshell.ranks import EMPTY, RankSet
from pxshell.render.branching import branches_of
from pxshell.render.events import Stacks
from pxshell.render.odd_stacks import odd_ranks
from pxshell.session.answers import clean
from pxshell.session.desk import Desk
from pxshell.session.stacktrees import tree_of_request
from pxshell.session.stuck import completing_text

__all__ = ["StackLooking"]

#: Characters of a local's value.
_LONGEST_VALUE = 60
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class StackLooking:
    """`%pxdebug stacks`; in the face's thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def show(
        self,
        ranks: RankSet,
        *,
        full: bool = False,
        names: Sequence[str] = (),
        every: float = 1.0,
        count: int = 0,
        timeout: float | None = None,
    ) -> StackTree:
        """Show the tree and return it; see `Session.stacks`."""
        deadline = self._desk.config.control_deadline if timeout is None else timeout
        if count > 1:
            return self._sampled(ranks, full=full, names=names, every=every, count=count, deadline=deadline)
        tree = self.take(ranks, deadline, full=full)
        self._draw(tree, names, deadline)
        return tree

    def take(self, ranks: RankSet, deadline: float, *, full: bool = False, watch: str = "") -> StackTree:
        """Ask ranks where they stand, and wait at most `deadline` seconds."""
        content: dict[str, Any] = {"full": full, **({"watch": watch} if watch else {})}
        request = self._desk.control("px_stacks_request", content, ranks, deadline)
        tree = tree_of_request(request, deadline)
        request.forget()
        return tree

    def _draw(self, tree: StackTree, names: Sequence[str], deadline: float) -> None:
        focus = self._desk.focus
        odd = odd_ranks(tree)
        letters = focus.letter(branches_of(tree))
        focus.odd = odd
        values = tuple((name, self._values(name, tree, deadline)) for name in names)
        self._desk.show(Stacks(tree, tuple(letters), odd, values))
        busy = self._desk.client.states.where("busy")
        if text := completing_text(self._desk, tree, busy):
            self._desk.say(text, ranks=tree.ranks)

    # Locals.

    def _values(self, name: str, tree: StackTree, deadline: float) -> tuple[tuple[RankSet, str], ...]:
        """Return the values of a name in the running frames, folded; ranks that do not have it are left out."""
        answering = EMPTY
        for stack in tree.stacks():
            # Who cannot say where it stands evaluates nothing either.
            if not stack.end.is_outside:
                answering |= stack.ranks
        if not answering:
            return ()
        request = self._desk.control("execute_request", _peek(name, answering), answering, deadline)
        folded: dict[str, RankSet] = {}
        for message in list(request.messages):
            if message.type == "execute_result":
                text = _one_line(clean(str(message.data()["data"].get("text/plain", ""))))
                folded[text] = folded.get(text, EMPTY) | message.ranks
        request.forget()
        if not folded:
            reasons = {clean(why) for _, why in request.account.missing}
            self._desk.say(f"{name}: {', '.join(sorted(reasons)) or 'no rank that answered has it'}", "warning")
        return tuple(
            sorted(((who, text) for text, who in folded.items()), key=lambda one: (-len(one[0]), one[0].first))
        )

    # Samples.

    def _sampled(
        self, ranks: RankSet, *, full: bool, names: Sequence[str], every: float, count: int, deadline: float
    ) -> StackTree:
        began = time.monotonic()
        watch, moved, before, looks = uuid.uuid4().hex, EMPTY, StackTree(), 0
        tree = before
        pause = threading.Event()
        try:
            while looks < count:
                if looks:
                    pause.wait(max(0.0, began + looks * every - time.monotonic()))
                tree = self.take(ranks, deadline, full=full, watch=watch)
                moved |= _moved(before, tree) if looks else EMPTY
                before, looks = tree, looks + 1
        except KeyboardInterrupt:
            if not looks:
                raise
        shown = _told(tree, moved)
        self._draw(shown, names, deadline)
        self._desk.say(_moves_text(looks, time.monotonic() - began, tree.ranks - moved, moved & tree.ranks))
        return shown


def _moved(before: StackTree, now: StackTree) -> RankSet:
    """Return the ranks that have moved between two looks; of those read from outside, whose stack is another one."""
    moved = EMPTY
    known = {(stack.frames, stack.end): stack.ranks for stack in before.stacks()}
    for stack in now.stacks():
        if stack.end.still < 0:
            moved |= (stack.ranks & before.ranks) - known.get((stack.frames, stack.end), EMPTY)
        elif not stack.end.still:
            moved |= stack.ranks
    return moved


def _told(tree: StackTree, moved: RankSet) -> StackTree:
    """Say at each branch whether its ranks have moved."""
    stacks = []
    for stack in tree.stacks():
        for ranks, word in ((stack.ranks & moved, "moved"), (stack.ranks - moved, "not moved")):
            if ranks and stack.frames:
                stacks.append(replace(stack, ranks=ranks, end=_noted(stack.end, word)))
            elif ranks:
                stacks.append(replace(stack, ranks=ranks, end=replace(stack.end, still=-1)))
    return StackTree.of(stacks, tree.failed)


def _noted(end: StackEnd, word: str) -> StackEnd:
    return replace(end, still=-1, note="; ".join(part for part in (end.note, word) if part))


def _moves_text(looks: int, seconds: float, still: RankSet, moved: RankSet) -> str:
    parts = []
    if still:
        parts.append(f"{still} {'has' if len(still) == 1 else 'have'} not moved")
    if moved:
        parts.append(f"{moved} {'has' if len(moved) == 1 else 'have'} moved")
    return f"{looks} looks in {seconds:.1f} s: {'; '.join(parts) or 'nobody answered'}"


def _peek(name: str, ranks: RankSet) -> dict[str, Any]:
    """Build the content of a cell that the side thread evaluates in the running frame."""
    content = {"code": name, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    return content | {"stop_on_error": True, "cell": 0, "filename": "<px>", "places": [["peek", str(ranks)]]}


def _one_line(text: str) -> str:
    """Write a value in one line, without the address of an object, which differs without meaning."""
    line = _ADDRESS.sub(" at 0x…", " ".join(text.split()))
    return line if len(line) <= _LONGEST_VALUE else f"{line[: _LONGEST_VALUE - 1]}…"
