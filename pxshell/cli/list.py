"""`pxshell list`: what there is to attach to."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from pxshell.cli.parsing import add_json_option
from pxshell.cli.words import age_in_words, json_line, ranks_folded, table

if TYPE_CHECKING:
    from pxshell.cluster import ClusterInfo

__all__ = ["add_arguments", "execute", "show"]

_HEAD = ("NAME", "RANKS", "SCRIPT", "AGE", "STATE")
_ADVICE = {
    "joined": "not attached yet: pxshell attach {name}",
    "stale": "stale: {why}; clean up: pxshell stop {name}",
    "unusable": "unusable: {why}",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_json_option(parser)


def execute(args: argparse.Namespace) -> int:
    """Print the list."""
    from pxshell.cluster.info import list_clusters

    show(list_clusters(), as_json=args.json)
    return 0


def show(clusters: list[ClusterInfo], *, as_json: bool) -> None:
    """Print clusters as a table, or as JSON, one object a line."""
    if as_json:
        for info in clusters:
            print(_json(info))
    elif clusters:
        print(table(_HEAD, [_row(info) for info in clusters]))
    else:
        print("no cluster; start one: pxshell -n 4")


def _row(info: ClusterInfo) -> tuple[str, ...]:
    state = _ADVICE.get(info.state, info.doing or info.state).format(name=info.name, why=info.why)
    age = age_in_words(time.time() - info.started) if info.started else ""
    return (info.name, str(info.ranks or ""), info.script, age, state)


def _json(info: ClusterInfo) -> str:
    names = ("name", "state", "script", "launcher", "host", "directory", "doing", "why")
    facts = {name: getattr(info, name) for name in names}
    return json_line("px_cluster", ranks_folded(info.ranks), "  ".join(_row(info)), **facts, started=info.started)
