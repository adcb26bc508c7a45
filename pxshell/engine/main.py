"""`python -m pxshell.engine [--hold] [SCRIPT ARGS | -m MODULE ARGS]`: one rank; with `--forks FD`, many."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from pxshell.engine.claims import claim, is_child_of_a_rank
from pxshell.engine.engine import Engine
from pxshell.engine.forking import FORKS, fork_ranks
from pxshell.engine.join import cannot_join, join_world, placement_here, use_engine
from pxshell.engine.mpi_world import watch_mpi
from pxshell.engine.script import Script, end_as, fresh_main
from pxshell.engine.script import run as run_script
from pxshell.errors import PxshellError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Be a rank; return its exit status."""
    _log_to_stderr()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == [FORKS]:
        # This process goes on for as long as there is a node; what comes out is a rank.
        if not fork_ranks(socket.socket(fileno=int(words[1]))):
            return 0
        words = []
    is_held = words[:1] == ["--hold"]
    script = _script(words[1:] if is_held else words)
    node = os.environ.get("PXSHELL_NODE")
    if node is None:
        return _run_unlaunched(script)
    engine = Engine(
        placement_here(),
        epoch=int(os.environ.get("PXSHELL_EPOCH", "0")),
        path=Path(node),
        script=script.title if script is not None else "",
    )
    _survive_peers()
    is_interruptible = _is_interruptible()
    claim()
    use_engine(engine)
    if script is not None:
        engine.pauser.expect_user_code()
    # Registered first, so called last: what the program prints at its own exit comes before.
    atexit.register(engine.end)
    engine.start()
    watch_mpi(engine.placement, _say)
    if is_interruptible:
        engine.make_interruptible()
    return _be_a_rank(engine, script, is_held=is_held)


def _is_interruptible() -> bool:
    """Tell whether calls of MPI shall be such that they can be interrupted."""
    return bool(os.environ.get("PXSHELL_INTERRUPTIBLE"))


def _survive_peers() -> None:
    """Live on when Hydra tells of a dead peer by SIGUSR1, so that our node can ask where we are; then it ends us.

    A handler that the program installs takes its place, as it would take the default's.
    """
    if os.environ.get("PXSHELL_SURVIVES") and signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        # Not SIG_IGN, which the program's children would inherit.
        signal.signal(signal.SIGUSR1, _live_on)
        atexit.register(_ignore_peers)


def _live_on(_number: int, _frame: object) -> None:
    """Do nothing."""


def _ignore_peers() -> None:
    """Ignore it to the very end: Hydra sends it of peers that ended well too, and the interpreter drops handlers."""
    if signal.getsignal(signal.SIGUSR1) is _live_on:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def _log_to_stderr() -> None:
    """Show our own warnings; the root logger is the program's."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("pxshell: %(message)s"))
    log = logging.getLogger("pxshell")
    log.addHandler(handler)
    log.propagate = False


def _be_a_rank(engine: Engine, script: Script | None, *, is_held: bool) -> int:
    if script is None:
        fresh_main().__dict__.update(rank=engine.placement.rank, size=engine.placement.size)
        engine.pauser.install_signal()
        engine.idle()
        engine.status = 0
        return 0
    if is_held:
        engine.wait_for_start()
    return _run(engine, script)


def _run(engine: Engine, script: Script) -> int:
    ending = engine.run_script(script)
    if engine.stays:
        engine.idle()
    return ending.status


def _run_unlaunched(script: Script | None) -> int:
    """Run a script that somebody else's launcher started: it runs at once, and listens."""
    if script is None:
        print("pxshell: no script to run: python -m pxshell.engine SCRIPT ARGS", file=sys.stderr)  # noqa: T201
        return 2
    if is_child_of_a_rank():
        return _run_plainly(script)
    is_interruptible = _is_interruptible()
    try:
        engine = join_world(script.title)
    except (OSError, PxshellError) as error:
        cannot_join(error)
        return _run_plainly(script)
    watch_mpi(engine.placement, _say)
    if is_interruptible:
        engine.make_interruptible()
    return _run(engine, script)


def _say(line: str) -> None:
    print(f"pxshell: {line}", file=sys.stderr, flush=True)  # noqa: T201 - the program's own output tells it


def _run_plainly(script: Script) -> int:
    ending = run_script(script)
    atexit.register(end_as, ending.status)
    return ending.status


def _script(words: Sequence[str]) -> Script | None:
    if not words:
        return None
    if words[0] == "-m":
        return Script(words[1], is_module=True, arguments=words[2:])
    return Script(words[0], arguments=words[1:])
