"""What the tree costs by the number of ranks: simulated ranks by the thousand, real controller, client, sockets, keys.

Run: python benchmarks/scale.py [--short] [--against] [--only LAYOUT ...] [--json FILE] [--svg FILE]

A layout is NODESxRANKS; with an f before it the nodes are real and each rank has two sockets of its own: f8x125.
25/1000x128 puts 25 nodes that parent nodes between the 1000 and the controller.
--against measures the null round trip of 1,000 ranks, in turns with as many of raw pyzmq and of ipyparallel.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import against_peers
import bench
from curves import Curve, drawing
from figures import table as table_of
from simulation import Layout, Simulation, all_of, simulation

from pxshell.client import Request
from pxshell.ranks import RankSet
from pxshell.render import Event, Progress
from pxshell.render.plain import to_plain
from pxshell.session import Config, Session

FULL = ("f4x25", "f4x250", "f8x1250", "10x128", "100x128", "1000x128", "25/1000x128")
SHORT = ("f2x4", "f2x8", "8x16", "2/8x16")
_TIMEOUT_S = 300.0
#: Seconds within which a machine that gives no sign of life has to be named.
_NAMED_S = 30.0
#: Above so many ranks work is done once, cold.
_ONCE_IS_ENOUGH = 100_000


@dataclass(frozen=True)
class Point:
    """One piece of work on one layout: medians, in milliseconds; CPU of each process for one operation."""

    layout: str
    nodes: int
    ranks: int
    work: str
    wall: float
    controller: float
    #: Of the busiest real node, or node that parents nodes; None where all nodes are simulated.
    node: float | None
    client: float
    messages: int = 0
    bytes: int = 0
    note: str = ""

    @property
    def critical(self) -> float:
        """What a real cluster waits for: one node, the controller and the client, one after the other."""
        return self.controller + (self.node or 0.0) + self.client


@dataclass(frozen=True)
class Target:
    """What a piece of work may cost at so many ranks, in milliseconds."""

    work: str
    ranks: range
    #: Which figure of a point.
    cost: str
    limit: float

    def verdict(self, point: Point) -> str:
        """Return what the table says; "" when the target is not about this point."""
        if point.work != self.work or point.ranks not in self.ranks:
            return ""
        is_met = getattr(point, self.cost) <= self.limit
        return f"{self.cost} <= {self.limit:g} ms: {'met' if is_met else 'MISSED'}"


_THOUSAND, _MANY = range(1000, 2000), range(100_000, 200_001)
TARGETS = (
    Target("registration", range(10_000, 20_001), "wall", 5000),
    Target("null round trip", _MANY, "controller", 60),
    Target("stacks", _THOUSAND, "critical", 100),
    Target("stacks", _MANY, "critical", 1000),
    Target("pause", _THOUSAND, "critical", 100),
    Target("pause", _MANY, "critical", 1000),
    Target("lost machine named", range(1, 200_001), "wall", 3000),
)


class _Page:
    """A display that keeps what it was shown as text."""

    shows_images = False

    def __init__(self, world: RankSet) -> None:
        self.world = world
        self.text = ""

    def show(self, event: Event) -> None:
        self.text += to_plain(event, self.world)

    def progress(self, progress: Progress | None) -> None:
        pass

    def ask(self, prompt: str, *, password: bool = False) -> str:
        raise EOFError


class Meter:
    """Measures work on one simulated cluster."""

    def __init__(self, cluster: Simulation, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.world = all_of(cluster.layout)

    def measure(self, work: str, once: Callable[[], tuple[int, int, str]], repeat: int) -> Point:
        """Do something several times; `once` returns messages, bytes and a note."""
        rounds = []
        for _ in range(repeat):
            before = self.clocks()
            told = once()
            rounds.append((tuple(b - a for a, b in zip(before, self.clocks(), strict=True)), told))
        clocks = zip(*[clock for clock, _ in rounds], strict=True)
        wall, client, controller, *nodes = (1e3 * statistics.median(clock) for clock in clocks)
        layout = self.cluster.layout
        busiest = max(nodes) if nodes else None
        messages, size, note = rounds[-1][1]
        return Point(
            self.name, layout.nodes, layout.size, work, wall, controller, busiest, client, messages, size, note
        )

    def clocks(self) -> tuple[float, ...]:
        """Wall, our CPU, the controller's, the nodes'."""
        pids = [self.cluster.controller.pid, *(node.pid for node in self.cluster.nodes if node.poll() is None)]
        return time.monotonic(), time.process_time(), *(bench.busy(pid)[0] for pid in pids)

    def register(self, empty: float) -> tuple[int, int, str]:
        """Let all ranks come; `empty` is the controller's memory before, in MiB."""
        before, layout = self.connections(), self.cluster.layout
        self.cluster.register()
        each = (self.connections() - before) / layout.nodes
        grown = (bench.memory(self.cluster.controller.pid)[0] - empty) * 1024 / len(self.world)
        note = f"controller grows by {grown:.2f} KiB a rank"
        # Real nodes have come before their ranks.
        return 0, 0, note if layout.is_flat or layout.relays else f"{note}; {each:.3g} connections a node"

    def connections(self) -> int:
        """Count the controller's descriptors."""
        return sum(1 for _ in Path(f"/proc/{self.cluster.controller.pid}/fd").iterdir())

    def request(self, kind: str, content: dict[str, Any]) -> tuple[int, int, str]:
        """Ask all ranks and wait for all."""
        asked = self.cluster.client.request(kind, content, self.world)
        if not asked.wait(_TIMEOUT_S):
            raise TimeoutError(f"{kind}: {asked.account.pending} have not answered")
        return _received(asked)

    def cell(self, code: str) -> tuple[int, int, str]:
        """Run a cell as a front end does, and draw its answers."""
        page, before = _Page(self.world), bench.memory(os.getpid())[0]
        with Session(self.cluster.client, page, Config(live=False, watchdog=0.0)) as session:
            session.run_cell(code)
        lines = page.text.count("\n")
        grown = bench.memory(os.getpid())[0] - before
        return 0, 0, f"{lines} lines shown; client grows by {max(0.0, grown):.0f} MiB"


def _received(asked: Request) -> tuple[int, int, str]:
    messages = list(asked.messages)
    return len(messages), sum(message.size for message in messages), ""


def _execute(code: str) -> dict[str, Any]:
    return {"code": code, "cell": 1, "filename": "<cell 1>", "places": [], "silent": False, "queue": False}


def run(name: str, *, short: bool) -> Iterator[Point]:
    """Measure everything on one layout."""
    layout = Layout.parse(name)
    repeat = 1 if short or layout.size >= 10_000 else 5
    with simulation(layout) as cluster:
        meter = Meter(cluster, name)
        empty = bench.memory(cluster.controller.pid)[0]
        yield meter.measure("registration", lambda: meter.register(empty), 1)
        works: list[tuple[str, Callable[[], tuple[int, int, str]]]] = [
            ("null round trip", lambda: meter.request("execute_request", _execute("null"))),
            ("cell, equal but on 3", lambda: meter.cell("three")),
            ("stacks", lambda: meter.request("px_stacks_request", {"full": False})),
            ("pause", lambda: meter.request("px_pause_request", {"pause": "p1", "mode": "line"})),
            ("cell, all different", lambda: meter.cell("own")),
        ]
        for work, once in works:
            often = work == "null round trip"
            if often or layout.size < _ONCE_IS_ENOUGH:
                once()
            yield meter.measure(work, once, max(repeat, 5) if often and not short else repeat)
        if layout.relays:
            yield _deaths(meter, "death of a relay", cluster.nodes[-1], _below_last_relay(layout))
        elif not layout.is_flat:
            yield _silence(meter)
            yield _deaths(meter, "death of nodes", cluster.loads[-1], layout.hundredth * layout.ranks)


def _silence(meter: Meter) -> Point:
    """Stop the process of a hundredth of the nodes, until the client names all of their ranks; then let it go on."""
    cluster, layout = meter.cluster, meter.cluster.layout
    victim, expected = cluster.loads[-1], layout.hundredth * layout.ranks
    before = meter.clocks()
    victim.send_signal(signal.SIGSTOP)
    silent = lambda: len(cluster.client.states.where("unresponsive"))  # noqa: E731
    try:
        if not cluster.client.wait_until(lambda: silent() == expected, _NAMED_S):
            raise TimeoutError(f"{silent()} of {expected} ranks are named")
        after = meter.clocks()
    finally:
        victim.send_signal(signal.SIGCONT)
    if not cluster.client.wait_until(lambda: not silent(), _NAMED_S):
        raise TimeoutError(f"{silent()} ranks have not come back")
    wall, client, controller, *_ = (1e3 * (b - a) for a, b in zip(before, after, strict=True))
    note = f"{expected} ranks, and they come back"
    return Point(meter.name, layout.nodes, layout.size, "lost machine named", wall, controller, None, client, note=note)


def _below_last_relay(layout: Layout) -> int:
    each = -(-layout.nodes // layout.relays)
    return (layout.nodes - (layout.relays - 1) * each) * layout.ranks


def _deaths(meter: Meter, work: str, victim: subprocess.Popen[str], expected: int) -> Point:
    """Kill a process in mid-cell, and wait until the client knows what became of the ranks below it."""
    cluster, layout = meter.cluster, meter.cluster.layout
    asked = cluster.client.request("execute_request", _execute("hang"), meter.world)
    before = meter.clocks()
    victim.kill()
    lost = lambda: len(cluster.client.states.where("lost"))  # noqa: E731
    if not cluster.client.wait_until(lambda: lost() == len(asked.account.lost) == expected, 60):
        raise TimeoutError(f"{len(asked.account.lost)} of {expected} ranks are accounted for as lost")
    wall, client, controller = (1e3 * (b - a) for a, b in zip(before[:3], meter.clocks()[:3], strict=True))
    note = f"{len(asked.account.lost)} ranks lost, {len(asked.account.missing)} reasons"
    return Point(meter.name, layout.nodes, layout.size, work, wall, controller, None, client, note=note)


def table(points: list[Point]) -> str:
    """Return the points as Markdown."""
    lines = [
        (
            "| layout | work | wall, ms | controller, ms | one node, ms | client, ms | critical, ms | messages | bytes"
            " | target | note |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for p in points:
        node = "" if p.node is None else f"{p.node:.3g}"
        times = f"{p.wall:.4g} | {p.controller:.3g} | {node} | {p.client:.3g} | {p.critical:.3g}"
        verdict = next((said for target in TARGETS if (said := target.verdict(p))), "")
        lines.append(
            f"| {p.layout} | {p.work} | {times} | {p.messages or ''} | {p.bytes or ''} | {verdict} | {p.note} |"
        )
    return "\n".join(lines)


def growth_curves(points: list[Point]) -> str:
    """Draw what work costs by the number of ranks, flat layouts and deep ones apart."""
    curves = []
    for kind, start in (("128 ranks a node", ""), ("few nodes, ranks on real sockets", "f")):
        for work in dict.fromkeys(point.work for point in points):
            found = [p for p in points if p.work == work and p.layout.rstrip("x0123456789") == start]
            if len(found) > 1:
                curves.append(Curve(kind, work, [(point.ranks, point.controller) for point in found]))
    return drawing(curves, "ranks", "CPU of the controller for one operation, ms")


def main() -> None:
    """Measure, print the table, write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--short", action="store_true", help="a smoke test: small layouts, everything once")
    parser.add_argument("--against", action="store_true", help="1,000 ranks against raw pyzmq and ipyparallel")
    parser.add_argument("--only", nargs="+", metavar="LAYOUT", help="these layouts, as f8x125 or 1000x128")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the growth curves there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    names = args.only or (SHORT if args.short else FULL)
    if args.svg and len(names) < 2:
        parser.error("--svg draws growth: give two layouts of a kind at least")
    points: list[Point] = []
    # Ended by somebody, end what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if args.against:
        with bench.private_directories():
            print(table_of(list(against_peers.figures(short=args.short))))
        return
    with bench.private_directories():
        for name in names:
            for point in run(name, short=args.short):
                points.append(point)
                print(
                    f"  {name} {point.work}: {point.wall:.4g} ms, controller {point.controller:.3g} ms",
                    file=sys.stderr,
                    flush=True,
                )
    print(table(points))
    if args.svg:
        args.svg.write_text(growth_curves(points), encoding="utf-8")
    if args.json:
        args.json.write_text(json.dumps([asdict(point) for point in points], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
