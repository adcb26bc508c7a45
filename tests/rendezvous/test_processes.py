"""A process is known by its pid and start time."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from pxshell.rendezvous import processes


def test_this_process_runs_since_its_start() -> None:
    """The start time of a process that is there is the system's."""
    started = processes.start_time()
    assert started is not None
    assert started == processes.start_time(os.getpid())
    assert processes.is_running(os.getpid(), started)
    assert not processes.is_running(os.getpid(), started - 3600)
    assert processes.has_run_since(os.getpid(), time.time())
    assert not processes.has_run_since(os.getpid(), started - 3600)


def test_a_dead_process_does_not_run_even_before_it_is_waited_for() -> None:
    """A zombie answers nothing."""
    with subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.DEVNULL) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert processes.start_time(child.pid) is None
    assert processes.start_time(child.pid) is None
    assert not processes.is_running(child.pid, time.time())


def test_ancestors_begin_with_the_parent() -> None:
    """Each with its argv, as far up as we may look."""
    code = "from pxshell.rendezvous.processes import ancestors; print(next(ancestors())[0])"
    done = subprocess.run([sys.executable, "-c", code, "x y"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{os.getpid()}\n", "")
    assert next(processes.ancestors()) == (os.getppid(), psutil.Process(os.getppid()).cmdline())


def test_ancestors_end_where_they_may_not_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the first process nor one that is gone is asked for its parent."""
    chain = {10: (7, ["a"]), 7: (1, ["b"]), 1: (0, ["init"])}
    for reader in ("_read_linux", "_read_portable"):
        monkeypatch.setattr(processes, reader, chain.get)
    monkeypatch.setattr(os, "getppid", lambda: 10)
    assert list(processes.ancestors()) == [(10, ["a"]), (7, ["b"])]
    del chain[7]
    assert list(processes.ancestors()) == [(10, ["a"])]


def test_both_ways_of_looking_agree() -> None:
    """What /proc says is what psutil says, and neither fails on a process that is gone."""
    linux, portable = processes._read_linux(os.getpid()), processes._read_portable(os.getpid())
    if linux is not None:
        assert linux == portable
    assert processes._read_linux(2**22 + 1) is None
    assert processes._read_portable(2**22 + 1) is None
