"""`pxshell.join()`: a program that nobody started for pxshell lets itself be attached to."""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pxshell.engine.claims import claim, is_child_of_a_rank
from pxshell.engine.doorway import Doorway, ListeningSocket
from pxshell.errors import PxshellError
from pxshell.rendezvous.discovery import Placement, discover
from pxshell.rendezvous.worlds import WorldInfo, enter_world, forget_engine

if TYPE_CHECKING:
    from pxshell.engine.engine import Engine

__all__ = [
    "Joined",
    "cannot_join",
    "current_engine",
    "join",
    "join_world",
    "placement_here",
    "use_engine",
    "wait_engine",
]


@dataclass(frozen=True, slots=True)
class Joined:
    """Which rank this process is."""

    rank: int
    size: int
    world: str


_engine: Engine | None = None
_door: Doorway | None = None
_joined: Joined | None = None


def placement_here() -> Placement:
    """Return rank and world as the launcher's environment says; rank 0 of 1 without a launcher."""
    found = discover()
    return found or Placement(rank=0, size=1, local_rank=0, world=f"pid-{os.getpid()}", source="none")


def current_engine() -> Engine | None:
    """Return this process's engine; None when it has not joined, or nobody has come yet."""
    return _engine or (_door.engine if _door is not None else None)


def wait_engine() -> Engine | None:
    """Return this process's engine, after the first visitor has come; None when it has not joined."""
    return _engine or (_door.wait_engine() if _door is not None else None)


def use_engine(engine: Engine) -> None:
    """Take an engine for this process's: that of a rank whose script pxshell runs."""
    global _engine  # noqa: PLW0603 - a process is one rank
    _engine = engine


def join() -> Joined:
    """Let `pxshell attach` reach this process; call it anywhere in the program, more than once if you like.

    It opens one unix socket and starts a thread that sleeps. Signal handlers, hooks, `__main__` and event loops stay as
    they are until the first client has come. When it cannot be done, one line says why and the program runs on.
    """
    global _joined  # noqa: PLW0603 - a process is one rank
    if _joined is None:
        placement = _engine.placement if _engine is not None else placement_here()
        if _engine is None and not is_child_of_a_rank():
            try:
                _open_door(placement)
            except (OSError, PxshellError) as error:
                cannot_join(error)
        _joined = Joined(placement.rank, placement.size, placement.world)
    return _joined


def _open_door(placement: Placement) -> None:
    global _door  # noqa: PLW0603 - a process is one rank
    script = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
    path, bound = _enter(placement, script)

    def make() -> Engine:
        """Make the engine when somebody comes: the program is in the middle of its run."""
        # Not at the top: loading it takes longer than all of `join`.
        from pxshell.engine.engine import Engine

        engine = Engine(placement, epoch=0, path=path, script=script, bound=bound)
        engine.begin_user_code_elsewhere()
        engine.start()
        return engine

    door = _door = Doorway(bound, make)
    _claim(path, door.close)


def join_world(script: str) -> Engine:
    """Make the engine of a script that another launcher started, which waits for a node in the world's directory.

    Raises:
        PxshellError: the runtime directory is not safe, or too deep.
        OSError: the socket cannot be bound.
    """
    from pxshell.engine.engine import Engine

    placement = placement_here()
    path, bound = _enter(placement, script)
    engine = Engine(placement, epoch=0, path=path, script=script, bound=bound)
    engine.start()
    _claim(path, engine.end)
    use_engine(engine)
    return engine


def _enter(placement: Placement, script: str) -> tuple[Path, ListeningSocket]:
    """Write down what this world is; return where this rank listens, and its socket."""
    info = WorldInfo(
        world=placement.world, script=script, size=placement.size, started=time.time(), command=list(sys.orig_argv)
    )
    return enter_world(info, placement.rank, os.getpid(), ListeningSocket)


def _claim(path: Path, end: Callable[[], None]) -> None:
    """Be this rank from now on, until the process ends."""
    owner = os.getpid()
    claim()

    def leave() -> None:
        """End the engine; in a forked child it knows that it is in one."""
        if os.getpid() == owner:
            forget_engine(path)
            end()

    # Called last, if the program registers its own later.
    atexit.register(leave)


def cannot_join(error: Exception) -> None:
    """Say in one line that the program runs on without pxshell."""
    print(f"pxshell: {error}; the program runs on without it", file=sys.stderr)  # noqa: T201 - nobody else can say it
