"""`pxshell run`: a script as N ranks, all reachable."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from pxshell.cli.exits import EXIT_INTERRUPTED
from pxshell.cli.face import open_face, run_cells
from pxshell.cli.following import follow
from pxshell.cli.launching import add_interruptible, add_launch_options, banner, environment_of, launched
from pxshell.cli.parsing import add_cell_options
from pxshell.errors import UsageError

if TYPE_CHECKING:
    from pxshell.cluster import Cluster

__all__ = ["add_arguments", "execute", "takes_program"]

takes_program = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.usage = "%(prog)s [-n N] [--mpi] [options] -- SCRIPT ARGS"
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    add_launch_options(parser)
    add_cell_options(parser)
    parser.add_argument("--wait", action="store_true", help="with -c: stay until the script has ended; its exit status")
    add_interruptible(parser)
    parser.add_argument("--no-shell", action="store_true", help="output only; Ctrl-C ends the job, as with mpiexec")


def execute(args: argparse.Namespace) -> int:
    """Start the script with a front end on it."""
    _check(args)
    cluster, _ = launched(args, hold=True, env=environment_of(args))
    if args.no_shell:
        return _batch(cluster, as_json=args.json)
    if not args.cells:
        print(banner(cluster))
        return open_face(cluster, was_started=True)
    try:
        return run_cells(cluster.client(), args, starts_script=True, waits=args.wait)
    finally:
        cluster.disconnect()


def _check(args: argparse.Namespace) -> None:
    if args.words:
        line = " ".join(args.words)
        raise UsageError(f"the script stands after --, so that its options are its own: pxshell run -n 4 -- {line}")
    if args.no_shell and args.cells:
        raise UsageError("--no-shell shows output only and runs no -c; leave one out")
    if args.wait and not args.cells:
        raise UsageError("--wait is for -c; without cells, --no-shell stays until the script has ended")
    if not args.program:
        raise UsageError("no script to run; give it after --: pxshell run -n 4 -- sim.py ARGS")


def _batch(cluster: Cluster, *, as_json: bool) -> int:
    try:
        status = follow(cluster.client(), as_json=as_json)
    except KeyboardInterrupt:
        print("pxshell: interrupted; the ranks are ended", file=sys.stderr)
        cluster.stop()
        return EXIT_INTERRUPTED
    except BaseException:
        cluster.stop(0.0)
        raise
    cluster.stop(0.0)
    return status
