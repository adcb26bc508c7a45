"""`pxshell stop`: end a cluster, or clean up what a dead one left."""

from __future__ import annotations

import argparse
import time

from pxshell.cli.parsing import add_json_option, add_name, seconds
from pxshell.cli.words import json_line, ranks_folded
from pxshell.errors import UsageError

__all__ = ["add_arguments", "execute", "stop_and_say"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_name(parser)
    parser.add_argument("--all", action="store_true", help="every cluster that pxshell started")
    parser.add_argument(
        "--grace", type=seconds, default=5.0, metavar="S", help="that ranks get to end by themselves; 5 s by default"
    )
    add_json_option(parser)


def execute(args: argparse.Namespace) -> int:
    """Stop one or all."""
    for name in _names(args):
        stop_and_say(name, args.grace, as_json=args.json)
    return 0


def stop_and_say(name: str | None, grace: float = 5.0, *, as_json: bool = False) -> None:
    """Stop a cluster and print who has ended and how long it took."""
    from pxshell.cluster import Cluster

    begun = time.monotonic()
    cluster = Cluster.find(name)
    name, ranks = cluster.name, ranks_folded(cluster.size)
    is_ours = cluster.launch.get("launcher") != "none"
    cluster.stop(grace)
    took = f"({time.monotonic() - begun:.1f} s)"
    # What we did not start we do not end: the ranks write on to their own terminals and files.
    text = f"stopped: {ranks} of {name} have ended {took}" if is_ours else f"left: {ranks} of {name} run on {took}"
    print(json_line("px_stop_reply", ranks, text, name=name) if as_json else text)


def _names(args: argparse.Namespace) -> list[str | None]:
    if not args.all:
        return [args.name]
    if args.name:
        raise UsageError(f"--all is every cluster, so {args.name!r} says nothing; leave one out")
    from pxshell.cluster.info import list_clusters

    # What others started without us is not ours to end, as long as no controller of ours is there.
    return [info.name for info in list_clusters() if info.state in {"running", "stale"}]
