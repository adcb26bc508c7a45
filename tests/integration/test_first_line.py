"""A pause that is the first cell of `run -c` stops the first line of the script, however short the script is."""

import io
import re
from contextlib import redirect_stderr

import pytest

from pxshell.cluster import Cluster
from pxshell.terminal import run_cells

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROUNDS = 8
#: For a pause on a machine that is busy, which may also be said to be waited for.
PAUSE = "%pxsignal pause --timeout 60"
SCRIPT = "x = 1\ny = x + 1\nx = 3\n"


def run(folder, *cells, launcher):
    """Run cells on a held script of three lines; return the exit status and what was shown on stdout and stderr."""
    (folder / "three.py").write_text(SCRIPT)
    out, err = io.StringIO(), io.StringIO()
    cluster = Cluster.start(2, launcher=launcher, script=["three.py"], cwd=folder, hold=True)
    try:
        with redirect_stderr(err):
            status = run_cells(cluster.client(), cells, out=out, starts_script=True)
    finally:
        cluster.stop(0.0)
    return status, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("launcher", ["local", pytest.param("mpi", marks=pytest.mark.mpi)])
def test_three_lines_are_caught_at_the_first_every_time(tmp_path, launcher):
    """Issue: user code starts only when the first cell is armed."""
    for _ in range(ROUNDS):
        status, shown, said = run(tmp_path, PAUSE, "'x' in globals()", launcher=launcher)
        assert (status, shown) == (0, "[0-1]  False\n"), said
        assert re.search(r"^0-1 paused at three.py:1 \(", said, re.MULTILINE), said


def test_a_synchronised_pause_stops_at_the_first_value_every_time(tmp_path):
    """All ranks at one line, and the first value that there is: nothing of it depends on time."""
    for _ in range(ROUNDS // 4):
        status, shown, said = run(tmp_path, f"{PAUSE} --sync x", "x", launcher="local")
        assert (status, shown) == (0, "[0-1]  1\n"), said
        assert re.search(r"^0-1 paused at three.py:2, x = 1 on all \(", said, re.MULTILINE), said
