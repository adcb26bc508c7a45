"""`pxshell` without a subcommand: attach to the only cluster there is, or start one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pxshell.cli.attach import attach
from pxshell.cli.exits import EXIT_USAGE
from pxshell.cli.face import open_face, run_cells
from pxshell.cli.launching import add_launch_options, banner, launched, wants_start
from pxshell.cli.parsing import add_cell_options
from pxshell.errors import UsageError

__all__ = ["add_arguments", "execute"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.usage = "pxshell [-n N] [--mpi] [options]\n       pxshell COMMAND [options]"
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    add_launch_options(parser)
    add_cell_options(parser)


def execute(args: argparse.Namespace) -> int:
    """Attach, list, or start, by what there is and what was asked for."""
    if args.words:
        raise UsageError(_advice(args.words))
    if wants_start(args):
        return _start(args)
    from pxshell.cluster.info import list_clusters

    usable = [info for info in list_clusters() if info.is_usable]
    if len(usable) == 1:
        return attach(args, usable[0].name)
    if usable:
        from pxshell.cli.list import show

        show(usable, as_json=args.json)
        print(f"pxshell: there are {len(usable)} clusters; say which: pxshell attach {usable[0].name}", file=sys.stderr)
        return EXIT_USAGE
    return _start(args)


def _start(args: argparse.Namespace) -> int:
    cluster, took = launched(args)
    if args.cells:
        with cluster:
            return run_cells(cluster.client(), args)
    print(banner(cluster, took))
    if args.ranks is None and not args.mesh:
        print(f"{cluster.size} ranks, as many as this machine has cores; another number: pxshell -n N")
    return open_face(cluster, was_started=True)


def _advice(words: list[str]) -> str:
    """Say what was probably meant by words that are no options."""
    from pxshell.cli.commands import COMMANDS

    line = " ".join(words)
    if words[0] in COMMANDS:
        return f"the command comes first, its options after it: pxshell {words[0]} …"
    if words[0].endswith(".py") or Path(words[0]).exists():
        return f"to run a script: pxshell run -n 4 -- {line}"
    return f"no command {words[0]!r}; there are: {', '.join(COMMANDS)}; to run a script: pxshell run -n 4 -- {line}"
