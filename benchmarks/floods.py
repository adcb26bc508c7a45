"""Floods: what ranks say without end, what each process holds of it, and whether the control lane answers."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import bench
from figures import Figure, percentile

from pxshell.ranks import RankSet

if TYPE_CHECKING:
    from pxshell.client import Client

__all__ = ["figures"]

GROUP = "floods"
_EVERY_S = 0.05
#: MiB that a process may grow by in a flood, whatever the flood's size: its queues' limits, on both lanes, and what
#: the allocator keeps.
_GROWTH = 256.0
_CONTROL_MS = 50.0
#: A figure as matplotlib draws one, as to its size; no two are equal.
_FIGURES = """
import os
from IPython.display import Image, display
for number in range({count}):
    display(Image(data=b"\\x89PNG\\r\\n\\x1a\\n" + os.urandom(20_000), format="png"))
"""
_LINES = "for number in range({count}): print('line', number, 'of an output')"
#: About as long as the lines take, without a word.
_BUSY = "for number in range({count}): number * number"
_WIDE = "for number in range({count}): print(str(number).rjust(999))"


def figures(*, short: bool) -> Iterator[Figure]:
    """Measure each flood in a cluster of its own, beside a rank that is quiet."""
    part = 100 if short else 1
    wide = _WIDE.format(count=1_000_000 // part)
    yield from _flood("one rank prints 1 GB", 1, wide, logged=1_000_000_000 // part)
    many = 4 if short else 64
    code = _LINES.format(count=10_000 // part)
    logged = many * sum(len(f"line {number} of an output\n") for number in range(10_000 // part))
    floor = _delay_beside(many, _BUSY.format(count=1_000_000 // part))
    yield from _flood(f"{many} ranks print 10,000 lines each", many, code, logged=logged, floor=floor)
    yield from _flood("one rank displays 10,000 figures of 20 kB", 1, _FIGURES.format(count=10_000 // part))


@contextmanager
def _ranks(count: int) -> Iterator[tuple[Client, RankSet, RankSet]]:
    """Start ranks and one more, which is quiet; each has run a cell and answered a question."""
    from pxshell.cluster import Cluster

    cluster = Cluster.start(count + 1, launcher="local")
    try:
        client = cluster.client()
        assert client.request("execute_request", _cell("ran = 1"), client.ranks).wait(60)
        loud, quiet = RankSet(range(count)), RankSet.of(count)
        for ones in (loud, quiet):
            _question(client, ones)
        yield client, loud, quiet
    finally:
        cluster.stop()


def _delay_beside(count: int, code: str) -> float:
    """Return the milliseconds that a quiet rank takes to answer while others compute, 99th percentile."""
    delays = []
    with _ranks(count) as (client, loud, quiet):
        request = client.request("execute_request", _cell(code), loud)
        while not request.done:
            delays.append(_question(client, quiet))
            request.wait(_EVERY_S)
    return percentile(delays, 99)


def _flood(
    name: str, ranks: int, code: str, *, logged: int | None = None, floor: float | None = None
) -> Iterator[Figure]:
    with _ranks(ranks) as (client, flooding, quiet):
        descriptions = client.ask("px_status_request", {})["descriptions"]
        pid = descriptions[0]["pid"]
        watched = {"rank": pid, **_above(pid), "client": os.getpid()}
        with _Watch(watched) as watch:
            since = time.perf_counter()
            request = client.request("execute_request", _cell(code), flooding)
            delays: dict[str, list[float]] = {"a quiet rank": [], "the ranks that flood": []}
            while not request.done:
                for whom, ones in zip(delays, (quiet, flooding), strict=True):
                    delays[whom].append(_question(client, ones))
                request.wait(_EVERY_S)
            seconds = time.perf_counter() - since
        for who, growth in watch.growth().items():
            met = growth <= _GROWTH
            yield Figure(GROUP, f"{name}: growth of the {who}", "MiB", growth, target=f"<= {_GROWTH:.0f} MiB", met=met)
        for whom, times in delays.items():
            slow, median = percentile(times, 99), statistics.median(times)
            note = f"completion, {len(times)} times in {seconds:.1f} s; median {median:.0f} ms"
            title = f"{name}: {whom} asked on the control lane, 99th percentile"
            judged: dict[str, Any] = {}
            if whom == "a quiet rank":
                judged = {"target": f"<= {_CONTROL_MS:.0f} ms", "met": slow <= _CONTROL_MS}
                if floor is not None:
                    judged |= {"peer_name": "they compute, and print nothing", "peer": floor}
            yield Figure(GROUP, title, "ms", slow, note=note, **judged)
        kept = sum(Path(client.connection.directory, "logs", f"rank-{rank}.log").stat().st_size for rank in flooding)
        if logged is not None:
            assert kept == logged, (kept, logged)
        cut = sum(message.data()["bytes"] for message in request.messages if message.type == "px_cut")
        yield Figure(
            GROUP, f"{name}: cut from the view, with notice", "MB", cut / 1e6, note=f"logs: {kept / 1e6:.1f} MB"
        )


def _question(client: Client, ranks: RankSet) -> float:
    """Ask ranks something on the control lane; return the milliseconds until all have answered."""
    since = time.perf_counter()
    question = client.request("complete_request", {"code": "ran", "cursor_pos": 3}, ranks)
    assert question.wait(60)
    question.forget()
    return (time.perf_counter() - since) * 1000


def _cell(code: str) -> dict[str, Any]:
    fixed = {"silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    return fixed | {"code": code, "stop_on_error": True, "cell": 1, "filename": "<flood>", "places": [], "queue": False}


def _above(pid: int) -> dict[str, int]:
    """Return the node and the controller above a rank."""
    import psutil

    found = {}
    for process in psutil.Process(pid).parents():
        words = process.cmdline()
        for name in ("node", "controller"):
            if f"pxshell.{name}" in words:
                found[name] = process.pid
    return found


class _Watch:
    """Looks at the memory of processes every 50 ms."""

    def __init__(self, watched: dict[str, int]) -> None:
        self._watched = watched
        self._before = {name: bench.memory(pid)[0] for name, pid in watched.items()}
        self._peak = dict(self._before)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._over.wait(_EVERY_S):
            for name, pid in self._watched.items():
                self._peak[name] = max(self._peak[name], bench.memory(pid)[0])

    def growth(self) -> dict[str, float]:
        """Return how much each has grown at most, in MiB."""
        return {name: self._peak[name] - self._before[name] for name in self._peak}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()
