"""Loops that a breakpoint may slow down: elsewhere, with calls, beside it, and at it with a condition that is false."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

STEPS = 20_000
REPEATS = 5


def elsewhere(steps: int) -> int:
    """Compute in a function without a breakpoint, and without calls."""
    total = 0
    for step in range(steps):
        total += step & 7
    return total


def calling(steps: int) -> int:
    """Call a function without a breakpoint."""
    total = 0
    for step in range(steps):
        total += helper(step)
    return total


def helper(step: int) -> int:
    """Be called."""
    return step & 7


def beside(steps: int) -> int:
    """Compute in the function of a breakpoint, at a line that is never reached."""
    total = 0
    for step in range(steps):
        if step < 0:
            total = -1  # breakpoint: never reached
        total += step & 7
    return total


def condition(steps: int) -> int:
    """Come past a breakpoint whose condition is false, each time."""
    total = 0
    for step in range(steps // 10):
        total += step & 7  # breakpoint: if step < 0
    return total


def timed(function: Callable[[int], int], steps: int) -> float:
    """Return nanoseconds of processor time a step: the median of several runs."""
    times = []
    for _ in range(REPEATS):
        begin = time.thread_time()
        function(steps)
        times.append(time.thread_time() - begin)
    return statistics.median(times) / steps * 1e9


def measured() -> dict[str, float]:
    """Return nanoseconds a step of each loop."""
    plain = {function.__name__: timed(function, STEPS) for function in (elsewhere, calling, beside)}
    return {**plain, "condition": timed(condition, STEPS) * 10}
