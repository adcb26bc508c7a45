"""Against ipyparallel: local engines in plain IPython, with the magics of both, and the Python API of both."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import bench
from figures import Figure

__all__ = ["figures"]

GROUP = "against ipyparallel"
TITLES = {
    "ready": "ready for the first cell (imports included)",
    "first": "first `%px 1+1` shown (imports included)",
    "cells": "`%px 1+1` shown",
    "interrupt": "interrupt of `time.sleep(100)`, next cell shown",
    "stopped": "stopped, all processes gone",
}
#: For each number of ranks the largest part of the peer's time that is allowed; what is not named must not be slower.
SHARES = {
    4: {"ready": 1 / 8, "cells": 1 / 8, "stopped": 1 / 10},
    16: {"ready": 1 / 10, "cells": 1 / 10, "stopped": 1 / 10, "interrupt": 1 / 3},
    48: {"ready": 1 / 12, "cells": 1 / 10, "stopped": 1 / 10},
}
API_TITLES = {
    "push": ("push of a 100 MB array", "ms", False),
    "pull": ("pull of a 100 MB array from each rank", "ms", False),
    "flushed": ("flushed lines of one rank", "lines/s", True),
    "equal": ("10,000 equal lines of each rank", "lines/s", True),
}
#: Ranks, what is measured, and the part of the peer's time or the multiple of its rate.
API = (
    (1, ("push", "pull"), 1 / 4),
    (4, ("push", "pull"), 1 / 10),
    (1, ("flushed",), 10.0),
    (64, ("equal",), 20.0),
)


def figures(*, short: bool) -> Iterator[Figure]:
    """Measure both, one after the other, a few times; the peer is left out of a short run and where it is missing."""
    names = ["pxshell", *(["ipyparallel"] if not short and find_spec("ipyparallel") else [])]
    for ranks, shares in {4: SHARES[4]}.items() if short else SHARES.items():
        runs = 1 if short or ranks > 16 else 3
        said: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for _ in range(runs):
            for name in names:
                said[name].append(_load("face.py", name, ranks, 3 if short else 30))
        for key, title in TITLES.items():
            middle = {name: statistics.median(_values(said[name], key)) for name in names}
            yield _slower(f"n={ranks}, {title}", "ms", middle, shares.get(key, 1.0))
    for ranks, what, share in API:
        yield from _api(names, min(ranks, 4) if short else ranks, what, share, short=short)


def _api(names: Sequence[str], ranks: int, what: Sequence[str], share: float, *, short: bool) -> Iterator[Figure]:
    said: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(1 if short or ranks > 16 else 3):
        for name in names:
            said[name].append(_load("api.py", name, ranks, "small" if short else "large", *what))
    for key in what:
        title, unit, is_rate = API_TITLES[key]
        middle = {name: statistics.median(_values(said[name], key)) for name in names}
        yield (_faster if is_rate else _slower)(f"n={ranks}, {title}", unit, middle, share)


def _slower(name: str, unit: str, middle: dict[str, float], share: float) -> Figure:
    ours, peer = middle["pxshell"], middle.get("ipyparallel")
    target = "not slower" if share == 1 else f"<= 1/{1 / share:.0f}"
    return Figure(GROUP, name, unit, ours, "ipyparallel", peer, target, None if peer is None else ours <= peer * share)


def _faster(name: str, unit: str, middle: dict[str, float], times: float) -> Figure:
    ours, peer = middle["pxshell"], middle.get("ipyparallel")
    met = None if peer is None else ours >= peer * times
    return Figure(GROUP, name, unit, ours, "ipyparallel", peer, f">= {times:.0f} x", met)


def _values(runs: list[dict[str, Any]], key: str) -> list[float]:
    return [value for run in runs for value in (run[key] if isinstance(run[key], list) else [run[key]])]


def _load(file: str, *words: object) -> dict[str, Any]:
    command = [bench.PYTHON, str(bench.LOADS / file), *map(str, words)]
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    return json.loads(run.stdout.splitlines()[-1])  # type: ignore[no-any-return]
