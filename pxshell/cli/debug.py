"""`pxshell debug`: a rank's debugger on stdin and stdout, for editors that start a command."""

from __future__ import annotations

import argparse
import re

from pxshell.errors import UsageError

__all__ = ["add_arguments", "execute"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("words", nargs="*", metavar="[CLUSTER] RANK", help="which rank of which cluster")


def execute(args: argparse.Namespace) -> int:
    """Speak the Debug Adapter Protocol on stdin and stdout until the editor leaves."""
    *cluster, rank = args.words or [""]
    if len(cluster) > 1 or not re.fullmatch(r"[0-9]{1,9}", rank):
        raise UsageError("which rank? pxshell debug [CLUSTER] RANK, as in: pxshell debug sim-1 2")
    from pxshell.client import Client
    from pxshell.session.adapter import serve_stdio

    with Client(cluster[0] if cluster else None) as client:
        return serve_stdio(client, int(rank))
