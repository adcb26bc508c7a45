"""The benchmarks run: everything once, no timing asserted."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.mpi
@pytest.mark.slow
@pytest.mark.terminal
@pytest.mark.timeout(600)
def test_a_short_run_measures_every_part(tmp_path):
    found = tmp_path / "figures.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--short", "--json", str(found)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=580)
    assert run.returncode == 0, run.stderr
    content = json.loads(found.read_text(encoding="utf-8"))
    groups = {figure["group"] for figure in content["figures"]}
    plain = {"against plain Python", "at 4 MPI ranks", "typing", "stacks of all ranks", "local ranks"}
    assert groups == plain | {"interruptible calls", "an editor on a rank", "against ipyparallel", "floods"}
    assert content["short"]
    for figure in content["figures"]:
        assert isinstance(figure["ours"], float | int)
        assert f"| {figure['name']} " in run.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_short_run_of_simulated_ranks_measures_every_layout(tmp_path):
    """P3, P4: each layout answers folded, and the death of a node in mid-cell is accounted for."""
    found, drawn = tmp_path / "figures.json", tmp_path / "growth.svg"
    command = [sys.executable, str(ROOT / "benchmarks" / "scale.py"), "--short"]
    command += ["--json", str(found), "--svg", str(drawn)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert run.returncode == 0, run.stderr
    points = json.loads(found.read_text(encoding="utf-8"))
    assert {point["layout"] for point in points} == {"f2x4", "f2x8", "8x16", "2/8x16"}
    notes = {(point["layout"], point["work"]): point["note"].partition(";")[0] for point in points}
    assert notes["8x16", "cell, equal but on 3"] == notes["2/8x16", "cell, equal but on 3"] == "4 lines shown"
    assert notes["8x16", "cell, all different"] == "9 lines shown"
    assert notes["8x16", "lost machine named"].startswith("16 ranks")
    assert notes["8x16", "death of nodes"].startswith("16 ranks lost")
    assert notes["2/8x16", "death of a relay"].startswith("64 ranks lost")
    joined = next(point["note"] for point in points if point["layout"] == "8x16" and point["work"] == "registration")
    assert joined.endswith("; 2 connections a node")
    assert "null round trip: ranks^" in drawn.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_short_run_against_the_peers_compares_what_is_installed():
    """Raw pyzmq is there always, ipyparallel may be."""
    command = [sys.executable, str(ROOT / "benchmarks" / "scale.py"), "--short", "--against"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    assert "ms (raw pyzmq)" in run.stdout
    assert ("ms (ipyparallel, flat view)" in run.stdout) == (find_spec("ipyparallel") is not None)
