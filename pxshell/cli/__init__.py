"""The `pxshell` command: finds the subcommand, and nothing else is imported for it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line (that of the process by default) and return the exit status.

    0 is success, 1 what pxshell could not do, 2 wrong usage, 130 Ctrl-C; with cells or a script the status of the worst
    rank.
    """
    from pxshell.cli.commands import execute
    from pxshell.cli.exits import exit_status_of

    # Not list(): importing the module of `pxshell list` gives this package an attribute of that name.
    return exit_status_of(execute, [*(sys.argv[1:] if argv is None else argv)])
