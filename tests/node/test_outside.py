"""Ranks that do not say where they stand are read from outside by their node."""

import asyncio
import os
import subprocess
import sys

import msgspec
import psutil
import pytest

from pxshell.errors import UsageError
from pxshell.node import spying
from pxshell.node.foreign import ranks_below, ranks_of, read_tree
from pxshell.node.outside import OutsideStacks
from pxshell.node.spying import SpyError, read_stack
from pxshell.protocol.message import Message
from pxshell.protocol.pending import PendingReplies
from pxshell.protocol.stacks import Frame, StackEnd
from pxshell.protocol.state import Liveness, RankState
from pxshell.ranks import RankSet
from pxshell.testing.waiting import wait_until

DEADLINE = 30.0


class Record:
    """An engine as the node knows it."""

    def __init__(self, rank, liveness=Liveness.OK):
        self.rank, self.pid, self.watch = rank, 1000 + rank, object()
        self.state = RankState(liveness=liveness)


class Engines(dict):
    """The engines of a node."""

    def of(self, rank):
        return self.get(rank)

    def __iter__(self):
        return iter(self.values())


class FakeNode:
    """A node of four ranks, as far as it is asked here; what it answers is kept."""

    def __init__(self, loop, silent=()):
        self.loop = loop
        self.engines = Engines({rank: Record(rank) for rank in range(4)})
        for rank in silent:
            self.engines[rank].state = RankState(liveness=Liveness.UNRESPONSIVE)
        self.pending = PendingReplies()
        self.pending.alive = RankSet.span(0, 4)
        self.answers = []

    def answer(self, request, kind, content, ranks):
        self.answers.append((str(ranks), kind, content))
        self.pending.answered(Message.make(kind, "n", content, ranks=ranks, parent=request.id))


def test_a_rank_that_answers_while_others_are_read_is_not_read(monkeypatch):
    """P7: thousands of late ranks of a busy machine are not read one after the other when they have answered."""
    monkeypatch.setattr("pxshell.node.outside._AT_ONCE", 1)
    read = []

    async def main():
        node = FakeNode(asyncio.get_running_loop())
        request = Message.make("px_stacks_request", "q", {}, ranks=RankSet.span(0, 4))
        node.pending.begin(request, request.ranks)

        def slowly(pid, full):
            read.append(pid)
            for rank in range(1, 4):
                node.pending.answered(Message.make("px_stacks_reply", "e", {}, ranks=RankSet.of(rank), parent="q"))
            return {"status": "ok"}

        outside = OutsideStacks(node, slowly, 0.0)
        outside.asked(request)
        async with asyncio.timeout(DEADLINE):
            while not node.answers or outside._reading:
                await asyncio.sleep(0)
        return node.answers

    assert [who for who, _, _ in asyncio.run(main())] == ["0"]
    assert read == [1000]


def asked_on(silent=(), answering=(), read=None, patience=0.0, **content):
    """Ask four ranks, of whom some answer; return what the node answers for the others."""

    async def main():
        node = FakeNode(asyncio.get_running_loop(), silent)
        outside = OutsideStacks(node, read or (lambda pid, full: {"status": "ok", "pid": pid, "full": full}), patience)
        request = Message.make("px_stacks_request", "q", content, ranks=RankSet.span(0, 4))
        node.pending.begin(request, request.ranks)
        outside.asked(request)
        for rank in answering:
            node.pending.answered(Message.make("px_stacks_reply", "e", {}, ranks=RankSet.of(rank), parent="q"))
        async with asyncio.timeout(DEADLINE):
            while len(node.answers) < (4 - len(answering) if read is None and not content.get("brief") else 0):
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        return node, outside

    return asyncio.run(main())


def test_who_does_not_answer_in_time_is_read_from_outside():
    """P6: the node answers for a rank whose GIL is held."""
    node, _ = asked_on(answering=(0, 2), full=True)
    assert sorted(node.answers) == [
        (str(rank), "px_stacks_reply", {"status": "ok", "pid": 1000 + rank, "full": True}) for rank in (1, 3)
    ]


def test_who_is_known_to_be_silent_is_read_at_once():
    node, _ = asked_on(silent=(3,), answering=(0, 1, 2), patience=1000.0)
    assert [ranks for ranks, _, _ in node.answers] == ["3"]


def test_who_only_asks_whether_ranks_move_is_not_answered_from_outside():
    """A look each second would read a stopped process each second."""
    node, _ = asked_on(silent=(3,), brief=True)
    assert node.answers == []


def test_an_answer_that_comes_after_the_nodes_is_dropped():
    """P3: a rank is accounted for once."""
    node, outside = asked_on(answering=(0, 1, 2))
    late, other = ({"ranks": RankSet.of(rank), "parent": "q"} for rank in (3, 3))
    assert outside.is_late(Message.make("px_stacks_reply", "e", {}, **late))
    assert not outside.is_late(Message.make("px_probe_reply", "e", {}, **other))
    request = Message.make("px_stacks_request", "r", {}, ranks=RankSet.of(1))
    node.pending.begin(request, request.ranks)
    assert not outside.is_late(Message.make("px_stacks_reply", "e", {}, ranks=RankSet.of(1), parent="r"))


# py-spy's answers.


def spy_frame(name, filename, line=0, **values):
    return {
        "name": name,
        "filename": filename,
        "line": line,
        "locals": [{"name": key, "repr": value} for key, value in values.items()],
    }


def spied(monkeypatch, frames, *, pid=None, owns_gil=False, full=False):
    """Return what is read of a process when py-spy tells these frames, the innermost first."""
    pid = pid or os.getpid()
    threads = [
        {"frames": [], "os_thread_id": 1, "thread_name": "other"},
        {"frames": frames, "os_thread_id": pid, "owns_gil": owns_gil},
    ]
    monkeypatch.setattr(spying, "_dumped", lambda *_: msgspec.json.encode(threads))
    return read_stack(pid, full=full)


MPI_SO = "/x/site-packages/mpi4py/MPI.mpich.cpython-311-x86_64-linux-gnu.so"


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "sim.py"
    path.write_text(
        "def fetch(comm, source):\n    comm.Recv(values, source, tag(5))\n    comm.send(x, a); comm.send(x, b)\n"
    )
    return str(path)


def test_a_call_of_mpi4py_is_read_with_the_rank_it_waits_for(monkeypatch, program):
    natives = [spy_frame("sched_yield", "libc.so.6"), spy_frame("PMPI_Recv_c", "libmpi.so.12")]
    caller = spy_frame("fetch", program, 2, source="3", values="<numpy.ndarray at 0x1>")
    read = spied(monkeypatch, [*natives, spy_frame("Recv", MPI_SO), caller])
    assert read.frames == (Frame(program, 2, "fetch"),)
    assert read.end == StackEnd("MPI", "Recv", "from 3", is_outside=True)
    unknown = spied(monkeypatch, [spy_frame("Recv", MPI_SO), spy_frame("fetch", program, 2)])
    assert unknown.end.text == "in MPI Recv from source (read from outside)"
    two_on_a_line = spied(monkeypatch, [spy_frame("send", MPI_SO), spy_frame("fetch", program, 3, a="1", b="2")])
    assert two_on_a_line.end.text == "in MPI send (read from outside)"
    no_source = spied(monkeypatch, [spy_frame("Recv", MPI_SO), spy_frame("fetch", "/nowhere.py", 3)])
    assert no_source.end.text == "in MPI Recv (read from outside)"


def test_mpi_that_another_library_calls_is_read_too(monkeypatch, program):
    """PETSc, HDF5: their Python is not mpi4py's."""
    natives = [spy_frame("0x7f", "libmpi.so.12"), spy_frame("PMPI_Allreduce", "libmpi.so.12")]
    read = spied(monkeypatch, [*natives, spy_frame("KSPSolve", "libpetsc.so.3"), spy_frame("solve", program, 2)])
    assert read.end.text == "in MPI Allreduce (read from outside)"


def test_a_call_of_torch_is_read_by_its_frame(monkeypatch, program):
    torch = "/x/site-packages/torch/distributed/distributed_c10d.py"
    inner = [spy_frame("wait", torch, 90), spy_frame("broadcast", torch, 70, src="2"), spy_frame("wrapper", torch, 50)]
    read = spied(monkeypatch, [*inner, spy_frame("fetch", program, 2)])
    assert read.end.text == "in torch.distributed broadcast root 2 (read from outside)"
    assert [frame.function for frame in read.frames] == ["fetch", "wrapper"]
    assert len(spied(monkeypatch, [*inner, spy_frame("fetch", program, 2)], full=True).frames) == 4


def test_who_holds_the_gil_is_read_with_the_c_function_that_was_called(monkeypatch, program):
    natives = [
        spy_frame("clock_nanosleep", "/lib/libc.so.6"),
        spy_frame("usleep", "/lib/libc.so.6"),
        spy_frame("ffi_call", "/lib/libffi.so.8.1.2"),
        spy_frame("PyCFuncPtr_call", "/tmp/Python-3.11.7/Modules/_ctypes/_ctypes.c", 4201),
    ]
    user = spy_frame("hold", program, 2)
    assert spied(monkeypatch, [*natives, user], owns_gil=True).end.note == "holds the GIL, in usleep"
    assert spied(monkeypatch, [spy_frame("0x1", "x.so"), user], owns_gil=True).end.note == "holds the GIL"
    assert spied(monkeypatch, [*natives, user]).end.note == ""
    call = spied(monkeypatch, [spy_frame("allreduce", MPI_SO), user], owns_gil=True)
    assert call.end.text == "in MPI allreduce; holds the GIL (read from outside)"


def test_pxshells_own_frames_on_top_are_left_out(monkeypatch, program):
    own = spy_frame("serve", spying.__file__, 3)
    read = spied(monkeypatch, [own, spy_frame("fetch", program, 2), own])
    assert [frame.function for frame in read.frames] == ["fetch"]


# py-spy itself, and its refusals.


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("Error: Failed to open process: Permission Denied (os error 13)", "the system does not let py-spy read it"),
        ("Error: EPERM: Operation not permitted", "the system does not let py-spy read it"),
        ("Error: Failed to find python version from target process", "no Python that py-spy knows runs in it"),
        (
            "Error: Failed to x\n\nCaused by:\n    0: It is odd\n\nStack backtrace:\n  0: a",
            "py-spy: Failed to x: It is odd",
        ),
        ("", "py-spy failed without a word"),
    ],
)
def test_a_refusal_is_one_line(monkeypatch, told, why):
    """P10: what happened, why, and where to look."""
    failed = subprocess.CompletedProcess([], 1, b"", told.encode())
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(SpyError) as refused:
        read_stack(os.getpid())
    assert str(refused.value).startswith(why)
    assert "\n" not in str(refused.value)


def test_without_py_spy_the_line_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpyError, match="py-spy, which reads from outside, is not installed: pip install py-spy"):
        read_stack(os.getpid())


def test_what_py_spy_says_must_be_readable(monkeypatch):
    monkeypatch.setattr(spying, "_dumped", lambda *_: b"[1]")
    with pytest.raises(SpyError, match="what cannot be read"):
        read_stack(os.getpid())
    monkeypatch.setattr(spying, "_dumped", lambda *_: b"[]")
    with pytest.raises(SpyError, match="no Python thread"):
        read_stack(os.getpid())


HOLDS = """
import ctypes, os, sys
def hold(library):
    library.sleep(1000)
print("ready", flush=True)
if sys.argv[1] == "stop":
    os.kill(os.getpid(), 19)
hold(ctypes.PyDLL(None))
"""


@pytest.fixture
def holder(tmp_path, monkeypatch):
    """Return a function that starts a process which holds the GIL, or has stopped itself."""
    monkeypatch.setattr(spying, "_LIMIT_S", DEADLINE)  # a busy machine
    path = tmp_path / "holds.py"
    path.write_text(HOLDS)
    started = []

    def start(how, **environ):
        process = subprocess.Popen(
            [sys.executable, str(path), how], stdout=subprocess.PIPE, env={**os.environ, **environ}
        )
        started.append(process)
        process.stdout.readline()
        return process.pid

    yield start
    for process in started:
        process.kill()
        process.communicate()


def readable(pid, is_there):
    """Wait until a process has come to where it stays; skip the test where no process may be read."""
    seen = []

    def look():
        try:
            seen.append(read_stack(pid))
        except SpyError as error:  # on its way there, say, it may be stopped while it is read
            if "does not let" in str(error) or "not installed" in str(error):
                pytest.skip(str(error))
            seen.append(error)
            return None
        return seen[-1] if is_there(seen[-1]) else None

    return wait_until(look, DEADLINE, lambda: f"it is there; seen last: {seen[-1]!r}")


def test_a_process_that_holds_the_gil_is_read(holder):
    """P6: no Python can run in it, ours neither."""
    read = readable(holder("hold"), lambda read: "hold" in {frame.function for frame in read.frames})
    assert [frame.function for frame in read.frames] == ["<module>", "hold"]
    assert read.end.note.startswith("holds the GIL")


def test_a_stopped_process_is_read_and_stays_stopped(holder):
    """P5: looking does not make it go on."""
    pid = holder("stop")
    read = readable(pid, lambda read: read.end.note == "stopped by a signal")
    assert [frame.function for frame in read.frames] == ["<module>"]
    assert psutil.Process(pid).status() == psutil.STATUS_STOPPED


def test_a_process_that_is_stopped_between_a_look_and_the_reading_is_read(holder, monkeypatch):
    """P6: py-spy, which cannot stop it once more, failed."""
    pid = holder("stop")
    readable(pid, lambda read: read.end.note == "stopped by a signal")
    looks, is_stopped = [], spying._is_stopped

    def look(pid):
        looks.append(pid)
        return len(looks) > 1 and is_stopped(pid)

    monkeypatch.setattr(spying, "_is_stopped", look)
    assert read_stack(pid).end.note == "stopped by a signal"
    assert len(looks) == 2


def test_a_job_that_never_loaded_pxshell_is_read_by_its_ranks(holder):
    """Ranks are known by their launcher's variables; who has none is counted."""
    pids = [holder("stop", PMI_RANK=str(rank), PMI_SIZE="3") for rank in (2, 0)]
    for pid in pids:
        readable(pid, lambda read: read.end.note == "stopped by a signal")
    assert ranks_of(pids) == {2: pids[0], 0: pids[1]}
    found, size = ranks_below(os.getpid())
    assert ({rank: found[rank] for rank in (0, 2)}, size) == ({2: pids[0], 0: pids[1]}, 3)
    stranger = holder("stop")
    assert ranks_of([stranger, *pids]) == {0: stranger, 1: pids[0], 2: pids[1]}
    tree = wait_until(
        lambda: (tree := read_tree(ranks_of(pids) | {5: 2**22 + 1})) and len(tree.ranks) == 2 and tree, DEADLINE, "read"
    )
    (stack,) = tree.stacks()
    assert (str(stack.ranks), stack.end.text) == ("0,2", "stopped by a signal")
    assert tree.failed == ((RankSet.of(5), f"there is no process {2**22 + 1}"),)


def test_processes_that_are_not_there_are_refused_by_name():
    """P10."""
    gone = 2**22 + 1
    for ask in (lambda: ranks_of([gone]), lambda: ranks_below(gone)):
        with pytest.raises(UsageError, match=f"there is no process {gone}"):
            ask()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with pytest.raises(UsageError, match="has started no ranks on this machine"):
            ranks_below(child.pid)
    finally:
        child.communicate(b"\n")
