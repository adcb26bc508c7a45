"""`pxshell logs`: what ranks, launcher, node and controller wrote, also when the cluster has ended."""

from __future__ import annotations

import argparse
from collections import deque
from pathlib import Path

from pxshell.cli.parsing import add_json_option, add_name, positive
from pxshell.cli.words import json_line
from pxshell.errors import ClusterNotFoundError, UsageError
from pxshell.ranks import Context, RankSet, parse

__all__ = ["add_arguments", "execute"]

_OTHERS = ("launch", "node", "controller")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_name(parser, "the cluster, running or ended; your only one by default")
    parser.add_argument("-t", dest="targets", metavar="RANKS", help="only these ranks")
    parser.add_argument("--lines", type=positive, default=20, metavar="N", help="the last N of each; 20 by default")
    parser.add_argument("--all", action="store_true", help="whole logs")
    add_json_option(parser)


def execute(args: argparse.Namespace) -> int:
    """Print the ends of the logs, each under its path."""
    paths = _chosen(_directory(args.name) / "logs", args.targets)
    for path in paths:
        text = _end_of(path, None if args.all else args.lines)
        if args.json:
            print(json_line("px_log_reply", _rank_of(path), text, file=str(path)))
        elif text:
            print(f"==> {path}\n{text}", end="" if text.endswith("\n") else "\n")
    return 0


def _directory(name: str | None) -> Path:
    """Return the directory of a cluster, also of one that has ended and left its logs."""
    from pxshell.cluster.files import ended_directory
    from pxshell.cluster.info import choose

    try:
        info = choose(name)
    except ClusterNotFoundError as error:
        ended = ended_directory(error.name)
        if ended is None:
            raise
        return ended
    if info.state == "joined":
        raise UsageError(f"{info.name} keeps its own output, since pxshell did not start it; there is no log")
    path = Path(info.directory)
    if not path.is_dir():
        raise UsageError(f"the logs of {info.name} are on {info.host or 'another machine'}: run pxshell logs there")
    return path


def _chosen(logs: Path, targets: str | None) -> list[Path]:
    of_ranks = sorted(logs.glob("rank-*.log"), key=lambda path: int(_rank_of(path)))
    if targets is None:
        return [*of_ranks, *(path for name in _OTHERS if (path := logs / f"{name}.log").exists())]
    wanted = parse(targets, Context(universe=RankSet(int(_rank_of(path)) for path in of_ranks)))
    return [path for path in of_ranks if int(_rank_of(path)) in wanted]


def _rank_of(path: Path) -> str:
    kind, _, number = path.stem.partition("-")
    return number if kind == "rank" else ""


def _end_of(path: Path, lines: int | None) -> str:
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return "".join(deque(file, lines))
