"""A rank that dies: rank 3 reads where it may not, in C, while the others wait for it.

pxshell run --mpi -n 4 -- dies.py
"""

import ctypes

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD


def total(value):
    """Sum a value over all ranks."""
    result = np.array(value, dtype=float)
    comm.Allreduce(MPI.IN_PLACE, result)
    return float(result)


def read(address):
    """Read a byte of memory, which ends the process if there is none."""
    return ctypes.string_at(address, 1)


def main():
    """Go well for some steps, and then not."""
    for step in range(100):
        total(step)
        if comm.rank == 3 and step == 50:
            read(8)


if __name__ == "__main__":
    main()
