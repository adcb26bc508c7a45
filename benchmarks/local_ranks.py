"""Local ranks on one machine, without a peer: memory, processes, restart, and commands against a bare Python."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import bench
from figures import Figure

__all__ = ["figures"]

GROUP = "local ranks"


def figures(*, short: bool) -> Iterator[Figure]:
    """Measure."""
    for ranks in (4,) if short else (4, 16):
        yield from _ranks(ranks)
    yield from _commands(1 if short else 9)


def _ranks(ranks: int) -> Iterator[Figure]:
    from pxshell.cluster import Cluster

    cluster = Cluster.start(ranks, launcher="local")
    try:
        client = cluster.client()
        client[:].execute("1+1", block=True)
        described = client.ask("px_status_request", {})["descriptions"]
        sizes = [bench.memory(one["pid"])[0] for one in described]
        pss = statistics.mean(sizes)
        name = f"n={ranks}, memory of an idle rank after its first cell, PSS"
        yield Figure(GROUP, name, "MiB", pss, target="<= 15 MiB", met=pss <= 15, note="mean of all")
        count = _processes(cluster.directory)
        most = ranks + 3
        yield Figure(GROUP, f"n={ranks}, processes", "", count, target=f"<= {most}", met=count <= most)
        # The GIL is held: nothing in the process answers.
        client[:].execute("import ctypes; ctypes.PyDLL(None).sleep(1000)", block=False)
        bench.wait_until(lambda: len(client.states.where("busy")) == ranks, "all ranks are stuck")
        begin = time.perf_counter()
        cluster.restart()
        seconds = time.perf_counter() - begin
        name = f"n={ranks}, restart of ranks that are stuck in C"
        yield Figure(GROUP, name, "ms", seconds * 1000, target="<= 2 s", met=seconds <= 2)
    finally:
        cluster.stop()


def _processes(directory: Path) -> int:
    """Count the controller of this directory and all that descends from it."""
    import psutil

    controllers = [
        process
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] and process.info["cmdline"][-2:] == ["pxshell.controller", str(directory)]
    ]
    return sum(1 + len(process.children(recursive=True)) for process in controllers)


def _commands(rounds: int) -> Iterator[Figure]:
    bare = _median([bench.PYTHON, "-c", "pass"], rounds)
    for words in (["--version"], ["list"]):
        above = _median([*bench.PXSHELL, *words], rounds) - bare
        name = f"`pxshell {' '.join(words)}` above a bare python"
        yield Figure(GROUP, name, "ms", above, target="<= 150 ms", met=above <= 150, note=f"bare: {bare:.0f} ms")


def _median(command: list[str], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)
