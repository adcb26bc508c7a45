"""A wrong-rank collective: rank 2 goes to a Bcast while all others are in an Allreduce."""

import numpy as np
from mpi4py import MPI


def share(comm, values):
    """Give all ranks the values of rank 2."""
    comm.Bcast(values, root=2)


def total(comm, values):
    """Return the sum of the values over all ranks."""
    result = np.empty_like(values)
    comm.Allreduce(values, result)
    return result


comm = MPI.COMM_WORLD
# Large, so that the root of the Bcast has to wait for the others.
values = np.full(1_000_000, comm.rank, dtype=float)
if values[0] == 2.0:
    share(comm, values)
else:
    total(comm, values)
