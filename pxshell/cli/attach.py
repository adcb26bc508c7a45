"""`pxshell attach`: the shell on a cluster that runs already."""

from __future__ import annotations

import argparse

from pxshell.cli.face import open_face, run_cells
from pxshell.cli.launching import banner
from pxshell.cli.parsing import add_cell_options, add_name
from pxshell.errors import UsageError

__all__ = ["add_arguments", "attach", "execute"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_name(parser, "a cluster or a joined program; your only one by default")
    add_cell_options(parser)
    parser.add_argument("--wait", action="store_true", help="with -c: stay until the script has ended; its exit status")


def execute(args: argparse.Namespace) -> int:
    """Attach to the cluster named."""
    if args.wait and not args.cells:
        raise UsageError("--wait is for -c; without cells, the shell stays as long as you do")
    return attach(args, args.name, wait=args.wait)


def attach(args: argparse.Namespace, name: str | None, *, wait: bool = False) -> int:
    """Run the cells and leave, or open the shell."""
    from pxshell.cluster import Cluster

    cluster = Cluster.attach(name)
    try:
        if not args.cells:
            print(banner(cluster, is_attached=True))
            return open_face(cluster, was_started=False)
        return run_cells(cluster.client(), args, waits=wait)
    finally:
        cluster.disconnect()
