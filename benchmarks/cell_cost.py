"""What a cell costs: CPU and wake-ups of every thread of every process, for one `%px 1+1`, shown.

Usage: python benchmarks/cell_cost.py [RANKS [CELLS]]. Linux only: it reads /proc. Cells run in batches of ten; what is
shown is the quarter of the batches that were cheapest, for on a busy machine others empty the caches meanwhile.
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

RANKS = int(sys.argv[1]) if len(sys.argv) > 1 else 4
CELLS = int(sys.argv[2]) if len(sys.argv) > 2 else 300
WARM_UP = 30
BATCH = 10


@dataclass(frozen=True, slots=True)
class Spent:
    """What one thread has used."""

    cpu_s: float = 0.0
    wakes: int = 0


def spent(task: Path) -> Spent:
    """Read what a thread has used so far."""
    cpu = int((task / "schedstat").read_text().split()[0]) / 1e9
    lines = (task / "status").read_text().splitlines()
    (wakes,) = (int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))
    return Spent(cpu, wakes)


def threads(pids: list[int]) -> dict[tuple[int, int, str], Spent]:
    """Read what all threads of these processes have used; the key is pid, number of the thread, name."""
    found = {}
    for pid in pids:
        for number, task in enumerate(sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda task: int(task.name))):
            found[pid, number, (task / "comm").read_text().strip()] = spent(task)
    return found


def kinds(directory: Path, ranks: list[int]) -> dict[int, str]:
    """Return what each process is: this one, controller, node, ranks."""
    found = {os.getpid(): "front end"} | dict.fromkeys(ranks, "rank")
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (path / "cmdline").read_text().split("\0") if path.name.isdecimal() else []
            if str(directory) in words:
                found.update((int(path.name), kind) for kind in ("controller", "node") if f"pxshell.{kind}" in words)
    return found


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="pxb-", dir="/tmp") as home:
        os.environ |= {"PXSHELL_DIR": home, "PXSHELL_RUNTIME_DIR": home}
        from IPython.core.interactiveshell import InteractiveShell

        shell = InteractiveShell.instance()
        with contextlib.redirect_stdout(io.StringIO()):
            shell.run_line_magic("load_ext", "pxshell")
            shell.run_line_magic("pxcluster", f"start -n {RANKS}")
        try:
            report(shell)
        finally:
            with contextlib.redirect_stdout(io.StringIO()):
                shell.run_line_magic("pxcluster", "stop")


def report(shell: object) -> None:
    """Run cells and print the table."""
    from pxshell.client import Client

    with Client() as client:
        directory = Path(client.connection.directory)
        pids = kinds(directory, [one["pid"] for one in client.ask("px_status_request", {})["descriptions"]])
    run_cells(shell, WARM_UP)
    times: list[float] = []
    batches = sorted((batch(shell, pids, times) for _ in range(max(CELLS // BATCH, 4))), key=cpu_of)
    rows: dict[tuple[str, int, str], list[Spent]] = defaultdict(list)
    cheapest = batches[: len(batches) // 4]
    for pid, number, name in cheapest[0]:
        several = [one.get((pid, number, name), Spent()) for one in cheapest]
        cells = BATCH * len(cheapest)
        mean = Spent(sum(one.cpu_s for one in several) / cells, sum(one.wakes for one in several) / cells)
        rows[pids[pid], number, name].append(mean)
    median, least = statistics.median(times) * 1e3, min(times) * 1e3
    print(f"n={RANKS}, {len(times)} cells, median {median:.2f} ms, least {least:.2f} ms")
    print(f"{'process, thread':34} {'CPU, µs':>9} {'wake-ups':>9}")
    for (kind, number, name), several in sorted(rows.items()):
        cpu, wakes = (sum(one.cpu_s for one in several) * 1e6, sum(one.wakes for one in several))
        if cpu >= 0.5 or wakes >= 0.01:
            share = f"   each {cpu / len(several):7.1f} {wakes / len(several):6.2f}" if kind == "rank" else ""
            print(f"{kind:10} {number:2} {name:20} {cpu:9.1f} {wakes:9.2f}{share}")
    every = [one for several in rows.values() for one in several]
    print(f"{'all':34} {sum(one.cpu_s for one in every) * 1e6:9.1f} {sum(one.wakes for one in every):9.2f}")


def batch(shell: object, pids: dict[int, str], times: list[float]) -> dict[tuple[int, int, str], Spent]:
    """Run some cells; return what each thread has used for them."""
    # This process last, then first: reading costs it CPU.
    before = threads(list(reversed(pids)))
    times.extend(run_cells(shell, BATCH))
    after = threads(list(pids))
    used = {}
    for key, now in after.items():
        then = before.get(key, Spent())
        used[key] = Spent(now.cpu_s - then.cpu_s, now.wakes - then.wakes)
    return used


def cpu_of(used: dict[tuple[int, int, str], Spent]) -> float:
    """Return the CPU seconds of all threads."""
    return sum(one.cpu_s for one in used.values())


def run_cells(shell: object, count: int) -> list[float]:
    """Run so many cells, one after the other; return seconds of each."""
    times = []
    for _ in range(count):
        shown = io.StringIO()
        begin = time.perf_counter()
        with contextlib.redirect_stdout(shown):
            shell.run_line_magic("px", "1+1")  # type: ignore[attr-defined]
        times.append(time.perf_counter() - begin)
        assert "2" in shown.getvalue(), shown.getvalue()
    return times


if __name__ == "__main__":
    main()
