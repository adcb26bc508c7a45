"""A program that has imported what simulations import and then waits: `standing.py DIRECTORY`."""

import os
import sys
import time
from pathlib import Path

import numpy as np
from mpi4py import MPI

field = np.zeros(1000)
MPI.COMM_WORLD.Barrier()
Path(sys.argv[1], str(os.getpid())).touch()
time.sleep(1000)
