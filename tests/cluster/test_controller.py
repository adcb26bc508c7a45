"""The controller's process, played by small programs of the same calling convention."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pxshell.cluster import controller as module
from pxshell.cluster.controller import end_process, live_directories, processes_of, start_controller, wait_until_ready
from pxshell.cluster.files import ClusterFiles
from pxshell.errors import LaunchError
from pxshell.rendezvous.processes import is_running, start_time
from pxshell.testing.waiting import wait_until

READY = "import json, os, pathlib; pathlib.Path('controller.ready').write_text(json.dumps({'pid': os.getpid()}))\n"
FOREVER = "import signal; signal.pause()\n"


@pytest.fixture
def play(monkeypatch):
    """Start a program as the controller; it is killed at the end."""
    started = []
    monkeypatch.setattr(module, "_MODULE", "played")

    def start(program):
        files = ClusterFiles.make("calm-fox")
        (files.directory / "played.py").write_text(program)
        started.append(start_controller(files))
        return files, started[-1]

    yield start
    for process in started:
        end_process(process, 0.0)


def test_the_controller_is_detached(play):
    """P8: a session of its own, stdin from /dev/null, its log as output: a Ctrl-C in the terminal does not reach it."""
    files, (pid, _) = play("print('hello', flush=True)\n" + READY + FOREVER)
    wait_until_ready(files, (pid, start_time(pid)), 60)
    assert os.getsid(pid) == pid
    assert str(Path(f"/proc/{pid}/fd/0").readlink()) == "/dev/null"
    assert (files.logs / "controller.log").read_text() == "hello\n"
    assert stat.S_IMODE((files.logs / "controller.log").stat().st_mode) == 0o600


def test_the_controller_inherits_no_descriptors(play):
    """A pipe of the user's that it kept would never close."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    files, process = play(READY + FOREVER)
    wait_until_ready(files, process, 60)
    os.close(writer)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_controller_that_ends_at_once_is_reported_with_its_last_line(play):
    """P10: why, and where the log is."""
    files, process = play("raise SystemExit('no zmq here')")
    with pytest.raises(LaunchError) as failed:
        wait_until_ready(files, process, 60)
    log = files.logs / "controller.log"
    assert str(failed.value) == f"the controller has ended at its start: no zmq here (log: {log})"


def test_a_controller_that_is_never_ready_is_reported_at_the_deadline(play):
    """P3: nothing waits for ever."""
    files, process = play(FOREVER)
    with pytest.raises(LaunchError, match=r"not ready after 0\.05 s: it said nothing"):
        wait_until_ready(files, process, 0.05)


def test_a_half_written_ready_file_is_not_yet_ready(play):
    """The file is read again until it is whole."""
    files, process = play("open('controller.ready', 'w').write('{\"pid\"')\n" + FOREVER)
    with pytest.raises(LaunchError, match="not ready"):
        wait_until_ready(files, process, 0.05)


@pytest.mark.parametrize(
    "program", [FOREVER, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FOREVER]
)
def test_a_process_that_does_not_end_is_ended(play, program):
    """By SIGTERM, then by SIGKILL."""
    _, process = play(program)
    end_process(process, 0.0)
    assert not is_running(*process)


def test_a_pid_that_was_used_again_is_not_signalled():
    """P9, of a kind: whoever has that pid now is none of ours."""
    child = subprocess.Popen([sys.executable, "-c", FOREVER])
    end_process((child.pid, 1.0), 0.0)
    assert child.poll() is None
    child.kill()
    child.wait()


def test_controller_and_node_of_a_directory_are_found_by_their_command_line(tmp_path):
    """What a dead controller left is found and ended, and nothing of another cluster."""
    command = [sys.executable, "-c", FOREVER, "pxshell.node", str(tmp_path)]
    child = subprocess.Popen(command)
    wait_until(lambda: psutil.Process(child.pid).cmdline() == command, 30, "the node has its command line")
    assert [pid for pid, _ in processes_of(tmp_path)] == [child.pid]
    assert processes_of(tmp_path / "other") == []
    assert tmp_path in live_directories()
    assert tmp_path / "other" not in live_directories()
    child.send_signal(signal.SIGKILL)
    child.wait()
