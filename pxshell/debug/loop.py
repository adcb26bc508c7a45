"""The thread in which a front end serves editors; it runs while there is something to serve."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from pxshell.transport.loop import SelectLoop

__all__ = ["LoopThread"]

_T = TypeVar("_T")


class LoopThread:
    """A loop and its thread, made with the first call and ended by `close`; for one thread, the face's."""

    def __init__(self) -> None:
        self._loop: SelectLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def loop(self) -> SelectLoop:
        """The loop, running."""
        if self._loop is None:
            self._loop = SelectLoop()
            self._thread = threading.Thread(target=self._loop.run, name="pxshell-debug", daemon=True)
            self._thread.start()
        return self._loop

    def call(self, function: Callable[[], _T]) -> _T:
        """Run a short function in the loop's thread and return what it returned, or raise what it raised."""
        done = threading.Event()
        results: list[_T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(function())
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                errors.append(error)
            done.set()

        self.loop.call_soon_threadsafe(run)
        done.wait()
        if errors:
            raise errors[0]
        return results[0]

    def close(self) -> None:
        """End the thread."""
        if self._loop is None or self._thread is None:
            return
        self._loop.stop()
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None
