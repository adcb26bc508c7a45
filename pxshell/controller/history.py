"""The history of a cluster's cells: what the controller hands over without ever waiting for the disk.

A thread of its own writes and reads the store, a while later and all that has come by then at once: a cell that is run
right now does not share the processor with the writing of the last one. What comes faster than the disk takes it is
left out beyond a limit, which costs the history and nobody else.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias

from pxshell.protocol.message import Message
from pxshell.protocol.outlet import CUTTABLE
from pxshell.protocol.pending import is_reply

if TYPE_CHECKING:
    from pxshell.controller.store import Store

__all__ = ["MAX_TEXT", "History"]

_log = logging.getLogger(__name__)

#: Bytes of text and pictures that one cell keeps; what comes after is counted, and is in the logs of the ranks.
MAX_TEXT = 1024 * 1024
#: Bytes that may wait for the disk; replies are taken all the same, so that no cell seems to run for ever.
_MAX_WAITING = 32 * 1024 * 1024
#: Cells whose later answers are still taken.
_REMEMBERED = 1000
#: Seconds that the first of what is to be written waits for more; a controller that is killed loses as much.
_GATHERING_S = 0.25
#: Seconds that the last writes may take at the end.
_LAST_WRITES_S = 2.0


_Task: TypeAlias = "Callable[[Store], None]"


@dataclass(slots=True)
class _Cell:
    """Bytes of text that came for a cell, and bytes that were left out and are not written yet."""

    text: int = 0
    cut: int = 0


class History:
    """Records and answers; all but the thread's own is for the loop.

    Args:
        loop: Of the controller.
        path: Of the file.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, path: Path) -> None:
        self._loop = loop
        self._path = path
        self._cells: OrderedDict[str, _Cell] = OrderedDict()
        self._waiting = 0
        #: What the thread is given next, and the bytes of it.
        self._gathered: list[_Task] = []
        self._gathered_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        # Filled by the loop, emptied by the thread.
        self._queue: SimpleQueue[tuple[list[_Task], int] | None] = SimpleQueue()
        self._fault = ""
        self._thread = threading.Thread(target=self._run, name="pxshell-history", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what waits, and end the thread."""
        self._hand_over()
        self._queue.put(None)
        self._thread.join(_LAST_WRITES_S)

    # -- the loop ------------------------------------------------------------------------------------------------------

    def asked(self, request: Message) -> None:
        """A cell goes down to its ranks."""
        if request.type != "execute_request":
            return
        self._cells.setdefault(request.id, _Cell())
        while len(self._cells) > _REMEMBERED:
            self._cells.popitem(last=False)
        now = time.time()
        self._put(lambda store: _begin(store, request, now), request.size)

    def said(self, message: Message) -> None:
        """Something goes up to clients; what belongs to a cell is kept."""
        cell = self._cells.get(message.parent)
        if cell is None:
            return
        if not is_reply(message) and self._is_too_much(cell, message):
            cell.cut += message.size
            return
        self._write_cut(message.parent, cell)
        self._put(lambda store: store.add(message), message.size)

    def _is_too_much(self, cell: _Cell, message: Message) -> bool:
        """Tell whether a message is left out; a flood costs no more than this, and after a gap no more text follows."""
        if message.type in CUTTABLE:
            cell.text += message.size
            if cell.text > MAX_TEXT:
                return True
        return self._waiting + message.size > _MAX_WAITING

    def _write_cut(self, request: str, cell: _Cell) -> None:
        cut, cell.cut = cell.cut, 0
        if cut:
            self._put(lambda store: store.cut(request, cut), 0)

    def _put(self, task: _Task, size: int) -> None:
        self._waiting += size
        self._gathered_bytes += size
        self._gathered.append(task)
        if self._timer is None:
            self._timer = self._loop.call_later(_GATHERING_S, self._hand_over)

    def _hand_over(self) -> None:
        """Give the thread what has been gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._gathered:
            self._queue.put((self._gathered, self._gathered_bytes))
            self._gathered, self._gathered_bytes = [], 0

    def ask(self, wanted: dict[str, Any], answer: Callable[[dict[str, Any]], None]) -> None:
        """Answer a `px_history_request`: `answer` is called in the loop with the content of the reply."""

        def task(store: Store) -> None:
            self._loop.call_soon_threadsafe(answer, _found(store, wanted))

        if self._fault:
            answer({"status": "error", "why": self._fault})
            return
        for request, cell in self._cells.items():
            self._write_cut(request, cell)
        self._put(task, 0)
        self._hand_over()

    def _written(self, size: int) -> None:
        self._waiting -= size

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            # Not every Python has it.
            from pxshell.controller.store import Store

            store = Store(self._path)
        except Exception as error:  # noqa: BLE001 - no sqlite3, no room: cells run without a history
            self._fail(error)
            return
        try:
            self._serve(store)
        finally:
            store.close()

    def _serve(self, store: Store) -> None:
        while (item := self._queue.get()) is not None:
            tasks, size = item
            try:
                with store.together():
                    for task in tasks:
                        _try(task, store)
            except Exception as error:  # noqa: BLE001 - a full disk, say: the next may find room
                _log.warning("history: %s", error)
            if size:
                self._loop.call_soon_threadsafe(self._written, size)

    def _fail(self, error: Exception) -> None:
        _log.warning("there is no history: %s", error)
        self._fault = f"this cluster keeps no history: {error}"


def _try(task: _Task, store: Store) -> None:
    try:
        task(store)
    except Exception as error:  # noqa: BLE001 - a full disk, say: the next may find room
        _log.warning("history: %s", error)


def _begin(store: Store, request: Message, now: float) -> None:
    if request.data().get("cell"):  # 0 is none of a user's
        store.begin(request, now)


def _found(store: Store, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a reply: the last cells, or one with all that was said for it."""
    if "last" in wanted:
        return {"status": "ok", "cells": store.last(int(wanted["last"])), "messages": []}
    cells = store.numbered(int(wanted["number"])) if "number" in wanted else store.of_session(int(wanted["cell"]))
    messages = store.messages(cells[0]["number"]) if cells else []
    return {"status": "ok", "cells": cells, "messages": messages}
