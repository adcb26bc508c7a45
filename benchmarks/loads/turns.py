"""A rank that computes when it is told to: `turns.py SOCKET VARIANT`, and says how long each turn took.

So several worlds (plain Python, under pxshell, attached to) stand side by side and take turns of a tenth of a second:
what else the machine does meanwhile hits all alike.
"""

import socket
import sys
import time

import numpy as np
from mpi4py import MPI


def numpy_loop(count):
    """Compute in C, as much of a simulation's step does."""
    field = np.linspace(0.0, 1.0, 20_000)
    for _ in range(count):
        field = 0.5 * (field + field[::-1]) + 1e-3 * np.sqrt(np.abs(field))
    return field.sum()


def python_loop(count):
    """Compute in Python, with a call each step, so that tracing of calls and lines would show."""
    total = 0
    for step in range(count):
        total += low_bits(step)
    return total


def low_bits(step):
    """Be called."""
    return step & 7


def allreduce_loop(count):
    """Work a little and wait for each other, again and again."""
    value, total = np.ones(1000), np.empty(1000)
    for _ in range(count):
        value = np.sqrt(value + 1.0)
        MPI.COMM_WORLD.Allreduce(value, total)
    return total.sum()


def main():
    """Take turns until the other side hangs up."""
    loops = {"numpy": numpy_loop, "python": python_loop, "allreduce": allreduce_loop}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as driver:
        driver.connect(sys.argv[1])
        driver.sendall(f"{sys.argv[2]} {MPI.COMM_WORLD.rank}\n".encode())
        while words := driver.recv(100).decode().split():
            begin = time.perf_counter(), time.process_time()
            loops[words[0]](int(words[1]))
            wall, cpu = time.perf_counter() - begin[0], time.process_time() - begin[1]
            driver.sendall(f"{wall} {cpu}\n".encode())


main()
