"""Programs that run until somebody who watches them lets them end."""

from __future__ import annotations

import functools
import time

from engine.pause_harness import REACHED


def spin(until, limit=60.0):
    """A program: count until told to stop; the time limit is for broken tests."""
    n = 0
    end = time.monotonic() + limit
    REACHED.set()
    while not until.is_set():
        n += 1
        assert time.monotonic() < end
    return n


def wait_in_c(mutex):
    """Wait in C until somebody unlocks a mutex: no signal ends that."""
    REACHED.set()
    mutex()
    return 1


class Mutex:
    """A pthread mutex, which ctypes waits for with the GIL released, and which no signal interrupts."""

    def __init__(self):
        import ctypes

        libc = ctypes.CDLL(None)
        mutex = ctypes.create_string_buffer(128)
        libc.pthread_mutex_init(mutex, None)
        # Partials are no frames: the place where a thread waits is the caller's.
        self.lock = functools.partial(libc.pthread_mutex_lock, mutex)
        self.unlock = functools.partial(libc.pthread_mutex_unlock, mutex)


def step_loop(until):
    total = 0
    REACHED.set()
    for step in range(10**9):
        total += step
        if until.is_set():
            break
    return total == step * (step + 1) // 2


def first_line_of_step():
    return step_loop.__code__.co_firstlineno + 4
