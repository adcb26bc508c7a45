"""A small event loop on selectors, for processes that must not import asyncio: engines."""

from __future__ import annotations

import heapq
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["SelectLoop"]

_log = logging.getLogger(__name__)

_Call = tuple[Callable[..., Any], tuple[Any, ...]]


class _Timer:
    __slots__ = ("call",)

    def __init__(self, call: _Call) -> None:
        self.call: _Call | None = call

    def cancel(self) -> None:
        self.call = None


class SelectLoop:
    """Descriptors, timers and calls from other threads; sleeps until one of them has something to do.

    One thread runs it, and it alone calls the methods, but for `stop` and those that begin with `call`. An exception of
    a callback is logged and the loop goes on.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        # Both ends are the loop's own: other threads write one byte to wake it.
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)
        self._soon: deque[_Call] = deque()
        self._timers: list[tuple[float, int, _Timer]] = []
        self._timer_count = 0
        self._is_stopped = False
        self._is_closed = False
        # Whoever calls back: the thread that runs the loop, or one that could not wait for it.
        self._turn = threading.Lock()
        self._thread = 0
        self.add_reader(self._wake_out.fileno(), self._woken)

    def time(self) -> float:
        """Return the seconds of the monotonic clock."""
        return time.monotonic()

    def add_reader(self, fd: int, callback: Callable[..., Any], /, *args: Any) -> None:
        """Call back whenever the descriptor is readable, in place of what was called before."""
        self._watch(fd, selectors.EVENT_READ, (callback, args))

    def remove_reader(self, fd: int, /) -> bool:
        """Undo `add_reader`; False when there is nothing to undo."""
        return self._unwatch(fd, selectors.EVENT_READ)

    def add_writer(self, fd: int, callback: Callable[..., Any], /, *args: Any) -> None:
        """Call back whenever the descriptor is writable, in place of what was called before."""
        self._watch(fd, selectors.EVENT_WRITE, (callback, args))

    def remove_writer(self, fd: int, /) -> bool:
        """Undo `add_writer`; False when there is nothing to undo."""
        return self._unwatch(fd, selectors.EVENT_WRITE)

    def call_later(self, delay: float, callback: Callable[..., Any], /, *args: Any) -> _Timer:
        """Call once, after so many seconds."""
        timer = _Timer((callback, args))
        self._timer_count += 1
        heapq.heappush(self._timers, (self.time() + delay, self._timer_count, timer))
        if self._thread not in (0, threading.get_ident()):
            self._wake()  # it may sleep for longer
        return timer

    def call_soon_threadsafe(self, callback: Callable[..., Any], /, *args: Any) -> None:
        """Call once, soon, in the loop's thread; any thread may ask, none may once the loop is closed."""
        self._soon.append((callback, args))
        self._wake()

    def call_now_threadsafe(self, callback: Callable[..., Any], /, *args: Any) -> None:
        """Call once, behind what was asked for before: in this thread, if the loop's own waits for something to do.

        That saves waking a thread, which takes longer than most callbacks. It is for a caller who holds nothing that a
        callback of the loop waits for, and who is not interrupted: the loop stands meanwhile.
        """
        self._soon.append((callback, args))
        if not self._turn.acquire(blocking=False):
            self._wake()
            return
        try:
            self._run_soon()
        finally:
            self._turn.release()

    def call_along_threadsafe(self, callback: Callable[..., Any], /, *args: Any) -> None:
        """Call once, as soon as the loop has something else to do; any thread may ask."""
        self._soon.append((callback, args))

    def _wake(self) -> None:
        try:
            self._wake_in.send(b"\0")
        except BlockingIOError:
            pass  # So many bytes wait that it wakes anyway.
        except OSError:
            if not self._is_closed:
                raise

    def run(self) -> None:
        """Serve until `stop`."""
        self._is_stopped = False
        self._thread = threading.get_ident()
        try:
            while not self._is_stopped:
                self.run_once(None)
        finally:
            self._thread = 0

    def stop(self) -> None:
        """Make `run` return; any thread may ask."""
        self.call_soon_threadsafe(self._set_stopped)

    def run_once(self, timeout: float | None = 0.0) -> bool:
        """Wait at most `timeout` seconds (None: without limit), then do all that is due; False: there was nothing."""
        with self._turn:
            wait = self._shortened(timeout)
        events = self._selector.select(wait)
        with self._turn:
            return self._do(events)

    def _do(self, events: list[tuple[selectors.SelectorKey, int]]) -> bool:
        calls = [call for key, mask in events for call in self._calls_of(key, mask)]
        for fd, mask, call in calls:
            # A callback before this one may have taken the descriptor out.
            if self._is_watched(fd, mask, call):
                self._run(call)
        return self._run_soon() + self._run_timers() + len(calls) > 0

    def close(self) -> None:
        """Release the loop's descriptors; calls that are due are dropped."""
        self._is_closed = True
        self._selector.close()
        self._wake_out.close()
        self._wake_in.close()
        self._soon.clear()
        self._timers.clear()

    def _set_stopped(self) -> None:
        self._is_stopped = True

    def _watch(self, fd: int, mask: int, call: _Call) -> None:
        key = self._selector.get_map().get(fd)
        if key is None:
            self._selector.register(fd, mask, {mask: call})
        else:
            self._selector.modify(fd, key.events | mask, key.data | {mask: call})

    def _unwatch(self, fd: int, mask: int) -> bool:
        if self._is_closed:
            return False
        key = self._selector.get_map().get(fd)
        if key is None or not key.events & mask:
            return False
        rest = {event: call for event, call in key.data.items() if event != mask}
        if rest:
            self._selector.modify(fd, key.events & ~mask, rest)
        else:
            self._selector.unregister(fd)
        return True

    @staticmethod
    def _calls_of(key: selectors.SelectorKey, mask: int) -> list[tuple[int, int, _Call]]:
        return [(key.fd, event, call) for event, call in key.data.items() if event & mask]

    def _is_watched(self, fd: int, mask: int, call: _Call) -> bool:
        if self._is_closed:
            return False
        key = self._selector.get_map().get(fd)
        return key is not None and key.data.get(mask) is call

    def _shortened(self, timeout: float | None) -> float | None:
        if self._soon:
            return 0.0
        while self._timers and self._timers[0][2].call is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return timeout
        due = max(0.0, self._timers[0][0] - self.time())
        return due if timeout is None else min(due, timeout)

    def _woken(self) -> None:
        try:
            while self._wake_out.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _run_soon(self) -> int:
        # Only what is there now: a call that asks for itself again must not keep descriptors waiting.
        count = len(self._soon)
        for _ in range(count):
            if self._soon:
                self._run(self._soon.popleft())
        return count

    def _run_timers(self) -> int:
        now, count = self.time(), 0
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if timer.call is not None:
                call, timer.call = timer.call, None
                self._run(call)
                count += 1
        return count

    @staticmethod
    def _run(call: _Call) -> None:
        try:
            call[0](*call[1])
        except Exception:  # noqa: BLE001 - the edge of the loop
            _log.exception("a callback of the loop failed")
