"""How a process has ended that is not ours to reap."""

import os
import signal
import subprocess
import sys

import pytest

from pxshell.node.remains import children_of, status_of_remains
from pxshell.testing.waiting import wait_until


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
@pytest.mark.parametrize("ending", [0, 3, -signal.SIGKILL, -signal.SIGTERM])
def test_the_status_is_read_until_somebody_reaps(ending):
    """P3: the way in which a rank died is known although only mpiexec could wait for it."""
    code = f"import sys; sys.exit({ending})" if ending >= 0 else f"import os; os.kill(os.getpid(), {-ending})"
    with subprocess.Popen([sys.executable, "-c", code]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert status_of_remains(child.pid) == ending
        child.wait()
        wait_until(lambda: status_of_remains(child.pid) is None, 30, "nothing is left")


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_a_living_process_has_no_status():
    assert status_of_remains(os.getpid()) is None


def test_names_with_parentheses_are_no_trouble(tmp_path):
    """`comm` is whatever the program calls itself."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text("7 (a) Z 9) Z 1 7 0 256\n")
    assert status_of_remains(7, tmp_path) == 1


def test_where_there_is_no_proc_nothing_is_known(tmp_path):
    assert status_of_remains(7, tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_children_are_known():
    """The proxies of mpiexec, say."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in children_of(os.getpid())
        child.communicate(b"\n")
    assert children_of(child.pid) == []
