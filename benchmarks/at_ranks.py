"""Commands on a simulation that runs on 4 MPI ranks, through a session without a face."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator

import bench
from figures import Figure

from pxshell.client import Client
from pxshell.cluster import Cluster
from pxshell.errors import PxshellError
from pxshell.render.events import Event, Progress
from pxshell.session import Session

__all__ = ["figures"]

GROUP = "at 4 MPI ranks"
RANKS = 4


class NoDisplay:
    """Shows nothing."""

    def show(self, event: Event) -> None:
        """Drop it."""

    def progress(self, progress: Progress | None) -> None:
        """Drop it."""

    def ask(self, prompt: str, *, password: bool = False) -> str:
        """Answer nothing."""
        raise EOFError


def figures(*, short: bool) -> Iterator[Figure]:
    """Measure."""
    repeats = 2 if short else 21
    cluster = Cluster.start(RANKS, launcher="mpi", script=[str(bench.LOADS / "stepping.py")], hold=True)
    try:
        client = cluster.client()
        client.request("px_start_request", {}, client.ranks).wait(10)
        with Session(client, NoDisplay()) as session:
            session.pause(sync="step", deadline=30)
            session.resume()
            yield from _pauses(session, repeats)
            yield from _steps(session, repeats)
            yield from _completions(session, repeats)
        yield from _attaching(cluster, repeats)
    finally:
        cluster.stop(0.0)


def _pauses(session: Session, repeats: int) -> Iterator[Figure]:
    times: dict[str, list[float]] = {"pause": [], "resume": [], "pause --sync": []}
    cells, failed = [], []
    for _ in range(repeats):
        times["pause"].append(_timed(lambda: session.pause(session.world)))
        times["resume"].append(_timed(session.resume))
        time.sleep(0.05)
        try:
            times["pause --sync"].append(_timed(lambda: session.pause(sync="step")))
        except PxshellError as error:
            failed.append(str(error))
            continue
        cells.append(_timed(lambda: session.run_cell("step", session.world)))
        session.resume()
        time.sleep(0.05)
    for name, walls in times.items():
        if walls:
            yield _figure(f"`{name}`", walls)
    if failed:
        yield Figure(
            GROUP,
            "`pause --sync` that failed",
            f"of {repeats}",
            float(len(failed)),
            target="0",
            met=False,
            note=failed[0],
        )
    # The first cell imports IPython on the ranks.
    if len(cells) > 1:
        yield _figure("first cell in a paused frame", cells[:1])
        yield _figure("later cells in a paused frame", cells[1:])


def _steps(session: Session, repeats: int) -> Iterator[Figure]:
    session.pause(sync="step", deadline=30)
    session.debugger.step("next")  # which fetches the source
    walls = [_timed(lambda: session.debugger.step("next")) for _ in range(repeats)]
    yield _figure("`%pxdebug next`, over a collective call too", walls, 50)
    walls = [_timed(session.debugger.where) for _ in range(repeats)]
    yield _figure("`%pxdebug where`", walls)
    session.resume()


def _completions(session: Session, repeats: int) -> Iterator[Figure]:
    walls = [_timed(lambda: session.complete("np.arr", 6)) for _ in range(repeats)]
    yield _figure("completion, ranks busy", walls, 100)
    session.pause(session.world)
    session.complete("np.arr", 6, timeout=5.0)
    walls = [_timed(lambda: session.complete("np.arr", 6)) for _ in range(repeats)]
    yield _figure("completion, ranks paused", walls, 100)
    session.resume()


def _attaching(cluster: Cluster, repeats: int) -> Iterator[Figure]:
    walls = []
    for _ in range(repeats):
        begin = time.perf_counter()
        with Client(cluster.name) as client, Session(client, NoDisplay()):
            walls.append((time.perf_counter() - begin) * 1000)
    yield _figure("attach to the job, client and session", walls)
    command = [*bench.PXSHELL, "attach", cluster.name, "-c", "%px --peek step"]
    shown = [_timed(lambda: _run(command)) for _ in range(max(1, repeats // 4))]
    yield _figure("attach to the job, `pxshell attach -c '%px --peek step'` as a command", shown)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)


def _timed(do: Callable[[], object]) -> float:
    begin = time.perf_counter()
    do()
    return (time.perf_counter() - begin) * 1000


def _figure(name: str, walls: list[float], target: float | None = None) -> Figure:
    middle = statistics.median(walls)
    met = None if target is None else middle <= target
    note = f"worst of {len(walls)}: {max(walls):.1f} ms" if len(walls) > 1 else "once"
    return Figure(GROUP, name, "ms", middle, target=f"<= {target:g} ms" if target else "", met=met, note=note)
