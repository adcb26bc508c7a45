"""Wait for a condition with a deadline: what tests do instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["wait_until"]

T = TypeVar("T")

_FIRST_PAUSE_S = 0.001
_LONGEST_PAUSE_S = 0.05


def wait_until(condition: Callable[[], T], deadline_s: float, what: str | Callable[[], str]) -> T:
    """Call ``condition`` until it answers something true, and return that answer.

    The pauses between the calls grow from 1 ms to 50 ms; the condition is asked once more when the time is over.

    Args:
        condition: asked again and again; an exception that it raises ends the waiting.
        deadline_s: seconds after which waiting fails.
        what: what is waited for, as a sentence for the failure ("rank 3 is paused"); a callable is asked only then.

    Raises:
        TimeoutError: the condition did not become true in time.
    """
    started = time.monotonic()
    pause = _FIRST_PAUSE_S
    while True:
        is_over = time.monotonic() - started >= deadline_s
        answer = condition()
        if answer:
            return answer
        if is_over:
            description = what if isinstance(what, str) else what()
            raise TimeoutError(f"waited {deadline_s:g} s in vain until {description} (last answer: {answer!r})")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)
