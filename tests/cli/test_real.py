"""The command on real clusters."""

import json
import os
import signal
import subprocess
import sys

import pytest
from loaded import without_load

from pxshell.cluster import list_clusters
from pxshell.testing.waiting import wait_until

pytestmark = pytest.mark.timeout(120)


def pxshell(*words, cwd=None):
    command = [sys.executable, "-m", "pxshell", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, stdin=subprocess.DEVNULL)


def put(folder, name, *lines):
    (folder / name).write_text("\n".join(lines) + "\n")


def test_a_cluster_outlives_the_commands_that_use_it():
    """start, list, attach -c twice, status, logs, stop: each a process of its own, and nothing left at the end."""
    started = pxshell("start", "calm-fox", "-n", "2")
    assert (started.returncode, started.stderr) == (0, "")
    assert started.stdout.endswith("Attach: pxshell attach calm-fox\n")
    try:
        assert [info.name for info in list_clusters()] == ["calm-fox"]
        assigned = pxshell("attach", "-c", "x = rank + 1")
        assert assigned.returncode == 0, assigned.stderr
        answer = pxshell("attach", "calm-fox", "-c", "x", "--json")
        said = [json.loads(line) for line in answer.stdout.splitlines()]
        found = {entry["ranks"]: entry["text"] for entry in said if entry["type"] == "execute_result"}
        assert found == {"0": "1", "1": "2"}
        assert "idle" in pxshell("status").stdout
        assert "rank-0.log" in pxshell("logs", "--json").stdout
    finally:
        stopped = pxshell("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert stopped.stdout.startswith("stopped: 0-1 of calm-fox have ended (")
    assert list_clusters() == []


def test_cells_alone_run_and_leave_with_the_status_of_the_worst_rank():
    """`pxshell -n 2 -c CELL`: equal answers fold, a failed rank gives the status, the cluster is gone."""
    done = pxshell("-n", "2", "-c", "1+1", "-c", "1/(rank-1)")
    assert done.returncode == 1, done.stderr
    assert "[0-1]  2" in done.stdout
    assert "ZeroDivisionError" in done.stdout + done.stderr
    assert list_clusters() == []


def test_a_batch_run_shows_the_output_and_takes_the_worst_status(tmp_path):
    """--no-shell: stdout is stdout, stderr is stderr, exit status of the worst rank."""
    put(
        tmp_path,
        "sim.py",
        "import os, sys",
        "print('same line')",
        "print('aside', file=sys.stderr)",
        "sys.exit(3 * int(os.environ['RANK']))",
    )
    done = pxshell("run", "-n", "2", "--no-shell", "--", "sim.py", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "same line" in done.stdout
    assert "aside" in done.stderr
    assert list_clusters() == []


def test_a_rank_that_a_signal_ends_gives_128_and_its_number(tmp_path):
    """As a shell counts it."""
    put(tmp_path, "sim.py", "import os, signal", "os.kill(os.getpid(), signal.SIGKILL)")
    done = pxshell("run", "-n", "1", "--no-shell", "--", "sim.py", cwd=tmp_path)
    assert done.returncode == 137, done.stdout + done.stderr


def test_ctrl_c_ends_a_batch_job(tmp_path):
    """As with mpiexec."""
    put(tmp_path, "sim.py", "import time", "print('up', flush=True)", "while True: time.sleep(0.1)")
    command = [sys.executable, "-m", "pxshell", "run", "-n", "2", "--no-shell", "--", "sim.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as child:
        assert "up" in child.stdout.readline()
        os.kill(child.pid, signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    assert errors.endswith("pxshell: interrupted; the ranks are ended\n")
    assert list_clusters() == []


def test_cells_run_while_the_script_runs_and_leave_it_running(tmp_path):
    """`run -c`: the front end leaves, the ranks go on, and can be attached to by the script's name."""
    put(tmp_path, "sim.py", "import time", "step = 0", "while True:", "    step += 1", "    time.sleep(0.01)")
    done = pxshell("run", "-n", "2", "-c", "%px --peek 1 + 1", "--", "sim.py", cwd=tmp_path)
    try:
        assert (done.returncode, without_load(done.stderr)) == (0, "")
        assert [(info.name, info.script) for info in list_clusters()] == [("sim-1", "sim.py")]
    finally:
        assert pxshell("stop", "--all", "--grace", "0").returncode == 0


def test_waiting_takes_the_status_of_the_script(tmp_path):
    """`run -c --wait`."""
    put(tmp_path, "sim.py", "import sys", "sys.exit(4)")
    done = pxshell("run", "-n", "2", "--wait", "-c", "%pxstatus", "--", "sim.py", cwd=tmp_path)
    assert done.returncode == 4, done.stdout + done.stderr
    wait_until(lambda: not list_clusters(), 30, "the cluster has ended with its ranks")


@pytest.mark.mpi
def test_the_banner_of_a_real_mpi_start_names_the_library():
    """What runs, with which MPI."""
    started = pxshell("start", "--mpi", "-n", "2", "--json")
    try:
        entry = json.loads(started.stdout)
        assert entry["text"].startswith(f"cluster {entry['name']}: 2 MPI ranks (")
    finally:
        pxshell("stop", "--all")
