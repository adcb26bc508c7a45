"""Side threads for code of the user that may wait for ever: what does costs its own thread and nothing else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from pxshell.engine.threads import start_thread

__all__ = ["Aside"]

_log = logging.getLogger(__name__)

#: Threads at most; they start when they are needed, and wait without waking.
_LIMIT = 4


class Aside:
    """Runs short tasks, each in a thread that is free; any thread may ask."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._free = 0

    def run(self, task: Callable[[], None]) -> bool:
        """Run a task soon; False when all threads wait for tasks before it."""
        with self._lock:
            if self._free:
                self._free -= 1
            elif self._threads < _LIMIT:
                self._threads += 1
                start_thread(self._work, f"pxshell-aside-{self._threads}")
            else:
                return False
        self._tasks.put(task)
        return True

    def _work(self) -> None:
        while True:
            task = self._tasks.get()
            try:
                task()
            except Exception:  # noqa: BLE001 - whatever it is, the thread is needed again
                _log.exception("a task at the side failed")
            with self._lock:
                self._free += 1
