"""Coroutines of cells: one asyncio loop of the main thread, which runs while a cell awaits and while the rank idles.

So that what a cell started with `asyncio.create_task` goes on between cells, as in a notebook.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from pxshell.engine.work import Job, Work

__all__ = ["run_coroutine", "wait_for_work"]

_loop: asyncio.AbstractEventLoop | None = None


def run_coroutine(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a cell's coroutine to its end; an interrupt cancels it, so that it does not go on behind the next cell."""
    loop = _the_loop()
    task = loop.create_task(coroutine)
    try:
        return loop.run_until_complete(task)
    except KeyboardInterrupt:
        task.cancel()
        loop.run_until_complete(asyncio.wait([task]))
        raise


def _the_loop() -> asyncio.AbstractEventLoop:
    global _loop  # noqa: PLW0603 - of the main thread, which alone comes here
    if _loop is None or _loop.is_closed():
        _loop = asyncio.new_event_loop()
    return _loop


def wait_for_work(work: Work) -> Job | None:
    """Wait for the main thread's next job while the tasks that cells left go on."""
    if _loop is None or _loop.is_closed() or not asyncio.all_tasks(_loop):
        return work.wait()
    return _loop.run_until_complete(_wait(work, _loop))


async def _wait(work: Work, loop: asyncio.AbstractEventLoop) -> Job | None:
    rung = asyncio.Event()

    def wake() -> None:
        """Make the loop look; any thread."""
        loop.call_soon_threadsafe(rung.set)

    work.wake = wake
    try:
        while not work.must_leave:
            job = work.first()
            if job is not None:
                return job
            await rung.wait()
            rung.clear()
        return None
    finally:
        work.wake = None
