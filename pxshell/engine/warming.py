"""The shell of a rank, made and used once in the process that the rank is forked from: its first cell finds it ready.

Most of what the first cell of a rank costs is making its shell, and most of what a rank has of its own in memory would
be that shell. What is made before the fork is shared, and taken over without a trace of the cells that warmed it.
"""

from __future__ import annotations

import linecache
import sys
from types import ModuleType
from typing import Any

from pxshell.engine.shell import Ask, RankShell, Speak, make_shell

__all__ = ["shell_for", "warm_up"]

#: What waits for the first cell of each rank that is forked from here.
_warm: RankShell | None = None
#: What IPython keeps of the last failure, for debuggers.
_LAST_FAILURE = ("last_type", "last_value", "last_traceback", "last_exc")


def warm_up() -> None:
    """Make a shell and run two cells in it; nobody finds it, nor anything that it has put elsewhere."""
    global _warm  # noqa: PLW0603 - what a fork hands on
    main, displayhook, excepthook = sys.modules["__main__"], sys.displayhook, sys.excepthook
    named = set(linecache.cache)
    shell: Any = make_shell(ModuleType("__main__"), _say_nothing, _answer_nothing)
    try:
        shell.run_cell("1 + 1")
        shell.run_cell("1 / 0")
    finally:
        shell.move_out()
        sys.modules["__main__"], sys.displayhook, sys.excepthook = main, displayhook, excepthook
        for name in _LAST_FAILURE:
            vars(sys).pop(name, None)
        for name in set(linecache.cache) - named:
            if name.startswith("<"):
                del linecache.cache[name]
    _warm = shell


def shell_for(module: ModuleType, speak: Speak, ask: Ask) -> RankShell:
    """Return this process's shell, once: the warm one, if it was forked from a process that has one, else a new one.

    Args:
        module: The user's `__main__`.
        speak: Says what the shell says.
        ask: Answers `input()` and `getpass()`.
    """
    global _warm
    shell, _warm = _warm, None
    if shell is None:
        return make_shell(module, speak, ask)
    shell.move_in(module, speak, ask)
    return shell


def _say_nothing(*_said: Any) -> None:
    """What the shell says is for nobody."""


def _answer_nothing(*_asked: Any) -> str:
    return ""
