"""The benchmarks run: everything once, no timing asserted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.mpi
@pytest.mark.slow
@pytest.mark.terminal
@pytest.mark.timeout(300)
def test_a_short_run_measures_every_part(tmp_path):
    found = tmp_path / "figures.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--short", "--json", str(found)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert run.returncode == 0, run.stderr
    content = json.loads(found.read_text(encoding="utf-8"))
    groups = {figure["group"] for figure in content["figures"]}
    plain = {"against plain Python", "at 4 MPI ranks", "typing", "stacks of all ranks", "local ranks"}
    assert groups == plain | {"interruptible calls", "an editor on a rank", "against ipyparallel"}
    assert content["short"]
    for figure in content["figures"]:
        assert isinstance(figure["ours"], float | int)
        assert f"| {figure['name']} " in run.stdout
