"""`pxshell debug`: the debugger of a rank, or of many, on stdin and stdout, for editors that start a command."""

from __future__ import annotations

import argparse
import re

from pxshell.errors import UsageError
from pxshell.ranks import Context, parse

__all__ = ["add_arguments", "execute"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("words", nargs="*", metavar="[CLUSTER] RANK", help="which rank of which cluster")
    parser.add_argument("--together", action="store_true", help="several ranks, 0-3 or all, as threads of one program")
    parser.add_argument("--lockstep", action="store_true", help="with --together: one key moves all ranks")


def execute(args: argparse.Namespace) -> int:
    """Speak the Debug Adapter Protocol on stdin and stdout until the editor leaves."""
    *cluster, wanted = args.words or [""]
    if args.lockstep and not args.together:
        raise UsageError(
            "--lockstep is of many ranks as one program: pxshell debug [CLUSTER] RANKS --together --lockstep"
        )
    if len(cluster) > 1 or not (wanted if args.together else re.fullmatch(r"[0-9]{1,9}", wanted)):
        raise UsageError("which rank? pxshell debug [CLUSTER] RANK, as in: pxshell debug sim-1 2")
    from pxshell.client import Client
    from pxshell.session.adapter import serve_stdio

    with Client(cluster[0] if cluster else None) as client:
        ranks = parse(wanted, Context(universe=client.ranks))
        return serve_stdio(client, ranks, together=args.together, lockstep=args.lockstep)
