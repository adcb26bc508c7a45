"""Neovim's nvim-dap on a rank of a real MPI simulation, set up with the lines that docs/guide/editor.md gives."""

import os
import re
import subprocess
import sys
from pathlib import Path

import environments
import pytest

from pxshell import Cluster

ROOT = Path(__file__).parents[2]
SIM = ROOT / "examples" / "mpi_sim" / "sim.py"
LINE = next(n for n, line in enumerate(SIM.read_text().splitlines(), 1) if line.startswith("        mass ="))

pytestmark = [pytest.mark.neovim, pytest.mark.mpi]


def test_the_guides_lines_for_nvim_dap_debug_a_rank(tmp_path):
    """Scene 4 in another editor, without any port: breakpoint, the user's frame, a value, and good-bye."""
    (snippet,) = re.findall("```lua\n(.*?)```", (ROOT / "docs" / "guide" / "editor.md").read_text(), re.DOTALL)
    script = [str(SIM), "--steps", "100000000", "--size", "32"]
    with Cluster.start(4, launcher="mpi", script=script) as cluster:
        client = cluster.client()
        assert client.wait_until(lambda: len(client.states.where("busy")) == 4, 30)
        lines = tmp_path / "snippet.lua"
        lines.write_text(snippet.replace("sim-1", cluster.name))
        there = environments.neovim()
        attach = Path(__file__).with_name("attach.lua")
        command = [there / "bin" / "nvim", "--headless", "--clean", "-l", attach, there / "nvim-dap", lines, SIM, LINE]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "PATH": path}
        words = [str(one) for one in command]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=100, env={**os.environ, **own}, stdin=subprocess.DEVNULL
        )
        said = done.stdout.splitlines()
        assert said == ["stopped breakpoint", f"frame main {LINE}", "value (2, 4)", "disconnected"], done
        assert client.wait_until(lambda: len(client.states.where("busy")) == 4, 30)
