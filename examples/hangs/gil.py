"""C code that holds the GIL: on rank 2 a library waits without giving Python a chance, and the others wait for it."""

import ctypes

from mpi4py import MPI


def read_device(library):
    """Call C that waits; PyDLL keeps the GIL, as an extension does that does not release it."""
    library.sleep(1000)


comm = MPI.COMM_WORLD
if comm.rank == 2:
    read_device(ctypes.PyDLL(None))
comm.Barrier()
