"""A deadlock to look into: ranks 0-2 wait in an Allreduce, rank 3 waits for a message that rank 1 never sends."""

import numpy as np
from mpi4py import MPI


def total(comm, values):
    """Return the sum of the values over all ranks."""
    result = np.zeros_like(values)
    # Every rank must come here. Rank 3 does not.
    print(f"rank {comm.rank} sums {len(values)} values", flush=True)
    comm.Allreduce(values, result)
    return result


def fetch(comm, source, tag):
    """Return the values that another rank sends."""
    values = np.empty(4)
    print(f"rank {comm.rank} waits for rank {source}", flush=True)
    comm.Recv(values, source, tag)
    return values


comm = MPI.COMM_WORLD
values = np.arange(4.0) + comm.rank

# The mistake: the last rank wants the values of rank 1 first,
# and rank 1 has already gone to the sum, where all the others
# wait for the last rank.

answer = fetch(comm, 1, 5) if comm.rank == 3 else total(comm, values)
