"""Tests of ranks that are forked: the warm process is a real one, and what is asked of it is what a node asks."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pxshell.node import warm as warm_module
from pxshell.node.forks import ForkedProcess, ForkServer
from pxshell.node.warm import CAN_FORK, WarmProcess, environment_of, start_warm
from pxshell.ranks import RankSet

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="ranks are forked on Linux only")

#: A warm process without what takes long to load: each rank writes what it sees, and ends with a status, or waits.
STANDIN = """
import os, sys, signal, socket, time
from pathlib import Path
from pxshell.engine import forking
forking.import_what_ranks_need = lambda: None
if forking.fork_ranks(socket.socket(fileno=int(sys.argv[2]))):
    out = Path(os.environ["OUT"])
    left = [fd for fd in range(3, 64) if os.path.exists(f"/proc/self/fd/{fd}")]
    facts = [os.getpid() == os.getsid(0), left, sys.argv[1:], os.environ["COMMON"]]
    out.with_suffix(".new").write_text(repr(facts))
    out.with_suffix(".new").rename(out)
    if "STATUS" in os.environ:
        sys.exit(int(os.environ["STATUS"]))
    time.sleep(600)
"""


class Machine:
    """A node's end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.common = {**os.environ, "COMMON": "same"}
        self.log = os.open(directory / "log", os.O_WRONLY | os.O_CREAT)
        argv = [sys.executable, "-c", STANDIN]
        self.warm = WarmProcess(argv, self.common, str(directory), self.log)
        self.server = self.serve(20.0)
        self.ended: list[ForkedProcess] = []

    def serve(self, answer: float) -> ForkServer:
        return ForkServer(asyncio.get_running_loop(), self.warm, answer)

    def fork(self, rank: int, **own: str) -> ForkedProcess:
        environment = self.common | {"OUT": str(self.directory / f"{rank}")} | own
        return self.server.fork(RankSet.of(rank), "python", environment, self.ended.append)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.002)

    async def facts(self, rank: int) -> object:
        path = self.directory / f"{rank}"
        await self.until(path.exists)
        return eval(path.read_text())

    def close(self) -> None:
        self.server.close()
        os.close(self.log)


@pytest.fixture
def on_machine(tmp_path: Path) -> Callable[..., None]:
    def run(test: Callable[[Machine], Awaitable[None]]) -> None:
        async def main() -> None:
            machine = Machine(tmp_path)
            try:
                await test(machine)
            finally:
                machine.close()

        asyncio.run(main())

    return run


def test_each_rank_has_its_own_session_and_environment_and_none_of_our_descriptors(
    on_machine: Callable[..., None],
) -> None:
    """P9: neither the socket that forks ranks, nor what refers to its peers; and Ctrl-C elsewhere does not reach it."""

    async def check(machine: Machine) -> None:
        ranks = [machine.fork(rank, STATUS="0") for rank in range(3)]
        for rank in range(3):
            assert await machine.facts(rank) == [True, [], [], "same"]
        await machine.until(lambda: len(machine.ended) == 3)
        assert sorted(process.pid for process in ranks) == sorted({process.pid for process in machine.ended})

    on_machine(check)


def test_the_exit_status_of_a_rank_is_known_though_it_is_no_child_of_the_node(on_machine: Callable[..., None]) -> None:
    """P3: with status or signal."""

    async def check(machine: Machine) -> None:
        done, killed = machine.fork(0, STATUS="7"), machine.fork(1)
        await machine.facts(1)
        killed.send_signal(signal.SIGKILL)
        await machine.until(lambda: len(machine.ended) == 2)
        assert (done.returncode, killed.returncode) == (7, -signal.SIGKILL)
        killed.send_signal(signal.SIGTERM)

    on_machine(check)


def test_a_signal_for_a_rank_that_is_on_its_way_reaches_it(on_machine: Callable[..., None]) -> None:
    """A cluster that is stopped while it starts leaves nothing behind."""

    async def check(machine: Machine) -> None:
        process = machine.fork(0)
        process.send_signal(signal.SIGTERM)
        await machine.until(lambda: machine.ended)
        assert process.returncode == -signal.SIGTERM

    on_machine(check)


def test_ranks_outlive_the_process_that_forked_them(on_machine: Callable[..., None]) -> None:
    """P8: its death costs their exit status, and nothing else; what was asked for and did not come is told."""

    async def check(machine: Machine) -> None:
        process = machine.fork(0)
        await machine.facts(0)
        # The rank may be quicker than the word of it.
        await machine.until(lambda: process.pid)
        os.kill(machine.warm._process.pid, signal.SIGSTOP)
        await machine.until(lambda: _is_stopped(machine.warm._process.pid))
        late = machine.fork(1)
        os.kill(machine.warm._process.pid, signal.SIGKILL)
        await machine.until(lambda: machine.ended)
        assert machine.ended == [late]
        assert late.returncode == -signal.SIGKILL
        assert not machine.server.is_there
        process.send_signal(signal.SIGTERM)
        await machine.until(lambda: len(machine.ended) == 2)
        assert process.returncode is None

    on_machine(check)


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def test_a_rank_that_is_asked_of_a_dead_process_is_told_to_be_none(on_machine: Callable[..., None]) -> None:
    """P3: nobody waits for it."""

    async def check(machine: Machine) -> None:
        machine.warm._process.kill()
        machine.warm._process.wait()
        process = machine.fork(0)
        await machine.until(lambda: machine.ended)
        assert machine.ended == [process]

    on_machine(check)


def test_a_warm_process_that_is_stopped_is_ended_after_a_while_and_nobody_waits_for_its_ranks(
    on_machine: Callable[..., None],
) -> None:
    """P3, P7: however many were asked for: what the socket does not hold waits here, and blocks nobody."""

    async def check(machine: Machine) -> None:
        machine.server = machine.serve(0.5)
        machine.warm._process.send_signal(signal.SIGSTOP)
        asked = [machine.fork(rank, LONG="x" * 8000) for rank in range(1000)]
        await machine.until(lambda: len(machine.ended) == len(asked))
        assert machine.ended == asked
        assert {process.returncode for process in asked} == {-signal.SIGKILL}
        assert not machine.server.is_there

    on_machine(check)


def test_requests_that_find_the_socket_full_are_sent_later(on_machine: Callable[..., None]) -> None:
    """P3: none is lost, and each is answered in its turn."""

    async def check(machine: Machine) -> None:
        asked = [machine.fork(rank, LONG="x" * 50000, STATUS="3") for rank in range(40)]
        await machine.until(lambda: len(machine.ended) == len(asked))
        assert {process.returncode for process in asked} == {3}

    on_machine(check)


def test_the_warm_process_ends_with_its_node(on_machine: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """P8: without being told."""
    monkeypatch.setattr(warm_module, "_GRACE_S", 60.0)  # or a busy machine would have it killed

    async def check(machine: Machine) -> None:
        machine.fork(0, STATUS="0")
        await machine.until(lambda: machine.ended)
        asyncio.get_running_loop().remove_reader(machine.warm.socket.fileno())
        assert machine.warm.wait() == 0

    on_machine(check)


def test_only_a_launch_of_bare_engines_has_a_warm_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script sees the interpreter that plain Python would give it."""
    (tmp_path / "logs").mkdir()
    script = {"commands": [{"argv": ["python"], "ranks": "0", "forks": False}]}
    assert start_warm(tmp_path, script) is None
    bare = {"commands": [{"argv": ["python"], "ranks": "0", "forks": True}]}
    monkeypatch.setattr(warm_module, "CAN_FORK", False)
    assert start_warm(tmp_path, bare) is None


def test_the_warm_process_has_the_environment_that_all_ranks_share(tmp_path: Path) -> None:
    """And no rank's number."""
    (tmp_path / "logs").mkdir()
    envs = [{"RANK": str(rank), "WORLD_SIZE": "2", "PATH": None} for rank in range(2)]
    argv = [sys.executable, "-c", "import time; time.sleep(600)"]
    commands = [{"argv": argv, "ranks": str(rank), "forks": True, "env": env} for rank, env in enumerate(envs)]
    warm = start_warm(tmp_path, {"commands": commands, "cwd": str(tmp_path)})
    assert warm is not None
    assert warm.environment["WORLD_SIZE"] == "2"
    assert warm.environment["PXSHELL_NODE"] == str(tmp_path / "node.sock")
    assert not {"RANK", "PATH"} & warm.environment.keys()
    assert warm.kill() == -signal.SIGKILL


def test_none_removes_a_name_from_an_environment() -> None:
    """As launch.json has it."""
    assert environment_of({"A": None, "B": "2"}, {"A": "1", "C": "3"}) == {"B": "2", "C": "3"}


def test_what_is_loaded_before_the_fork_is_no_librarys_state_that_ranks_would_share() -> None:
    """Random numbers of ranks differ, MPI was not begun, no other thread holds a lock; and nothing is left behind."""
    check = """
import sys, threading, atexit
from pxshell.engine.forking import import_what_ranks_need
hooks = (sys.displayhook, sys.excepthook, sys.modules["__main__"])
import linecache
import_what_ranks_need()
assert hooks == (sys.displayhook, sys.excepthook, sys.modules["__main__"])
assert not [name for name in linecache.cache if name.startswith("<ipython")]
from IPython import get_ipython
assert get_ipython() is None
loaded = {"numpy", "mpi4py", "matplotlib", "debugpy", "multiprocessing", "sqlite3"} & set(sys.modules)
print(sorted(loaded), threading.active_count(), "stack_data" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "[] 1 True\n", "")
