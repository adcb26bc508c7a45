"""`pxshell stacks`, of jobs that never loaded pxshell."""

import json
import os

import pytest

from pxshell.cli import main
from pxshell.node import foreign
from pxshell.node.spying import Spied, SpyError
from pxshell.protocol.stacks import Frame, StackEnd


@pytest.fixture
def job(monkeypatch):
    """Ranks 0 to 2 of 4 are here; rank 2 cannot be read."""

    def read(pid, *, full):
        if pid == 102:
            raise SpyError("the system does not let py-spy read it")
        end = StackEnd("MPI", "Barrier", is_collective=True, is_outside=True)
        return Spied((Frame("/home/me/sim\x1b[2J.py", 3 + full, "<module>"),), end)

    monkeypatch.setattr(foreign, "read_stack", read)
    monkeypatch.setattr(foreign, "ranks_below", lambda launcher: ({0: 100, 1: 101, 2: 102}, 4))
    monkeypatch.setattr(foreign, "ranks_of", lambda pids: dict(enumerate(pids)))


def test_the_ranks_of_a_launcher_are_one_tree(job, capsys):
    """P3: who could not be read, and who is on another machine, is said; the status tells it too."""
    assert main(["stacks", "--mpiexec", "99"]) == 1
    out, err = capsys.readouterr()
    assert out == (
        "<module>  sim.py:3   [0-1]  in MPI Barrier\n[2]    no stack: the system does not let py-spy read it\n"
    )
    assert err == "read from outside, by py-spy: 0-2; 3 is not on this machine\n"


def test_processes_are_named_one_by_one(job, capsys):
    assert main(["stacks", "--pid", "100", "101", "--full", "--json"]) == 0
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    assert (json.loads(line)["ranks"], json.loads(line)["waits"]) == ("0-1", "in MPI Barrier")
    assert err == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["name", "--pid", "1"], "one of them"),
        (["--pid", "1", "--mpiexec", "2"], "one of them"),
        (["--pid", "soon"], "'soon' is no number"),
        (["--mpiexec", str(os.getpid())], "has started no ranks on this machine"),
        (["nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(words, said, capsys):
    """P10."""
    assert main(["stacks", *words]) in {1, 2}
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
