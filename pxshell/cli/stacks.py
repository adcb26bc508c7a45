"""`pxshell stacks`: where all ranks stand, of a cluster or of a job that never loaded pxshell."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from pxshell.cli.parsing import add_json_option, add_name, positive
from pxshell.errors import UsageError
from pxshell.ranks import RankSet

if TYPE_CHECKING:
    from pxshell.protocol.stacktree import StackTree

__all__ = ["add_arguments", "execute"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_name(parser)
    parser.add_argument(
        "--pid", dest="pids", type=positive, nargs="+", default=[], metavar="PID", help="of these processes, by py-spy"
    )
    parser.add_argument("--mpiexec", type=positive, metavar="PID", help="of the ranks that this launcher started here")
    parser.add_argument("--full", action="store_true", help="all frames, also those of libraries")
    add_json_option(parser)


def execute(args: argparse.Namespace) -> int:
    """Print one tree; 1 when a rank could not be read."""
    if bool(args.pids) + bool(args.mpiexec) + bool(args.name) > 1:
        raise UsageError("one of them: pxshell stacks NAME, or --pid PID ..., or --mpiexec PID")
    tree = _foreign(args) if args.pids or args.mpiexec else _of_cluster(args)
    return 1 if tree.failed else 0


def _of_cluster(args: argparse.Namespace) -> StackTree:
    from pxshell.cli.showing import StreamDisplay
    from pxshell.cluster import Cluster
    from pxshell.session import Session

    cluster = Cluster.attach(args.name)
    try:
        client = cluster.client()
        display = StreamDisplay(as_json=args.json)
        display.world = client.ranks
        with Session(client, display) as session:
            return session.stacks(full=args.full)
    finally:
        cluster.disconnect()


def _foreign(args: argparse.Namespace) -> StackTree:
    from pxshell.cli.showing import StreamDisplay
    from pxshell.node.foreign import ranks_below, ranks_of, read_tree
    from pxshell.session.stacktrees import drawn

    pids, size = ranks_below(args.mpiexec) if args.mpiexec else (ranks_of(args.pids), 0)
    tree = read_tree(pids, full=args.full)
    display = StreamDisplay(as_json=args.json)
    display.world = RankSet(pids)
    display.show(drawn(tree))
    if not args.json:
        elsewhere = RankSet.span(0, size) - display.world
        verb = "is" if len(elsewhere) == 1 else "are"
        not_here = f"; {elsewhere} {verb} not on this machine" if elsewhere else ""
        print(f"read from outside, by py-spy: {display.world}{not_here}", file=sys.stderr)
    return tree
