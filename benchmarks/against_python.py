"""Against plain Python and mpiexec: memory, start, the speed of loops, idle ranks, join()."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bench
from figures import Figure

from pxshell.client import Client
from pxshell.cluster import Cluster

__all__ = ["figures"]

GROUP = "against plain Python"
RANKS = 4


def figures(*, short: bool) -> Iterator[Figure]:
    """Measure."""
    yield from memory_figures(repeats=1 if short else 3)
    yield from start_figures(repeats=1 if short else 7)
    yield from loop_figures(rounds=1 if short else 40, short=short)
    yield from idle_figures(seconds=0.5 if short else 10.0)
    yield join_figure(repeats=1 if short else 9)


# Memory.


@contextmanager
def plain_world(*words: str | Path) -> Iterator[None]:
    """Plain Python under mpiexec."""
    with bench.process_group(bench.mpiexec(RANKS, *words)):
        yield


@contextmanager
def our_world(*words: str | Path, size: int = RANKS) -> Iterator[Cluster]:
    """The same under `pxshell run`, with a client that has started it."""
    cluster = Cluster.start(size, launcher="mpi", script=[str(word) for word in words], hold=True)
    try:
        cluster.client().request("px_start_request", {}, cluster.client().ranks).wait(10)
        yield cluster
    finally:
        cluster.stop(0.0)


def memory_figures(repeats: int) -> Iterator[Figure]:
    """Compare the memory of a rank that has imported numpy and mpi4py and runs no cell."""
    sizes: dict[str, list[tuple[float, float]]] = {"plain": [], "ours": []}
    around: list[float] = []
    for _ in range(repeats):
        for name, world in (("plain", plain_world), ("ours", our_world)):
            with tempfile.TemporaryDirectory() as at, world(bench.LOADS / "standing.py", at) as cluster:
                pids = bench.ranks_in(Path(at), RANKS)
                time.sleep(0.3)
                sizes[name] += [bench.memory(pid) for pid in pids]
                if isinstance(cluster, Cluster):
                    parents = {pid for pid in _ancestors(pids[0]) if _is_ours(pid)}
                    around.append(sum(bench.memory(pid)[0] for pid in parents))
    for at, kind in enumerate(("PSS", "RSS")):
        plain, ours = (statistics.median(size[at] for size in sizes[name]) for name in ("plain", "ours"))
        over = f"{ours - plain:+.1f} MiB a rank"
        yield Figure(
            GROUP, f"memory of a rank, {kind}", "MiB", ours, "python", plain, "<= +15 MiB", ours - plain <= 15, over
        )
    yield Figure(GROUP, "controller and node, PSS", "MiB", statistics.median(around), note="once for each machine")


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        yield pid


def _is_ours(pid: int) -> bool:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return b"pxshell.node" in words or b"pxshell.controller" in words


# Start.


def start_figures(repeats: int) -> Iterator[Figure]:
    """Compare the time from the command to the script's first line on the last rank."""
    commands = {
        "plain": bench.mpiexec(RANKS),
        "engine": bench.mpiexec(RANKS, "-m", "pxshell.engine"),
        "run": [*bench.PXSHELL, "run", "--mpi", "-n", str(RANKS), "--no-shell", "--"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            times[name].append(_first_line(command))
    plain = statistics.median(times["plain"])
    for name, title in (("run", "`pxshell run --mpi -n 4`"), ("engine", "`mpiexec -n 4 python -m pxshell.engine`")):
        yield Figure(
            GROUP, f"{title} to the script's first line", "ms", statistics.median(times[name]), "mpiexec python", plain
        )


def _first_line(command: list[str]) -> float:
    with tempfile.TemporaryDirectory() as at:
        begin = time.time()
        argv = [*command, str(bench.LOADS / "first_line.py"), at]
        # Its exit status is no matter of speed: ranks that have not come to the first line are missed below.
        subprocess.run(argv, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        ends = [float(Path(at, str(pid)).read_text(encoding="ascii")) for pid in bench.ranks_in(Path(at), RANKS)]
    return (max(ends) - begin) * 1000


# Loops.

LOOPS = {
    "numpy": ("numpy loop", 1000),
    "python": ("pure-Python loop", 1_200_000),
    "allreduce": ("Allreduce loop", 3000),
}
WORLD = 2
#: Three worlds of plain Python: how they differ is the noise, since two processes of the same program never run alike.
PLAIN = ("plain", "plain-2", "plain-3")
ORDER = ("plain", "waiting", "plain-2", "unattached", "plain-3", "attached")


class Turns:
    """Worlds of two ranks side by side, which compute in turn."""

    def __init__(self, stack: ExitStack) -> None:
        self._at = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "turns"
        self._server = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        self._server.bind(str(self._at))
        self._server.listen(64)
        self._server.settimeout(60)
        self._ranks: dict[str, dict[int, socket.socket]] = {}
        self._stack = stack

    def words(self, variant: str) -> tuple[str | Path, ...]:
        """Return the command line of a world."""
        return bench.LOADS / "turns.py", str(self._at), variant

    @property
    def variants(self) -> set[str]:
        """The worlds that stand ready."""
        return set(self._ranks)

    def welcome(self) -> None:
        """Wait for the ranks of one world."""
        for _ in range(WORLD):
            rank = self._stack.enter_context(self._server.accept()[0])
            rank.settimeout(60)
            variant, number = rank.recv(100).decode().split()
            self._ranks.setdefault(variant, {})[int(number)] = rank

    def turn(self, variant: str, loop: str, count: int) -> tuple[float, float]:
        """Let a world (an Allreduce loop) or its first rank compute; return its wall and CPU seconds."""
        ranks = [rank for number, rank in self._ranks[variant].items() if loop == "allreduce" or number == 0]
        for rank in ranks:
            rank.sendall(f"{loop} {count}\n".encode())
        said = [rank.recv(100).split() for rank in ranks]
        return max(float(words[0]) for words in said), sum(float(words[1]) for words in said)


def loop_figures(rounds: int, *, short: bool) -> Iterator[Figure]:
    """Compare loops under plain Python, started by mpiexec with the engine, under run, and under run attached to."""
    with ExitStack() as stack:
        turns = Turns(stack)
        for variant in ("plain",) if short else (*PLAIN, "waiting"):
            module = ["-m", "pxshell.engine"] if variant == "waiting" else []
            stack.enter_context(bench.process_group(bench.mpiexec(WORLD, *module, *turns.words(variant))))
            turns.welcome()
        for variant in ("attached",) if short else ("unattached", "attached"):
            cluster = stack.enter_context(our_world(*turns.words(variant), size=WORLD))
            turns.welcome()
            if variant == "unattached":
                cluster.disconnect()
        for loop in LOOPS:
            yield from _compared(turns, loop, rounds, LOOPS[loop][1] // (20 if short else 1))


def _compared(turns: Turns, loop: str, rounds: int, count: int) -> Iterator[Figure]:
    title = LOOPS[loop][0]
    variants = [name for name in ORDER if name in turns.variants]
    for variant in variants:
        turns.turn(variant, loop, count // 10)
    times: dict[str, list[tuple[float, float]]] = {variant: [] for variant in variants}
    for number in range(rounds):
        # In turn forwards and backwards, so that no variant always follows the same one.
        for variant in variants[:: 1 if number % 2 else -1]:
            times[variant].append(turns.turn(variant, loop, count))
    # The lower half of the turns: what others do on the machine makes turns longer, never shorter.
    low = {variant: _low([wall for wall, _ in times[variant]]) for variant in variants}
    cpu = {variant: _low([seconds for _, seconds in times[variant]]) for variant in variants}
    plains = [low[name] for name in PLAIN if name in low]
    plain = statistics.mean(plains)
    plain_cpu = statistics.mean(cpu[name] for name in PLAIN if name in cpu)
    noise = (max(plains) - min(plains)) / plain * 100
    for variant, where in (
        ("waiting", "mpiexec … -m pxshell.engine"),
        ("unattached", "run, unattached"),
        ("attached", "run, attached"),
    ):
        if variant not in low:
            continue
        slower = (low[variant] / plain - 1) * 100
        more = (cpu[variant] / plain_cpu - 1) * 100
        note = f"{slower:+.1f} % (CPU {more:+.1f} %), noise {noise:.1f} %"
        # Less than the noise is neither met nor missed.
        met = True if slower < 1 else None if slower < 1 + noise else False
        yield Figure(GROUP, f"{title}, {where}", "ms", low[variant] * 1000, "python", plain * 1000, "< +1 %", met, note)


def _low(values: list[float]) -> float:
    return statistics.median(sorted(values)[: max(1, len(values) // 2)])


# Idle ranks, and join().


def idle_figures(seconds: float) -> Iterator[Figure]:
    """Look at ranks that have nothing to do."""
    cluster = Cluster.start(RANKS, launcher="mpi")
    try:
        client = cluster.client()
        pids = _pids_of(client)
        yield from _idle(pids, seconds, "before the first cell")
        client[:].execute("x = 1", block=True)
        time.sleep(min(1.0, seconds))
        yield from _idle(pids, seconds, "after a cell")
    finally:
        cluster.stop(0.0)


def _pids_of(client: Client) -> list[int]:
    reply = client.ask("px_status_request", {})
    return [int(one["pid"]) for one in reply["descriptions"]]


def _idle(pids: list[int], seconds: float, when: str) -> Iterator[Figure]:
    before = [bench.busy(pid) for pid in pids]
    begin = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begin
    after = [bench.busy(pid) for pid in pids]
    pairs = list(zip(before, after, strict=True))
    share = max((last[0] - first[0]) / took * 100 for first, last in pairs)
    wakes = max((last[1] - first[1]) / took for first, last in pairs)
    yield Figure(GROUP, f"idle rank {when}, CPU", "%", share, target="<= 1 %", met=share <= 1)
    yield Figure(GROUP, f"idle rank {when}, wake-ups", "/s", wakes, target="<= 2/s", met=wakes <= 2)


def join_figure(repeats: int) -> Figure:
    """Measure `import pxshell; pxshell.join()` in a fresh process."""
    run: Callable[[], bytes] = lambda: subprocess.check_output(  # noqa: E731 - short
        [bench.PYTHON, str(bench.LOADS / "joining.py")], timeout=60, env=dict(os.environ)
    )
    took = statistics.median(float(run()) for _ in range(repeats))
    return Figure(GROUP, "`import pxshell; pxshell.join()`", "ms", took, target="<= 50 ms", met=took <= 50)
