"""Stacks of all ranks: shown at 4 and 16 MPI ranks that hang, folded in a node, and what being looked at costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import bench
from at_ranks import NoDisplay
from figures import Figure

from pxshell.client import Client
from pxshell.cluster import Cluster
from pxshell.protocol.fold import Folder
from pxshell.protocol.message import Message
from pxshell.protocol.stacks import Frame, StackEnd
from pxshell.protocol.stacktree import reply_of
from pxshell.ranks import RankSet
from pxshell.session import Session

__all__ = ["figures"]

GROUP = "stacks of all ranks"
HANG = bench.HERE.parent / "examples" / "mpi_sim" / "hang.py"
SIMULATED = 128


def figures(*, short: bool) -> Iterator[Figure]:
    """Measure."""
    for ranks in (4,) if short else (4, 16):
        yield from _shown(ranks, 2 if short else 11)
    yield from _folded(2 if short else 21)
    yield _cost_of_looking(0.5 if short else 10.0, 1 if short else 3)


def _shown(ranks: int, repeats: int) -> Iterator[Figure]:
    """Time `%pxdebug stacks` on ranks that hang in MPI, from the command to the tree."""
    cluster = Cluster.start(ranks, launcher="mpi", script=[str(HANG)], hold=True)
    try:
        client = cluster.client()
        client.request("px_start_request", {}, client.ranks).wait(30)
        with Session(client, NoDisplay()) as session:
            bench.wait_until(lambda: _hangs(session), f"{ranks} ranks hang")
            walls = []
            for _ in range(repeats):
                begin = time.perf_counter()
                session.stacks()
                walls.append((time.perf_counter() - begin) * 1000)
    finally:
        cluster.stop(0.0)
    middle = statistics.median(walls)
    note = f"worst of {repeats}: {max(walls):.0f} ms; the ranks spin in MPI"
    name = f"`stacks` shown at {ranks} ranks that hang"
    yield Figure(GROUP, name, "ms", middle, target="<= 300 ms", met=middle <= 300, note=note)


def _hangs(session: Session) -> bool:
    return all(stack.end.call for stack in session.stacks().stacks())


def _folded(repeats: int) -> Iterator[Figure]:
    """Measure the CPU in which a node merges the replies of its ranks."""
    for name, is_different in (("equal stacks", False), ("different stacks", True)):
        replies = [_reply(rank, is_different=is_different) for rank in range(SIMULATED)]
        everyone = RankSet.span(0, SIMULATED)
        times = []
        for _ in range(repeats):
            begin = time.process_time()
            folder = Folder()
            for reply in replies:
                folder.add(Message.from_frames(reply))
            merged = folder.take_complete(lambda _, ranks=everyone: ranks)
            times.append((time.process_time() - begin) * 1000)
            assert [message.ranks for message in merged] == [everyone]
        middle = statistics.median(times)
        label = f"{SIMULATED} {name} of one node merged, CPU"
        size = f"{sum(message.size for message in merged) / 1000:.1f} kB go on"
        yield Figure(GROUP, label, "ms", middle, target="<= 100 ms", met=middle <= 100, note=size)


def _reply(rank: int, *, is_different: bool) -> list[bytes]:
    frames = [Frame(f"/home/me/project/src/sim/module{n}.py", 10 * n, f"Class.method{n}") for n in range(10)]
    frames.append(Frame("/home/me/project/src/sim/leaf.py", rank if is_different else 1, "leaf"))
    content = reply_of(frames, StackEnd("MPI", "Recv", f"from {rank if is_different else 1}"))
    message = Message.make("px_stacks_reply", f"e{rank}", content, ranks=RankSet.of(rank), parent="q")
    return [bytes(frame) for frame in message.to_frames()]


def _cost_of_looking(seconds: float, pairs: int) -> Figure:
    """Compare a rank's steps a second while it is looked at once a second, and while it is not, in turns."""
    cluster = Cluster.start(1, script=[str(bench.LOADS / "counting.py")], hold=True)
    try:
        client = cluster.client()
        client.request("px_start_request", {}, client.ranks).wait(30)
        bench.wait_until(lambda: _count(client) is not None, "the rank counts")
        losses = []
        for _ in range(pairs):
            alone = _speed(client, seconds, looks=False)
            looked_at = _speed(client, seconds, looks=True)
            losses.append((1 - looked_at / alone) * 100)
        answer = _cpu_of_a_look(client)
    finally:
        cluster.stop(0.0)
    share = answer / 10
    note = (
        f"{answer:.2f} ms of CPU a look; steps a second {statistics.median(losses):+.1f} %, worst {max(losses):+.1f} %"
    )
    name = "a rank that is looked at once a second, CPU"
    return Figure(GROUP, name, "%", share, target="< 0.5 %", met=share < 0.5, note=note)


def _count(client: Client) -> int | None:
    request = client.request("px_peek_request", {"code": "count"}, client.ranks)
    request.wait(10)
    return next((int(content["text"]) for _, content in request.replies() if content.get("status") == "ok"), None)


def _speed(client: Client, seconds: float, *, looks: bool) -> float:
    before, begin = _count(client) or 0, time.perf_counter()
    look = begin
    while (left := begin + seconds - time.perf_counter()) > 0:
        time.sleep(min(left, 1.0))
        if looks and time.perf_counter() - look >= 1.0:
            look = time.perf_counter()
            client.request("px_stacks_request", {"watch": "bench", "full": False}, client.ranks).wait(10)
    return ((_count(client) or 0) - before) / (time.perf_counter() - begin)


def _cpu_of_a_look(client: Client, looks: int = 200) -> float:
    """Return the CPU milliseconds that side threads spend on a look, by the rank's own account of its threads."""
    (pid,) = (entry["pid"] for entry in client.ask("px_status_request", {}, 10)["descriptions"])
    before = _cpu_beside_main(pid)
    for _ in range(looks):
        client.request("px_stacks_request", {"watch": "bench", "full": False}, client.ranks).wait(10)
    return (_cpu_beside_main(pid) - before) * 1000 / looks


def _cpu_beside_main(pid: int) -> float:
    threads = [task for task in Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid)]
    return sum(int((task / "schedstat").read_text(encoding="ascii").split()[0]) for task in threads) / 1e9
