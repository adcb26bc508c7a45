"""The null round trip of simulated ranks on sockets of their own, in turns with raw pyzmq and with ipyparallel."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec

from fanout import fanout
from figures import Figure
from ipp_fan import ipp_fan
from simulation import Layout, all_of, simulation

__all__ = ["figures"]

#: Ours takes at most this many times as long as each peer.
TARGETS = {"raw pyzmq": 2.5, "ipyparallel, flat view": 1 / 20, "ipyparallel, coalescing broadcast": 1 / 10}
_LIMIT_S = 60.0


def figures(*, short: bool) -> Iterator[Figure]:
    """Measure, in turns; ipyparallel is left out where it is missing."""
    processes, each, rounds = (2, 4, 2) if short else (4, 250, 15)
    layout = Layout.parse(f"f{processes}x{each}")
    with ExitStack() as stack:
        cluster = stack.enter_context(simulation(layout))
        cluster.register()
        world = all_of(layout)

        def ours() -> float:
            began = time.monotonic()
            content = {"code": "null", "cell": 1, "filename": "<cell>", "places": [], "silent": False, "queue": False}
            if not cluster.client.request("execute_request", content, world).wait(_LIMIT_S):
                raise TimeoutError("not all ranks have answered")
            return 1e3 * (time.monotonic() - began)

        turns: dict[str, Callable[[], float]] = {"pxshell": ours}
        raw = stack.enter_context(fanout(cluster.files.directory, processes, each))
        turns["raw pyzmq"] = raw.round_trip
        if find_spec("ipyparallel"):
            peer = stack.enter_context(ipp_fan(processes, each))
            turns["ipyparallel, flat view"] = lambda: peer.round_trip("flat")
            turns["ipyparallel, coalescing broadcast"] = lambda: peer.round_trip("coalescing")
        taken: dict[str, list[float]] = {name: [] for name in turns}
        for number in range(rounds + 1):
            for name, once in turns.items():
                spent = once()
                if number:  # the first one is warming up
                    taken[name].append(spent)
    middle = {name: statistics.median(times) for name, times in taken.items()}
    mine = middle.pop("pxshell")
    for name, theirs in middle.items():
        times = TARGETS[name]
        target = f"<= {times:g} x" if times >= 1 else f"<= 1/{1 / times:.0f}"
        group, note = f"{layout.size:,} simulated ranks, two cores", f"median of {rounds}, in turns"
        yield Figure(group, "null round trip, wall", "ms", mine, name, theirs, target, mine <= times * theirs, note)
