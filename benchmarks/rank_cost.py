"""What an engine costs: memory over plain Python, wake-ups while idle, CPU of a cell, and the time of `join()`.

Usage: python benchmarks/rank_cost.py. Linux only: it reads /proc.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from engine.fake_node import EngineProcess, FakeNode

CELLS = 1000
IDLE_S = 4.0
SCRIPT = "import time\nprint('on', flush=True)\ntime.sleep(1000)\n"
JOIN = "import time; t = time.perf_counter(); import pxshell; pxshell.join(); print(time.perf_counter() - t)"


def memory_mb(pid: int) -> tuple[float, float]:
    """Return PSS and RSS in megabytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    fields = {line.split()[0]: line.split()[1] for line in lines[1:]}
    return int(fields["Pss:"]) / 1024, int(fields["Rss:"]) / 1024


def task_field(pid: int, file: str, key: str) -> int:
    """Return the sum over all threads of a number in a file of /proc."""
    texts = [(task / file).read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int(line.split()[-1]) for text in texts for line in text.splitlines() if line.startswith(key))


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of all threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def measure_script(directory: Path) -> None:
    """Compare `python sim.py` with the same under an engine."""
    (directory / "sim.py").write_text(SCRIPT)
    started = time.perf_counter()
    plain = subprocess.Popen([sys.executable, "sim.py"], cwd=directory, stdout=subprocess.PIPE)
    assert plain.stdout is not None
    plain.stdout.readline()
    print(f"python sim.py: first line after {time.perf_counter() - started:.3f} s, {memory_mb(plain.pid)} MB PSS, RSS")
    plain.kill()
    plain.communicate()
    node = FakeNode(directory / "script.sock")
    started = time.perf_counter()
    engine = EngineProcess(node.path, "sim.py", cwd=directory)
    node.wait_text("on")
    print(f"under an engine: first line after {time.perf_counter() - started:.3f} s, {memory_mb(engine.pid)} MB")
    engine.close()
    node.close()


def measure_cells(directory: Path) -> None:
    """Measure a rank without a script: idle, its first cell, and many."""
    node = FakeNode(directory / "repl.sock")
    started = time.perf_counter()
    engine = EngineProcess(node.path, cwd=directory)
    node.wait_state("idle")
    print(f"rank without a script: idle after {time.perf_counter() - started:.3f} s, {memory_mb(engine.pid)} MB")
    before = task_field(engine.pid, "status", "voluntary_ctxt_switches")
    time.sleep(IDLE_S)
    wakes = task_field(engine.pid, "status", "voluntary_ctxt_switches") - before
    print(f"idle: {wakes / IDLE_S:.2f} wake-ups a second")
    started = time.perf_counter()
    node.run("1+1")
    print(f"first cell: {time.perf_counter() - started:.3f} s, then {memory_mb(engine.pid)} MB")
    spent, walls = cpu_s(engine.pid), []
    for _ in range(CELLS):
        started = time.perf_counter()
        node.reply_to(node.cell("1+1"))
        walls.append(time.perf_counter() - started)
        node.forget()
    cpu = (cpu_s(engine.pid) - spent) / CELLS
    print(f"cell 1+1: {1e3 * cpu:.3f} ms of CPU, {1e3 * statistics.median(walls):.3f} ms")
    engine.close()
    node.close()


def measure_join(directory: Path) -> None:
    """Measure `import pxshell; pxshell.join()` in a new process."""
    environment = {**os.environ, "PXSHELL_RUNTIME_DIR": str(directory)}
    runs = [subprocess.check_output([sys.executable, "-c", JOIN], cwd=directory, env=environment) for _ in range(5)]
    print(f"join(): {1e3 * statistics.median(map(float, runs)):.1f} ms")


def main() -> None:
    """Measure all."""
    with tempfile.TemporaryDirectory(prefix="pxb-", dir="/tmp") as name:
        measure_script(Path(name))
        measure_cells(Path(name))
        measure_join(Path(name))


if __name__ == "__main__":
    main()
