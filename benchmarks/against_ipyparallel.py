"""Against ipyparallel: 4 local engines in plain IPython, with the magics of both."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import bench
from figures import Figure

__all__ = ["figures"]

GROUP = "against ipyparallel"
TITLES = {
    "ready": "n=4, ready for the first cell (imports included)",
    "first": "n=4, first `%px 1+1` shown (imports included)",
    "cells": "`%px 1+1` shown",
    "interrupt": "interrupt of `time.sleep(100)`, next cell shown",
}


def figures(*, short: bool) -> Iterator[Figure]:
    """Measure both, one after the other, a few times; the peer is left out of a short run and where it is missing."""
    names = ["pxshell", *(["ipyparallel"] if not short and find_spec("ipyparallel") else [])]
    said: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(1 if short else 3):
        for name in names:
            said[name].append(_face(name, cells=3 if short else 30))
    for key, title in TITLES.items():
        middle = {name: statistics.median(_values(said[name], key)) for name in names}
        peer = middle.get("ipyparallel")
        met = None if peer is None else middle["pxshell"] <= peer
        yield Figure(GROUP, title, "ms", middle["pxshell"], "ipyparallel", peer, "not slower", met)


def _values(runs: list[dict[str, Any]], key: str) -> list[float]:
    return [value for run in runs for value in (run[key] if isinstance(run[key], list) else [run[key]])]


def _face(name: str, cells: int) -> dict[str, Any]:
    command = [bench.PYTHON, str(bench.LOADS / "face.py"), name, str(cells)]
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return json.loads(run.stdout.splitlines()[-1])  # type: ignore[no-any-return]
