"""The options that say what to start, and the start itself with its banner."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pxshell.cli.parsing import positive, seconds
from pxshell.cli.words import ranks_in_words
from pxshell.errors import UsageError
from pxshell.version import __version__

if TYPE_CHECKING:
    from pxshell.cluster import Cluster

__all__ = ["add_interruptible", "add_launch_options", "banner", "environment_of", "launched", "wants_start"]

_LAUNCH_OPTIONS = ("ranks", "mpi", "launcher", "launch_args", "new_name", "mesh")


def add_launch_options(parser: argparse.ArgumentParser, *, name: bool = True) -> None:
    """Add the options of a start."""
    group = parser.add_argument_group("what to start")
    group.add_argument(
        "-n", dest="ranks", type=positive, metavar="N", help="number of ranks; that of the cores by default"
    )
    group.add_argument("--mpi", action="store_true", help="the same as --launcher mpi; a make of MPI as --mpi=openmpi")
    group.add_argument("--mpi-flavour", default="", help=argparse.SUPPRESS)
    group.add_argument("--launcher", metavar="NAME", help="local (the default), mpi, or one that was installed")
    group.add_argument("--launch-args", default="", metavar="'…'", help="more words for mpiexec")
    group.add_argument("--mesh", default="", metavar="AXES", help="how ranks are arranged, row-major: dp=2,tp=4")
    group.add_argument("--deadline", type=seconds, default=60.0, metavar="S", help="until all ranks are there; 60 s")
    if name:
        group.add_argument("--name", dest="new_name", metavar="NAME", help="name of the new cluster")


def add_interruptible(parser: argparse.ArgumentParser) -> None:
    """Add the option of a script whose waiting calls of MPI can be left."""
    parser.add_argument(
        "--interruptible", action="store_true", help="calls of MPI that wait can be paused and given up (mpi4py)"
    )


def environment_of(args: argparse.Namespace) -> dict[str, str]:
    """Return the variables of the ranks that the options are for."""
    return {"PXSHELL_INTERRUPTIBLE": "1"} if args.interruptible else {}


def wants_start(args: argparse.Namespace) -> bool:
    """Tell whether the words on the command line are about a new cluster."""
    return any(getattr(args, option) for option in _LAUNCH_OPTIONS)


def launched(
    args: argparse.Namespace, *, hold: bool = False, env: Mapping[str, str] | None = None
) -> tuple[Cluster, float]:
    """Start what the options and the program say; return the cluster and the seconds that it took.

    Args:
        args: What stands on the command line.
        hold: User code waits for a front end.
        env: Variables of the ranks, beside those that are there.

    Raises:
        UsageError: they contradict each other.
    """
    from pxshell.cluster import Cluster

    begun = time.monotonic()
    cluster = Cluster.start(
        args.ranks,
        launcher=_launcher_name(args),
        name=args.new_name,
        script=args.program,
        hold=hold,
        launch_args=args.launch_args,
        cwd=Path.cwd(),
        mpi=args.mpi_flavour,
        mesh=args.mesh,
        deadline=args.deadline,
        env=env or {},
    )
    return cluster, time.monotonic() - begun


def banner(cluster: Cluster, took: float | None = None, *, is_attached: bool = False) -> str:
    """Write the first line of a session: what runs where; of a cluster that was there, the prompt tells the state."""
    launch = cluster.launch
    script = launch.get("script")
    ranks = ranks_in_words(cluster.size, launch.get("launcher", ""), launch.get("mpi", ""))
    if script and is_attached:
        return f"pxshell {__version__}: cluster {cluster.name}, {ranks}, {script}.  Ctrl-C pauses it when it runs."
    if script:
        return f"pxshell {__version__}: cluster {cluster.name}, {ranks}, {script} is running.  Ctrl-C pauses it."
    ready = "" if took is None else f", ready in {took:.1f} s"
    return f"pxshell {__version__}: cluster {cluster.name}, {ranks} on this machine{ready}"


def _launcher_name(args: argparse.Namespace) -> str:
    if args.mpi and args.launcher not in {None, "mpi"}:
        raise UsageError(f"--mpi is --launcher mpi, and --launcher {args.launcher} contradicts it; leave one out")
    return "mpi" if args.mpi else args.launcher or "local"
