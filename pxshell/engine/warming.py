"""What the first cell and the first failure of a rank load and compile, done once in a process that will fork."""

from __future__ import annotations

import atexit
import linecache
import sys
from types import ModuleType
from typing import Any

from pxshell.engine.shell import RankKernel, RankShell, make_shell

__all__ = ["warm_up"]


def warm_up() -> None:
    """Run two cells in a shell that nobody sees, and take away the shell and all that it has put elsewhere."""
    main, displayhook, excepthook = sys.modules["__main__"], sys.displayhook, sys.excepthook
    named = set(linecache.cache)
    shell: Any = make_shell(ModuleType("__main__"), _say_nothing, _answer_nothing)
    try:
        shell.run_cell("1 + 1")
        shell.run_cell("1 / 0")
    finally:
        atexit.unregister(shell.atexit_operations)
        RankShell.clear_instance()
        RankKernel.clear_instance()
        sys.modules["__main__"], sys.displayhook, sys.excepthook = main, displayhook, excepthook
        for name in set(linecache.cache) - named:
            if name.startswith("<"):
                del linecache.cache[name]


def _say_nothing(*_said: Any) -> None:
    """What the shell says is for nobody."""


def _answer_nothing(*_asked: Any) -> str:
    return ""
