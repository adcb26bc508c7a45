"""The last look at an MPI world: when its first rank dies, where its peers are is kept, and then the world ends.

A launcher that ends the world by itself does so within milliseconds, before anybody could ask. So ours is told to leave
it to us (`Command.ends_together`), and the peers have a moment to say where they stand.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pxshell.node.engines import EngineRecord
from pxshell.protocol.endings import end_line
from pxshell.protocol.message import Message
from pxshell.protocol.stacktree import Stack, tree_of
from pxshell.protocol.state import WORLD, Activity
from pxshell.ranks import EMPTY, RankSet

if TYPE_CHECKING:
    from pxshell.node.node import Node

__all__ = ["LastLook"]

_EXIT_STRING = re.compile(r"EXIT STRING: .*\(signal (\d+)\)")
#: What Hydra ends with when it has lost its proxies; of the ranks it says nothing.
_LAUNCHER_FAILED = 255
#: Seconds that peers have to say where they stand; on a busy machine they need more than a few milliseconds.
_PATIENCE = 1.0
#: Seconds after which the launcher, which has no process left to wait for, is ended too.
_LAUNCHER_PATIENCE = 1.0


class LastLook:
    """Watches over the worlds of one node, one after the other. In the loop's thread."""

    def __init__(self, node: Node) -> None:
        self._node = node
        #: The process that ended first in this epoch; None while all live.
        self._first: EngineRecord | None = None
        self._epoch = -1
        self._request = ""
        self._waiting = EMPTY
        self._stacks: dict[int, Stack] = {}
        self._is_over = False

    @property
    def has_happened(self) -> bool:
        """Whether the present world ends because a rank has died."""
        return self._first is not None and self._epoch == self._node.launch.epoch

    def left(self, record: EngineRecord) -> None:
        """A process has ended, or only its link so far; the first that did not say goodbye takes its world along.

        The link is gone some milliseconds before the process, which its peers may not have.
        """
        node = self._node
        if self.has_happened and record.epoch == self._epoch:
            self._waiting -= RankSet.of(record.rank)  # one that has gone itself says nothing more
            self._end_when_told()
            return
        is_over = record.state.activity is Activity.ENDED or node.is_ending
        if is_over or record.epoch != node.launch.epoch or not node.launch.ends_together(record.rank):
            return
        self._first, self._epoch, self._is_over = record, record.epoch, False
        self._stacks = {}
        peers = [
            one for one in node.engines if one.peer is not None and one.epoch == record.epoch and one is not record
        ]
        self._waiting = RankSet(one.rank for one in peers)
        request = node.message("px_stacks_request", {"full": False}, self._waiting)
        self._request = request.id
        # Told to leave the peers alone, Hydra still ends them in one of six cases, some 10 to 40 ms from now.
        node.launch.hold_launcher()
        for one in peers:
            if one.peer is not None:
                node.server.send(one.peer, request)
        node.loop.call_later(_PATIENCE, self._end, record.epoch)

    def take(self, message: Message) -> bool:
        """Take an answer to our question; returns whether it was one."""
        if not self._request or message.parent != self._request:
            return False
        if message.type == "px_stacks_reply" and self._waiting & message.ranks:
            self._waiting -= message.ranks
            for stack in tree_of([(message.ranks, message.data())]).stacks():
                self._stacks |= dict.fromkeys(stack.ranks, stack)
            self._end_when_told()
        return True

    def _end_when_told(self) -> None:
        if not self._waiting and self._first is not None and not self._first.is_alive:
            self._end(self._epoch)

    def facts(self, record: EngineRecord) -> Mapping[str, Any]:
        """Return what the state of a rank that has died says beside how: with whom it ended, and where it was."""
        if not self.has_happened or self._first is None or record is self._first or record.epoch != self._epoch:
            return {}
        facts: dict[str, Any] = {"reason": WORLD, "why": f"ended with rank {self._first.rank}"}
        stack = self._stacks.get(record.rank)
        if stack is not None:
            users = [frame for frame in stack.frames if frame.is_user]
            if users:
                facts |= {"file": users[-1].file, "line": users[-1].line, "function": users[-1].function}
            if stack.end.text:
                facts["why"] += f", {stack.end.text}"
        return facts

    def launcher_ended(self, status: int | None, said: str) -> None:
        """The launcher has ended: it tells how the first rank did, if that was not known.

        Args:
            status: Its exit status, which Hydra makes that of the rank, or the number of its signal.
            said: Its last words: `EXIT STRING: Segmentation fault (signal 11)`.
        """
        first = self._first
        killed = _EXIT_STRING.search(said)
        is_known = killed is not None or status not in {None, 0, _LAUNCHER_FAILED}
        if not self.has_happened or first is None or first.state.exit is not None or not is_known:
            return
        first.remains = -int(killed[1]) if killed else status
        self._node.report(first, exit=first.remains, why=end_line(first.remains))

    def _end(self, epoch: int) -> None:
        """Write down where the peers stood, and end them as their launcher would have."""
        first = self._first
        if self._is_over or epoch != self._epoch or first is None:
            return
        self._node.launch.let_launcher_go()
        if first.is_alive:  # it was the link alone
            self._first = None
            return
        self._is_over = True
        head = f"pxshell: rank {first.rank} {end_line(first.remains)}; this rank stood at\n"
        for rank, stack in self._stacks.items():
            record = self._node.engines.of(rank)
            if record is not None and record.is_alive:
                record.log.write(f"{head}{_text(stack)}".encode())
        for record in self._node.engines:
            if record.epoch == epoch and self._node.launch.ends_together(record.rank):
                record.send_signal(signal.SIGKILL)
        self._node.loop.call_later(_LAUNCHER_PATIENCE, self._end_launcher, epoch)

    def _end_launcher(self, epoch: int) -> None:
        if epoch == self._node.launch.epoch and not self._node.is_ending:
            self._node.launch.send_signal(signal.SIGTERM)


def _text(stack: Stack) -> str:
    lines = [f'  File "{frame.file}", line {frame.line}, in {frame.function}\n' for frame in stack.frames if frame.file]
    return "".join(lines) + (f"  {stack.end.text}\n" if stack.end.text else "")
