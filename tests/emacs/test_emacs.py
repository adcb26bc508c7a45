"""Emacs' dap-mode on a rank of a real MPI simulation, set up with the lines that docs/guide/editor.md gives."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pxshell import Cluster

ROOT = Path(__file__).parents[2]
SIM = ROOT / "examples" / "mpi_sim" / "sim.py"
LINE = next(n for n, line in enumerate(SIM.read_text().splitlines(), 1) if line.startswith("        mass ="))

pytestmark = [pytest.mark.emacs, pytest.mark.mpi]


def test_the_guides_lines_for_dap_mode_debug_a_rank(tmp_path):
    """Scene 4 in another editor, without any port: breakpoint, the user's frame, a value, and good-bye."""
    (snippet,) = re.findall("```elisp\n(.*?)```", (ROOT / "docs" / "guide" / "editor.md").read_text(), re.DOTALL)
    script = [str(SIM), "--steps", "100000000", "--size", "32"]
    with Cluster.start(4, launcher="mpi", script=script) as cluster:
        client = cluster.client()
        assert client.wait_until(lambda: len(client.states.where("busy")) == 4, 30)
        lines = tmp_path / "snippet.el"
        lines.write_text(snippet.replace("sim-1", cluster.name))
        sim = tmp_path / "sim.py"
        sim.symlink_to(SIM)
        command = [
            "emacs",
            "--batch",
            "-l",
            str(Path(__file__).with_name("attach.el")),
            str(lines),
            str(SIM),
            str(LINE),
        ]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "HOME": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=env, stdin=subprocess.DEVNULL)
        said = done.stdout.splitlines()
        assert said[-4:] == ["stopped rank 2 (pxshell)", f"frame main {LINE}", "value (2, 4)", "disconnected"], done
        assert client.wait_until(lambda: len(client.states.where("busy")) == 4, 30)
