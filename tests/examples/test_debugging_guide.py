"""The transcripts of docs/guide/debugging.md, typed and compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from loaded import without_load

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/guide/debugging.md"
PROMPT = re.compile(r"px\[[^]]*\][^>]*> ?")


def transcript():
    """Return what is typed in the guide, and all that is shown, without what differs from run to run."""
    blocks = re.findall(r"```console\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if not line.startswith("$ ")]
    typed = [PROMPT.sub("", line, count=1) for line in lines if PROMPT.match(line)]
    return typed, steady("\n".join(line for line in lines if not PROMPT.match(line)))


def steady(text):
    return re.sub(r"step = \d+", "step = N", re.sub(r"\(\d+\.\d s\)", "(S)", text)).strip()


@pytest.mark.mpi
@pytest.mark.timeout(300)
def test_the_guide_to_the_debugger_is_what_one_sees(mpiexec):
    """P3, P5: four real MPI ranks step, wait for each other, stop at breakpoints, and go on."""
    typed, expected = transcript()
    cells = [word for cell in typed for word in ("-c", cell)]
    command = [sys.executable, "-m", "pxshell", "run", "--mpi", "-n", "4", "--wait", *cells, "--"]
    command += ["sim.py", "--steps", "400", "--every", "1000"]
    environment = {**os.environ, "COLUMNS": "120"}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    try:
        done = subprocess.run(command, cwd=ROOT / "examples/mpi_sim", env=environment, timeout=240, **pipes)
    except subprocess.TimeoutExpired as late:
        pytest.fail(f"it does not end: {(late.stdout or b'').decode()}")
    # A machine that is busy makes the pause say what it waits for, and ranks answer late.
    told = re.sub(r"^pause --sync step waits for .*\n", "", without_load(done.stdout), flags=re.MULTILINE)
    shown, _, end = steady(told).rpartition("[0]    step 400  mass 4096.000  checksum ")
    assert shown.strip() == expected, done.stdout
    assert "sim.py has ended on 0-3: exit 0" in end, done.stdout
