"""From a connected cluster to a face: the terminal, or cells that run and leave."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from pxshell.cli.following import wait_for_end
from pxshell.ranks import EMPTY

if TYPE_CHECKING:
    from pxshell.client import Client
    from pxshell.cluster import Cluster

__all__ = ["open_face", "run_cells"]

#: Bytes of text a second that go on coming to a terminal: some thousand lines, more than anybody reads.
_PACE = 64e3


def open_face(cluster: Cluster, *, was_started: bool) -> int:
    """Open the terminal; it asks at its end whether a cluster that was started here is to be stopped."""
    from pxshell.terminal import run_terminal

    cluster.client().tell("px_pace", {"rate": _PACE}, EMPTY)
    # Ranks whose script ends while we are here keep its variables, as after `python -i`.
    cluster.client().ask("px_attend_request", {"stay": True})
    return run_terminal(cluster, was_started=was_started)


def run_cells(client: Client, args: argparse.Namespace, *, starts_script: bool = False, waits: bool = False) -> int:
    """Run the cells of `-c` and return the status of the worst rank.

    With `starts_script` the ranks wait for us: their script begins with the first cell, which may pause it. With
    `waits` we stay until it has ended, and its exit status counts too.
    """
    from pxshell.terminal import run_cells as run_batch

    afterwards = partial(wait_for_end, client) if waits else None
    return run_batch(
        client,
        args.cells,
        json=args.json,
        keep_going=args.keep_going,
        afterwards=afterwards,
        starts_script=starts_script,
    )
