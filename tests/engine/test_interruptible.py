"""Communicators with interruptible calls do what mpi4py's do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.mpi

PROGRAM = Path(__file__).with_name("interruptible_calls.py")
MPIEXEC = Path(sys.prefix, "bin", "mpiexec")


def on_two_ranks(*words):
    command = [MPIEXEC, "-n", "2", sys.executable, PROGRAM, *words]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_call_gives_what_it_gave(tmp_path):
    """P5: messages, objects, collectives, requests, statuses, and communicators made from others."""
    plain = on_two_ranks()
    assert "allreduce [1, 1]" in plain
    assert on_two_ranks("replaced") == plain
