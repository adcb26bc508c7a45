"""What interruptible calls cost: Sendrecv between two MPI ranks, beside mpi4py's own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from figures import Figure

LOAD = Path(__file__).with_name("loads") / "sendrecv.py"


def figures(*, short: bool) -> Iterator[Figure]:
    """Measure blocks that alternate between the two, so that a busy machine does the same to both."""
    blocks, count = (3, 200) if short else (41, 2000)
    mpiexec = Path(sys.prefix, "bin", "mpiexec")
    command = [mpiexec, "-n", "2", sys.executable, LOAD, str(blocks), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    found = json.loads(done.stdout)
    ours, peer = (statistics.median(found[name]) for name in ("interruptible", "plain"))
    yield Figure(
        "interruptible calls",
        "`Sendrecv` of 8 bytes, 2 ranks",
        "µs",
        ours,
        "mpi4py",
        peer,
        note=f"{blocks} blocks of {count}; best {min(found['interruptible']):.2f} and {min(found['plain']):.2f} µs",
    )
