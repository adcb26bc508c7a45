"""Work that is done in a moment is watched with one timer."""

from __future__ import annotations

import time

from pxshell.engine.brevity import BRIEF_S, Brevity


class Loop:
    """Timers that fire when they are told to."""

    def __init__(self):
        self.timers = []

    def call_later(self, delay, function):
        self.timers.append((delay, function))

    def fire(self):
        delay, function = self.timers.pop(0)
        function()
        return delay


def test_one_timer_watches_all_that_comes():
    """However many cells a second there are; and when none has come for a while it is over, once."""
    loop, told = Loop(), []
    brevity = Brevity(loop.call_later, lambda: told.append(brevity.is_watched))
    assert not brevity.is_watched
    now = time.monotonic()
    for _ in range(100):
        brevity.begin(now)
    assert brevity.is_watched
    assert len(loop.timers) == 1
    brevity.begin(now + 1000)
    assert loop.fire() == BRIEF_S
    assert (told, brevity.is_watched, len(loop.timers)) == ([], True, 1)
    brevity.begin(now - 1)
    assert loop.fire() > 900
    assert (told, loop.timers) == ([False], [])
    brevity.begin(now)
    assert brevity.is_watched
    assert len(loop.timers) == 1
