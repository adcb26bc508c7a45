"""Time Sendrecv of 8 bytes between two MPI ranks, in blocks that alternate between plain and interruptible calls.

    mpiexec -n 2 python sendrecv.py BLOCKS COUNT

Rank 0 prints the microseconds of one call in each block, as JSON: {"plain": [...], "interruptible": [...]}.
"""

import json
import sys
import threading
import time

import numpy as np
from mpi4py import MPI

from pxshell.engine import interruptible
from pxshell.engine.patience import Patience
from pxshell.engine.pausing import Pauser


def seconds_of(comm, count):
    """Return the seconds of so many calls."""
    other, sent, got = 1 - comm.rank, np.zeros(1), np.zeros(1)
    comm.Barrier()
    begin = time.perf_counter()
    for _ in range(count):
        comm.Sendrecv(sent, other, recvbuf=got, source=other)
    return time.perf_counter() - begin


def main():
    """Measure and print."""
    blocks, count = map(int, sys.argv[1:])
    world = MPI.COMM_WORLD
    # Never paused, so what it would tell does not matter.
    patience = Patience(Pauser(on_event=print, service=print), threading.main_thread().ident or 0)
    interruptible.make_interruptible(patience)
    comms = {"plain": world, "interruptible": MPI.COMM_WORLD}
    found = {name: [] for name in comms}
    for comm in comms.values():
        seconds_of(comm, count // 10 + 1)
    for _ in range(blocks):
        for name, comm in comms.items():
            found[name].append(seconds_of(comm, count) / count * 1e6)
    if world.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
