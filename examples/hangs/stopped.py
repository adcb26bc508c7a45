"""A rank that is stopped: rank 3 stops itself, as a debugger or an operator may, and the others wait for it."""

import os
import signal

from mpi4py import MPI


def write(step):
    """Stop in the middle of the work."""
    if step == 7:
        os.kill(os.getpid(), signal.SIGSTOP)


comm = MPI.COMM_WORLD
for step in range(10):
    if comm.rank == 3:
        write(step)
    comm.Barrier()
