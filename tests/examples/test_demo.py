"""Test of the main job: `make demo` in short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "examples/mpi_sim/demo.py"


@pytest.mark.mpi
@pytest.mark.timeout(300)
def test_a_simulation_that_was_paused_inspected_plotted_and_resumed_ends_as_an_undisturbed_one(tmp_path, mpiexec):
    """P5: on four real MPI ranks; the demo compares the checksums itself."""
    command = [sys.executable, str(DEMO), "--steps", "800", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Both runs end with checksum" in done.stdout
    assert (tmp_path / "basin.png").stat().st_size > 1000
