"""Engines at a real node and controller: what one engine at a fake node cannot show."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager

import psutil
import pytest

from pxshell.cluster import Cluster
from pxshell.testing.waiting import wait_until

pytestmark = pytest.mark.timeout(60)

LIMIT_S = 60.0


def batch(directory, text, *words):
    """Run a script with `pxshell run --no-shell` and return what it did."""
    (directory / "sim.py").write_text(textwrap.dedent(text))
    command = [sys.executable, "-m", "pxshell", "run", *words, "--no-shell", "--", "sim.py"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@contextmanager
def held(directory, text, n=2, **options):
    """Start a cluster whose script waits for us; give its client."""
    (directory / "sim.py").write_text(textwrap.dedent(text))
    cluster = Cluster.start(n, script=["sim.py"], hold=True, cwd=directory, **options)
    try:
        yield cluster, cluster.client()
    finally:
        cluster.stop()


def begin(client):
    client.request("px_start_request", {}, client.ranks).wait(LIMIT_S)


def wait_for(client, condition, what):
    states = lambda: [state for _, state in client.states.groups()]  # noqa: E731
    assert client.wait_until(lambda: all(map(condition, states())), LIMIT_S), (what, states())
    return states()


def test_a_breakpoint_in_a_batch_run_goes_on(tmp_path):
    """Nobody could resume it: one line says so."""
    done = batch(tmp_path, "breakpoint()\nprint('after')", "-n", "2")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= {"[0-1]", "[0]", "[1]", "after"}
    assert "after" in done.stdout
    assert "nobody is attached, going on" in done.stderr


def test_a_breakpoint_waits_for_a_front_end(tmp_path):
    """It pauses and says where."""
    with held(tmp_path, "n = 5\nbreakpoint()\nn += 1\nimport pxshell\npxshell.pause(rank=1)") as (_, client):
        begin(client)
        states = wait_for(client, lambda state: state.activity == "paused", "a breakpoint")
        assert {(state.line, state.reason) for state in states} == {(2, "breakpoint")}
        reply = client.request("px_resume_request", {"pause": ""}, client.ranks).wait(LIMIT_S)
        assert reply is not None
        wait_for(client, lambda state: state.line == 5 or not state.is_alive, "the second one, on rank 1")


def test_a_stop_ends_scripts_that_are_paused(tmp_path):
    """The pause falls, and the script is told by SIGTERM."""
    text = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        breakpoint()
        while True: time.sleep(1)
    """
    with held(tmp_path, text) as (_, client):
        begin(client)
        wait_for(client, lambda state: state.activity == "paused", "a breakpoint")
        client.ask("px_stop_request", {"grace": LIMIT_S})
        assert {state.exit for state in wait_for(client, lambda state: not state.is_alive, "the end")} == {7}


def test_a_script_goes_on_when_the_node_is_killed(tmp_path):
    """P8: what lived in the node is lost, and nothing else; P3: whoever waits is told at once."""
    text = """
        import os, time
        open(f"on{os.getpid()}", "w").close()
        while not os.path.exists("go"): time.sleep(0.01)
        print("to nobody", flush=True)
        open(f"done{os.getpid()}", "w").close()
    """
    with held(tmp_path, text) as (_, client):
        pids = [one["pid"] for one in client.ask("px_status_request", {})["descriptions"]]
        begin(client)
        wait_until(lambda: all((tmp_path / f"on{pid}").exists() for pid in pids), LIMIT_S, "the scripts run")
        os.kill(psutil.Process(pids[0]).ppid(), signal.SIGKILL)
        wait_for(client, lambda state: state.liveness == "lost", "the loss")
        (tmp_path / "go").touch()
        wait_until(lambda: all((tmp_path / f"done{pid}").exists() for pid in pids), LIMIT_S, "the scripts end")


def test_the_names_of_a_script_are_there_after_its_end(tmp_path):
    """As after `python -i`, while a client stays."""
    with held(tmp_path, "import sys\nx = 41\nsys.exit(3)") as (_, client):
        client.ask("px_attend_request", {"stay": True})
        begin(client)
        wait_for(client, lambda state: state.activity == "idle", "the end of the script")
        assert client[:].apply_sync(lambda: __import__("__main__").x + 1) == [42, 42]
        client.ask("px_attend_request", {"stay": False})
        assert {state.exit for state in wait_for(client, lambda state: not state.is_alive, "the end")} == {3}


@pytest.mark.mpi
def test_mpi_ranks_leave_together(tmp_path):
    """At a stop nobody is gone before MPI_Finalize, and mpiexec has nothing to complain about."""
    cluster = Cluster.start(3, launcher="mpi", cwd=tmp_path)
    log = cluster.directory / "logs" / "launch.log"
    try:
        view = cluster.client()[:]
        view.execute("from mpi4py import MPI; n = MPI.COMM_WORLD.allreduce(1)", block=True)
        assert view.pull("n", block=True) == [3, 3, 3]
    finally:
        cluster.stop()
    assert log.read_text() == ""


@pytest.mark.mpi
def test_sys_exit_on_one_mpi_rank_gives_its_status(tmp_path):
    """MPI_Finalize has been called, so the others end as they would."""
    text = "from mpi4py import MPI\nimport sys\nprint('on')\nsys.exit(3 if MPI.COMM_WORLD.rank == 1 else 0)"
    done = batch(tmp_path, text, "-n", "2", "--mpi")
    assert done.returncode == 3, done.stderr
    assert set(done.stdout.split()) <= {"[0-1]", "[0]", "[1]", "on"}
