"""Readers that take turns: what many ranks print keeps a node from nothing else for longer than a turn of the loop."""

from __future__ import annotations

import selectors
from collections import deque
from collections.abc import Callable
from typing import Any

from pxshell.transport.base import Reactor, Timer

__all__ = ["Turns"]

#: Seconds after which the loop has its turn, and with it the control lane; one callback more may begin before.
_TURN_S = 0.004


class Turns:
    """Reads descriptors for as long as a turn, one after the other, and goes on there when the loop comes round again.

    A loop calls the readers of all descriptors that are readable before it does anything else: 64 ranks that print
    are 64 such calls, of some milliseconds each. Here the descriptors have a selector of their own, and the loop
    watches that one.

    Args:
        reactor: The loop.
        turn: Seconds.
    """

    def __init__(self, reactor: Reactor, turn: float = _TURN_S) -> None:
        self._reactor = reactor
        self._turn = turn
        self._selector = selectors.DefaultSelector()
        #: Descriptors that were readable when they were asked last, and have not had their turn.
        self._waiting: deque[int] = deque()
        reactor.add_reader(self._selector_fd, self._take_turn)

    @property
    def _selector_fd(self) -> int:
        # Each selector but that of select() is a descriptor, which is readable when one of its own is.
        return self._selector.fileno()

    def add_reader(self, fd: int, callback: Callable[..., Any], *args: Any) -> None:
        """Call back whenever the descriptor is readable and its turn has come."""
        self._selector.register(fd, selectors.EVENT_READ, (callback, args))

    def remove_reader(self, fd: int) -> None:
        """Undo `add_reader`, before the descriptor is closed."""
        self._selector.unregister(fd)

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Timer:
        """Call once, after so many seconds."""
        return self._reactor.call_later(delay, callback, *args)

    def close(self) -> None:
        """Read nothing more."""
        self._reactor.remove_reader(self._selector_fd)
        self._selector.close()

    def _take_turn(self) -> None:
        if not self._waiting:
            self._waiting.extend(key.fd for key, _ in self._selector.select(0))
        end = self._reactor.time() + self._turn
        watched = self._selector.get_map()
        while self._waiting:
            key = watched.get(self._waiting.popleft())
            if key is None:
                continue
            callback, args = key.data
            callback(*args)
            if self._reactor.time() >= end:
                return
