"""Waiting for news of states, without missing any and without asking all the time."""

from __future__ import annotations

import queue
from typing import Self

from pxshell.protocol.message import Message
from pxshell.session.desk import Desk

__all__ = ["Wake"]


class Wake:
    """Wakes the face's thread when some rank's state has changed."""

    def __init__(self, desk: Desk) -> None:
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._end = desk.client.subscribe(self._take)

    def _take(self, message: Message) -> None:
        if message.type == "px_state":
            self._news.put(None)

    def wait(self, timeout: float) -> None:
        """Wait for news, at most so many seconds."""
        try:
            self._news.get(timeout=timeout)
        except queue.Empty:
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._end()
