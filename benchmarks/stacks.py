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
    yield _cost_of_looking(0.5 if short else 3.0, 1 if short else 7)


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
    """Measure what a look costs, and the CPU of a step of the rank while it is looked at and while it is not."""
    cluster = Cluster.start(1, script=[str(bench.LOADS / "counting.py")], hold=True)
    try:
        client = cluster.client()
        client.request("px_start_request", {}, client.ranks).wait(30)
        bench.wait_until(lambda: _count(client) is not None, "the rank counts")
        (pid,) = (entry["pid"] for entry in client.ask("px_status_request", {}, 10)["descriptions"])
        turns: dict[bool, list[float]] = {True: [], False: []}
        for turn in range(2 * pairs):
            looks = bool(turn % 2)
            turns[looks].append(_cpu_of_a_step(client, pid, seconds, looks=looks))
        look = _cpu_of_a_look(client, pid)
    finally:
        cluster.stop(0.0)
    share = look / 10
    steps = (statistics.median(turns[True]) / statistics.median(turns[False]) - 1) * 100
    note = f"{look:.2f} ms of CPU a look; a step of the rank takes {steps:+.2f} % CPU"
    name = "a rank that is looked at once a second, CPU"
    return Figure(GROUP, name, "%", share, target="< 0.5 %", met=share < 0.5, note=note)


def _count(client: Client) -> int | None:
    content = {"code": "count", "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    content |= {"stop_on_error": True, "cell": 0, "filename": "<px>", "places": [["peek", str(client.ranks)]]}
    request = client.request("execute_request", content, client.ranks)
    request.wait(10)
    results = (one.data()["data"] for one in request.messages if one.type == "execute_result")
    return next((int(data["text/plain"]) for data in results), None)


def _cpu_of_a_step(client: Client, pid: int, seconds: float, *, looks: bool) -> float:
    """Return the CPU seconds of the main thread for each step; time of others on these cores does not count."""
    before, spent = _count(client) or 0, _cpu_of_main(pid)
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        time.sleep(min(left, 1.0))
        if looks:
            _look(client)
    return (_cpu_of_main(pid) - spent) / ((_count(client) or 0) - before)


def _cpu_of_a_look(client: Client, pid: int, looks: int = 200) -> float:
    """Return the CPU milliseconds that side threads spend on a look, by the kernel's account of threads."""
    before = _cpu_beside_main(pid)
    for _ in range(looks):
        _look(client)
    return (_cpu_beside_main(pid) - before) * 1000 / looks


def _look(client: Client) -> None:
    client.request("px_stacks_request", {"watch": "bench", "full": False}, client.ranks).wait(10)


def _cpu_of_main(pid: int) -> float:
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def _cpu_beside_main(pid: int) -> float:
    threads = [task for task in Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid)]
    return sum(int((task / "schedstat").read_text(encoding="ascii").split()[0]) for task in threads) / 1e9
