"""Every exception as one line on stderr and an exit status: the only place that knows how commands fail."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

from pxshell.errors import NoClusterError, PxshellError, RankSetError, UsageError

__all__ = ["EXIT_FAILED", "EXIT_INTERRUPTED", "EXIT_USAGE", "exit_status_of"]

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
_EXIT_PIPE = 141  # 128 + SIGPIPE, as if the reader's end had killed us
_EXIT_BUG = 70  # EX_SOFTWARE of sysexits.h


def exit_status_of(execute: Callable[[list[str]], int], words: list[str]) -> int:
    """Run a command; say in one line why it failed."""
    try:
        status = execute(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _EXIT_PIPE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the edge of the program; the line below says what it was
        _say(_line_of(error))
        if os.environ.get("PXSHELL_TRACEBACK"):
            traceback.print_exception(error)
        return _status_of(error)
    return status


def _status_of(error: Exception) -> int:
    if isinstance(error, UsageError):
        return EXIT_USAGE
    return EXIT_FAILED if isinstance(error, PxshellError | OSError) else _EXIT_BUG


def _line_of(error: Exception) -> str:
    """Write one line; a rank set keeps the caret under its fault."""
    if isinstance(error, RankSetError) and error.text:
        return f"{error}\n{error.pointer()}"
    if isinstance(error, NoClusterError):
        # Its own text speaks of magics, to those who are inside a shell.
        return "no cluster is running; start one: pxshell -n 4 [--mpi]"
    if isinstance(error, PxshellError):
        return " ".join(str(error).split("\n"))
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return f"a fault in pxshell itself, please report it: {what} (PXSHELL_TRACEBACK=1 shows where)"


def _say(line: str) -> None:
    print(f"pxshell: {line}", file=sys.stderr)
