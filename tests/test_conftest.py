"""Tests of the checks for what tests leave behind, in a pytest of their own."""

import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pxshell.testing.waiting import wait_until

HERE = Path(__file__).parent
CONFIG = HERE.parent / "pyproject.toml"


def runs(pid):
    """Tell whether a process runs: one that waits for its parent to look does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def run_inner_tests(folder, source):
    """Run tests beside our conftest in a process of its own; return exit status and output."""
    for name in ("conftest.py", "environments.py", "leaks.py", "ports.py", "slurm.py"):
        shutil.copy(HERE / name, folder)
    (folder / "test_inner.py").write_text(source)
    options = ["-q", "-p", "no:cacheprovider", "-c", str(CONFIG), "--rootdir", str(folder), str(folder)]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options], cwd=folder, capture_output=True, text=True, timeout=100
    )
    return run.returncode, run.stdout + run.stderr


def test_a_clean_test_passes(tmp_path):
    status, output = run_inner_tests(
        tmp_path,
        """
import os, pathlib, subprocess, sys, threading

def test_clean():
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    thread = threading.Thread(target=int); thread.start(); thread.join()
    for name in ("PXSHELL_DIR", "PXSHELL_RUNTIME_DIR"):
        path = pathlib.Path(os.environ[name])
        assert path.stat().st_mode & 0o777 == 0o700 and len(str(path)) < 30 and not list(path.iterdir())
        (path / "config").write_text("kept files are no leaks")
""",
    )
    assert status == 0, output


def test_everything_left_behind_is_named_and_processes_are_killed(tmp_path):
    status, output = run_inner_tests(
        tmp_path,
        """
import os, pathlib, socket, subprocess, sys, threading
import leaks

leaks.GRACE_S = 1.0  # what stays here stays for ever
SLEEP = "import time; time.sleep(60)"

def test_thread():
    threading.Thread(target=threading.Event().wait, name="a-thread-that-stays", daemon=True).start()

def test_detached_process():
    child = f"subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True)"
    line = f"import pathlib, subprocess, sys; pathlib.Path('pid').write_text(str({child}.pid))"
    subprocess.run([sys.executable, "-c", line], check=True)

def test_socket():
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.environ["PXSHELL_RUNTIME_DIR"] + "/node.sock")

def test_connection_file():
    path = pathlib.Path(os.environ["PXSHELL_DIR"], "clusters", "calm-fox.json")
    path.parent.mkdir(); path.write_text("{}")
""",
    )
    assert status == 1, output
    assert "4 passed, 4 errors" in output
    assert "left behind: thread: a-thread-that-stays" in output
    assert "left behind: process: " in output
    assert "time.sleep(60)" in output
    assert "/node.sock" in output
    assert "/clusters/calm-fox.json" in output
    pid = int((tmp_path / "pid").read_text())
    # Its parent has gone; who has taken it over may take its time to look at what is left of it.
    wait_until(lambda: not runs(pid), 30, "it has been killed")


def test_a_cluster_of_a_module_may_live_as_long_as_its_module_and_start_processes(tmp_path):
    status, output = run_inner_tests(
        tmp_path,
        """
import os, subprocess, sys, pytest

PARENT = '''
import subprocess, sys
for line in sys.stdin:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print(child.pid, flush=True)
child.kill(); child.wait()
'''

@pytest.fixture(scope="module")
def cluster():
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield process, os.environ["PXSHELL_DIR"]

@pytest.mark.shared_directories
def test_restart(cluster):
    process, directory = cluster
    assert os.environ["PXSHELL_DIR"] == directory
    process.stdin.write("restart\\n"); process.stdin.flush()
    assert int(process.stdout.readline())

def test_other_directory(cluster):
    assert os.environ["PXSHELL_DIR"] != cluster[1]
""",
    )
    assert status == 0, output


@pytest.mark.parametrize("name", ["RANK", "PMI_RANK", "SLURM_PROCID"])
def test_variables_of_a_launcher_around_the_tests_are_gone(tmp_path, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    status, output = run_inner_tests(tmp_path, f"import os\ndef test_it():\n    assert {name!r} not in os.environ\n")
    assert status == 0, output
