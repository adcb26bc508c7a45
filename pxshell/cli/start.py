"""`pxshell start`: a cluster that outlives the terminal."""

from __future__ import annotations

import argparse

from pxshell.cli.launching import add_interruptible, add_launch_options, environment_of, launched
from pxshell.cli.parsing import add_json_option, add_name
from pxshell.cli.words import json_line, ranks_folded, ranks_in_words

__all__ = ["add_arguments", "execute", "takes_program"]

takes_program = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_name(parser, "name of the new cluster; made up by default")
    parser.usage = "%(prog)s [NAME] -n N [--mpi] [options] [-- SCRIPT ARGS]"
    add_launch_options(parser, name=False)
    add_interruptible(parser)
    add_json_option(parser)


def execute(args: argparse.Namespace) -> int:
    """Start, say how to come back, and leave."""
    args.new_name = args.name
    cluster, took = launched(args, env=environment_of(args))
    try:
        launch = cluster.launch
        ranks = ranks_in_words(cluster.size, launch.get("launcher", ""), launch.get("mpi", ""))
        script = f", {launch['script']} is running" if launch.get("script") else ""
        text = f"cluster {cluster.name}: {ranks}{script} ({took:.1f} s).  Attach: pxshell attach {cluster.name}"
        print(json_line("px_cluster", ranks_folded(cluster.size), text, name=cluster.name) if args.json else text)
    finally:
        cluster.disconnect()
    return 0
