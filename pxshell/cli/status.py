"""`pxshell status`: what each rank of a cluster does."""

from __future__ import annotations

import argparse

from pxshell.cli.parsing import add_json_option, add_name

__all__ = ["add_arguments", "execute"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_name(parser)
    add_json_option(parser)


def execute(args: argparse.Namespace) -> int:
    """Ask the controller, and the ranks that run something where they are; print the states, folded."""
    from pxshell.cli.showing import StreamDisplay
    from pxshell.cluster import Cluster
    from pxshell.session import Session

    cluster = Cluster.attach(args.name)
    try:
        client = cluster.client()
        display = StreamDisplay(as_json=args.json)
        display.world = client.ranks
        with Session(client, display) as session:
            display.show(session.whereabouts())
    finally:
        cluster.disconnect()
    return 0
