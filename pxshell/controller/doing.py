"""What all ranks do, in a small file of the cluster: for `pxshell list`, which asks nobody."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path

from pxshell.protocol.state import StateTable
from pxshell.ranks import EMPTY, RankSet
from pxshell.rendezvous.files import write_private

__all__ = ["Doing", "doing_of"]

#: Seconds after a change until it is in the file, with all that changes meanwhile.
_LAG_S = 0.3
#: Up to so many different states it says which ranks do what; above only how many.
_GROUPS = 200
#: Characters of a rank set; of a longer one only the number of ranks is told.
_LONGEST = 40

_log = logging.getLogger("pxshell.controller")


def doing_of(states: StateTable) -> dict[str, tuple[int, str]]:
    """Return for each word how many ranks do that, and which: `{"paused": (3, "0-2")}`; "" where that is too long."""
    counts: dict[str, int] = {}
    ranks: dict[str, RankSet] = {}
    groups = states.groups()
    for who, state in groups:
        counts[state.word] = counts.get(state.word, 0) + len(who)
        if len(groups) <= _GROUPS:
            ranks[state.word] = ranks.get(state.word, EMPTY) | who
    told = {word: str(who) for word, who in ranks.items()}
    short = {word: text if len(text) <= _LONGEST else "" for word, text in told.items()}
    return {word: (count, short.get(word, "")) for word, count in counts.items()}


class Doing:
    """Keeps the file as the states are; in the loop's thread.

    Args:
        loop: Its timers.
        path: The file, `doing.json`.
        states: Gives the states as they are.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, path: Path, states: Callable[[], StateTable]) -> None:
        self._loop = loop
        self._path = path
        self._states = states
        self._timer: asyncio.TimerHandle | None = None
        self._written = b""

    def changed(self) -> None:
        """Take note that states may have changed."""
        if self._timer is None:
            self._timer = self._loop.call_later(_LAG_S, self._write)

    def close(self) -> None:
        """Write nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _write(self) -> None:
        self._timer = None
        data = json.dumps(doing_of(self._states())).encode()
        if data == self._written:
            return
        try:
            write_private(self._path, data, is_lasting=False)
        except OSError as error:  # a full disk: the list knows less, and that is all
            _log.warning("cannot write %s: %s", self._path, error.strerror)
        else:
            self._written = data
