"""An endless loop on one rank: on rank 1 the error never becomes small, and the others wait for it."""

from mpi4py import MPI


def solve(error, shrinks_by):
    """Return the number of steps until the error is small."""
    steps = 0
    while error > 1e-6:
        error *= shrinks_by
        steps += 1
    return steps


comm = MPI.COMM_WORLD
steps = solve(1.0, shrinks_by=1.0 if comm.rank == 1 else 0.5)
comm.Barrier()
