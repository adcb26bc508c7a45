"""Clusters on disk, as a start leaves them, without their processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pxshell.cluster.files import ClusterFiles, Keys
from pxshell.rendezvous import connection, worlds
from pxshell.rendezvous.processes import start_time

KEYS = {
    role: Keys(f"public-{role}".ljust(40, "x"), f"secret-{role}".ljust(40, "x"))
    for role in ("server", "operator", "observer", "node")
}


@pytest.fixture
def on_disk():
    """Write the files of a cluster whose controller is this process, or one that has ended; removed at the end."""
    names = []

    def write(name, *, alive=True, **launch):
        files = ClusterFiles.make(name)
        files.write_keys(KEYS)
        files.write_launch({"name": name, "launcher": "local", "size": 4, "script": None, "commands": []} | launch)
        pid = os.getpid() if alive else ended_pid()
        files.write_connections(KEYS, pid, start_time(os.getpid()) if alive else 1.0)
        names.append(name)
        return files

    yield write
    for name in names:
        connection.remove(name)


@pytest.fixture
def joined():
    """Put a rank of this process into the list of programs that can be attached to."""
    paths = []

    def join(world, *, script="train.py", size=2):
        info = worlds.WorldInfo(world=world, script=script, size=size, started=start_time(os.getpid()), command=[])
        path, _ = worlds.enter_world(info, 0, os.getpid(), Path.touch)
        paths.append(path)
        return path.parent

    yield join
    for path in paths:
        worlds.forget_engine(path)


def ended_pid():
    """Return the pid of a process that is gone."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid
