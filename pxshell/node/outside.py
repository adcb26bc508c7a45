"""Ranks that do not say where they stand are read from outside, and their node answers for them (P6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pxshell.protocol.message import Message
from pxshell.protocol.stacktree import reply_of
from pxshell.protocol.state import Liveness
from pxshell.ranks import EMPTY, RankSet

if TYPE_CHECKING:
    from pxshell.node.node import Node

__all__ = ["OutsideStacks"]

#: Seconds that a rank has for its own answer. Its control thread needs a millisecond when it gets the GIL.
PATIENCE = 1.0
#: Processes that are read at the same time; a busy machine whose ranks are late is not helped by more.
_AT_ONCE = 4

#: Returns the content of the reply for a process.
Reader = Callable[[int, bool], dict[str, Any]]


class OutsideStacks:
    """Answers `px_stacks_request` for ranks that do not. In the loop's thread; the reading in the loop's executor.

    Args:
        read: Reads the stack of a process, all frames of it or not; None is py-spy.
        patience: Seconds that ranks have for their own answer.
    """

    def __init__(self, node: Node, read: Reader | None = None, patience: float = PATIENCE) -> None:
        self._node = node
        self._read = read or _spied
        self._patience = patience
        self._reading: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_AT_ONCE)

    def asked(self, request: Message) -> None:
        """The request has gone down to the engines."""
        content = request.data()
        if content.get("brief"):
            # Who asks again and again takes no answer for one.
            return
        full = bool(content.get("full"))
        silent = RankSet(one.rank for one in self._node.engines if one.state.liveness is Liveness.UNRESPONSIVE)
        self._look(request, request.ranks & silent, full)
        self._node.loop.call_later(self._patience, self._look, request, request.ranks - silent, full)

    def _look(self, request: Message, ranks: RankSet, full: bool) -> None:
        for rank in ranks & self._node.pending.owing(request.id):
            task = self._node.loop.create_task(self._answer(request, rank, full))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

    async def _answer(self, request: Message, rank: int, full: bool) -> None:
        record = self._node.engines.of(rank)
        if record is None or record.watch is None:
            return
        who = RankSet.of(rank)
        async with self._room:
            # It may have answered while others were read, or died; and also while it was read.
            if not who <= self._node.pending.owing(request.id):
                return
            content = await self._node.loop.run_in_executor(None, self._read, record.pid, full)
        if who <= self._node.pending.owing(request.id):
            self._node.answer(request, "px_stacks_reply", content, who)

    def is_late(self, message: Message) -> bool:
        """Tell whether this is an engine's answer to what was answered for it."""
        if message.type != "px_stacks_reply":
            return False
        return not message.ranks or message.ranks - self._node.pending.owing(message.parent) != EMPTY


def _spied(pid: int, full: bool) -> dict[str, Any]:
    # psutil and ast, which a node needs for nothing else.
    from pxshell.node.spying import SpyError, read_stack

    try:
        spied = read_stack(pid, full=full)
    except SpyError as error:
        return {"status": "error", "why": f"it does not answer, and cannot be read from outside: {error}"}
    return reply_of(spied.frames, spied.end)
