"""`pxshell.pause()`: a breakpoint in the user's code."""

from __future__ import annotations

import os
import sys

from pxshell.engine.join import current_engine, wait_engine

__all__ = ["pause"]


def pause(when: object = True, rank: int | None = None) -> None:
    """Pause this rank at the caller's line, if somebody is attached; else one line says so and the program goes on.

    With `PXSHELL_HOLD=1` in the environment it waits until somebody is. In a program that has not joined, and in the
    children of a rank, nothing happens.

    Args:
        when: Pause only if this is true.
        rank: Pause only on this rank.
    """
    if not when:
        return
    engine = wait_engine() if os.environ.get("PXSHELL_HOLD") == "1" else current_engine()
    if engine is not None and rank in (None, engine.placement.rank):
        engine.breakpoint_here(sys._getframe(1))  # noqa: SLF001 - the caller's line is where it pauses
