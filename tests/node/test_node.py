"""Tests of the node: its engines are simulated in this process, its processes and sockets are real."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pxshell.node import lastlook
from pxshell.node.above import OrderHandler
from pxshell.node.below import EngineHandler
from pxshell.node.node import Node
from pxshell.protocol.message import Message
from pxshell.protocol.pace import BURST_BYTES
from pxshell.protocol.state import Activity, RankState
from pxshell.protocol.types import Role
from pxshell.ranks import RankSet
from pxshell.testing.waiting import wait_until
from pxshell.transport.base import Handler, Peer, make_hello
from pxshell.transport.unix import UnixConnector, UnixServer

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


class Above:
    """The controller's end: keeps what the node sends up."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.changed = asyncio.Event()
        self.is_full = False

    def send(self, message: Message, fds: tuple[int, ...] = ()) -> bool:
        if self.is_full:
            return False
        self.messages.append(message)
        self.changed.set()
        return True

    async def wait(self, kind: str, where: Callable[[Message], bool] = lambda _: True) -> Message:
        async with asyncio.timeout(30):
            while True:
                found = next((m for m in self.messages if m.type == kind and where(m)), None)
                if found is not None:
                    return found
                self.changed.clear()
                await self.changed.wait()


class SimulatedEngine(Handler):
    """An engine's end of the link; replies to every cell."""

    def __init__(self, path: Path, rank: int, **facts: Any) -> None:
        self.received: list[Message] = []
        self.fds: tuple[int, ...] = ()
        self.error: Exception | None = None
        self.left = asyncio.Event()
        self.joined = asyncio.Event()
        fields = {"size": 2, "world": "w", "local_rank": rank, "epoch": 0} | facts
        hello = make_hello(Role.ENGINE, rank=rank, **fields)
        self.rank = rank
        self.link = UnixConnector(asyncio.get_running_loop(), self, hello, path)

    def message_received(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> None:
        self.received.append(message)
        if message.type == "px_output":
            self.fds = fds
            self.joined.set()
        elif message.type == "execute_request":
            self.say("execute_reply", {"status": "ok"}, parent=message.id, origin=message.header.origin)

    def say(self, kind: str, content: dict[str, Any], **fields: Any) -> None:
        self.link.send(Message.make(kind, f"e{self.rank}", content, ranks=RankSet([self.rank]), **fields))

    def peer_left(self, peer: Peer, why: str) -> None:
        self.left.set()

    def link_failed(self, error: Exception) -> None:
        self.error = error
        self.left.set()

    def close(self) -> None:
        self.link.close()
        for fd in self.fds:
            os.close(fd)


class Machine:
    """A node with its directory."""

    def __init__(self, directory: Path, commands: list[dict[str, Any]], launcher: str = "local") -> None:
        (directory / "logs").mkdir()
        launch = {"name": "c", "launcher": launcher, "size": 2, "commands": commands}
        (directory / "launch.json").write_text(json.dumps(launch))
        loop = asyncio.get_running_loop()
        self.path = directory / "node.sock"
        self.node = Node(loop, directory)
        self.above = Above()
        self.node.controller = self.above  # type: ignore[assignment]
        self.node.server = UnixServer(loop, EngineHandler(self.node), self.path)
        self.orders = OrderHandler(self.node, lambda why: None)
        self.engines: list[SimulatedEngine] = []
        self.controller = Peer("c", None, make_hello(None), os.getpid(), "controller")
        self._serial = 0

    async def engine(self, rank: int, **facts: Any) -> SimulatedEngine:
        engine = SimulatedEngine(self.path, rank, **facts)
        self.engines.append(engine)
        async with asyncio.timeout(30):
            await engine.joined.wait()
        return engine

    def order(self, kind: str, content: dict[str, Any], ranks: list[int]) -> Message:
        self._serial += 1
        message = Message.make(kind, f"r{self._serial}", content, ranks=RankSet(ranks), origin="client")
        self.orders.message_received(self.controller, message)
        return message

    async def close(self) -> None:
        for engine in self.engines:
            engine.close()
        for process in list(self.node.launch.processes):
            process.send_signal(signal.SIGKILL)
        async with asyncio.timeout(30):
            while self.node.launch.processes:
                await asyncio.sleep(0.001)
        self.node.server.close()
        for record in self.node.engines:
            if record.watch is not None:
                record.watch.close()
            if record.output is not None:
                record.output.close()
            record.log.close()


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no last look end by the clock: a busy machine needs longer for what comes before."""
    monkeypatch.setattr(lastlook, "_PATIENCE", 100.0)
    monkeypatch.setattr(lastlook, "_LAUNCHER_PATIENCE", 100.0)


@pytest.fixture
def on_machine(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., None]:
    directory = Path(os.environ["PXSHELL_RUNTIME_DIR"]) / "n"
    directory.mkdir(parents=True)

    def run(test: Callable[[Machine], Awaitable[None]], commands: Any = (), launcher: str = "local") -> None:
        async def main() -> None:
            machine = Machine(directory, list(commands), launcher)
            try:
                await test(machine)
            finally:
                await machine.close()

        asyncio.run(main())

    return run


def test_equal_replies_of_two_engines_go_up_as_one_message(on_machine: Callable[..., None]) -> None:
    """P4: a node folds what its ranks say."""

    async def check(machine: Machine) -> None:
        await machine.engine(0)
        await machine.engine(1)
        machine.order("execute_request", {"code": "1"}, [0, 1])
        replies = [await machine.above.wait("execute_reply")]
        assert [m.type for m in machine.above.messages].count("execute_reply") in (1, 2)
        assert replies[0].parent == "r1"

    on_machine(check)


def test_a_rank_is_announced_before_anything_that_it_says(on_machine: Callable[..., None]) -> None:
    """P1: those that come in the same moment are announced together, and the controller never hears of strangers."""

    async def check(machine: Machine) -> None:
        await asyncio.gather(machine.engine(0), machine.engine(1))
        for rank in (0, 1):
            await machine.above.wait("px_place", lambda message, rank=rank: rank in message.ranks)
        announced = RankSet()
        for message in machine.above.messages:
            if message.type == "px_ranks":
                assert announced.isdisjoint(message.ranks)
                announced |= message.ranks
            assert message.ranks <= announced
        assert announced == RankSet([0, 1])

    on_machine(check)


def test_an_engine_gets_pipes_when_pxshell_started_it(on_machine: Callable[..., None]) -> None:
    """Output of started ranks is read by the node, and text goes up as lines of its rank."""

    async def check(machine: Machine) -> None:
        engine = await machine.engine(1)
        assert len(engine.fds) == 2
        os.write(engine.fds[0], b"hello\n")
        stream = await machine.above.wait("stream")
        assert (stream.ranks, stream.data()) == (RankSet([1]), {"name": "stdout", "text": "hello\n"})
        assert (machine.node.directory / "logs" / "rank-1.log").read_text() == "hello\n"

    on_machine(check)


def test_an_engine_keeps_its_descriptors_when_somebody_else_started_it(on_machine: Callable[..., None]) -> None:
    """Ranks that pxshell did not start write to their own stdout."""

    async def check(machine: Machine) -> None:
        engine = await machine.engine(0)
        assert engine.fds == ()

    on_machine(check, launcher="none")


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"size": 1}, "2 ranks were asked for, but this process sees a world of 1"),
        ({"world": "other"}, "world other is not this cluster's"),
    ],
)
def test_an_engine_that_does_not_belong_is_refused_with_the_reason(
    on_machine: Callable[..., None], facts: dict[str, Any], why: str
) -> None:
    """P10: N singletons and processes of another world are refused by name."""

    async def check(machine: Machine) -> None:
        await machine.engine(0)
        stranger = SimulatedEngine(machine.path, 1, **facts)
        machine.engines.append(stranger)
        async with asyncio.timeout(30):
            await stranger.left.wait()
        assert why in str(stranger.error)

    on_machine(check)


def test_a_request_for_a_rank_that_is_not_connected_is_answered(on_machine: Callable[..., None]) -> None:
    """P3: everyone accounted for."""

    async def check(machine: Machine) -> None:
        await machine.engine(0)
        machine.order("execute_request", {"code": "1"}, [0, 1])
        missing = await machine.above.wait("px_missing")
        assert (missing.ranks, missing.parent, missing.header.origin) == (RankSet([1]), "r1", "client")

    on_machine(check)


def test_a_process_that_ends_before_its_rank_is_there_is_said_with_its_last_line(
    on_machine: Callable[..., None],
) -> None:
    """P3, P10: a start that fails says who and why."""

    async def check(machine: Machine) -> None:
        machine.node.start()
        notice = await machine.above.wait("px_notice")
        assert "ended (exit 3) before ranks 0 were there: no such thing" in notice.data()["text"]

    script = "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"
    on_machine(check, [{"argv": [sys.executable, "-c", script], "ranks": "0"}])


def test_a_program_that_is_not_there_is_said(on_machine: Callable[..., None]) -> None:
    """P10: what, why."""

    async def check(machine: Machine) -> None:
        machine.node.start()
        notice = await machine.above.wait("px_notice")
        assert notice.data() == {
            "text": "cannot start /nowhere/mpiexec: No such file or directory",
            "level": "error",
        }

    on_machine(check, [{"argv": ["/nowhere/mpiexec"], "ranks": "0-1"}])


def test_stop_ends_what_was_started_and_then_the_node(on_machine: Callable[..., None]) -> None:
    """Stopping leaves no process behind."""

    async def check(machine: Machine) -> None:
        machine.node.start()
        (process,) = machine.node.launch.processes
        machine.order("px_stop_request", {"grace": 0.0}, [])
        async with asyncio.timeout(30):
            await machine.node.finished
        assert process.returncode == -signal.SIGTERM

    on_machine(check, [{"argv": SLEEPER, "ranks": "0"}])


def test_restart_starts_the_same_commands_with_the_next_epoch(on_machine: Callable[..., None]) -> None:
    """P8: restarted ranks keep their numbers; older processes are known by their epoch."""

    async def check(machine: Machine) -> None:
        machine.node.start()
        before = machine.node.launch.processes[0].pid
        machine.order("px_restart_request", {}, [0, 1])
        async with asyncio.timeout(30):
            while not machine.node.launch.processes or machine.node.launch.processes[0].pid == before:
                await asyncio.sleep(0.001)
        assert machine.node.launch.epoch == 1

    on_machine(check, [{"argv": SLEEPER, "ranks": "0"}])


def test_a_state_goes_up_on_both_lanes_at_once_and_in_order(on_machine: Callable[..., None]) -> None:
    """Decision 3: px_state on control, px_place on work."""

    async def check(machine: Machine) -> None:
        engine = await machine.engine(0)
        engine.say("px_state", RankState(Activity.IDLE).to_content())
        await machine.above.wait("px_state", lambda m: m.data()["activity"] == "idle")
        record = machine.node.engines.of(0)
        assert record is not None
        assert record.state.activity is Activity.IDLE

    on_machine(check)


def test_an_engine_that_has_said_its_last_word_is_not_lost(on_machine: Callable[..., None]) -> None:
    """P3: its process may take its time; one that leaves without a word is lost, and is the later of the two here."""

    async def check(machine: Machine) -> None:
        ended, silent = await machine.engine(0), await machine.engine(1)
        ended.say("px_state", RankState(Activity.ENDED, exit=0).to_content())
        await machine.above.wait("px_state", lambda m: m.data()["activity"] == "ended")
        for engine in (ended, silent):
            engine.link.close()
        await machine.above.wait("px_state", lambda m: m.data()["liveness"] == "lost" and 1 in m.ranks)
        states = [message for message in machine.above.messages if message.type == "px_state"]
        assert not any(message.data()["liveness"] == "lost" and 0 in message.ranks for message in states)

    on_machine(check, launcher="none")


def test_a_rank_that_prints_more_than_is_looked_at_is_logged_and_not_carried(on_machine: Callable[..., None]) -> None:
    """P2, P7: the log has all of it, the view has the beginning and one notice that counts the rest."""

    async def check(machine: Machine) -> None:
        engine = await machine.engine(0)
        machine.order("px_attendance", {"clients": 1, "paces": {"": 1.0}}, [0])
        text = b"a line of text\n" * (3 * BURST_BYTES // 15)
        writer = asyncio.to_thread(_write_all, engine.fds[0], text)
        await writer
        log = machine.node.directory / "logs" / "rank-0.log"
        async with asyncio.timeout(30):
            while log.stat().st_size < len(text):
                await asyncio.sleep(0.001)
        machine.node.up.flush()
        engine.say("execute_reply", {"status": "ok"}, parent="run")
        await machine.above.wait("execute_reply")
        work = [m for m in machine.above.messages if m.type in ("stream", "px_cut", "execute_reply")]
        assert [m.type for m in work[-2:]] == ["px_cut", "execute_reply"]
        shown = "".join(m.data()["text"] for m in work[:-2])
        cut = work[-2].data()
        assert (cut["bytes"] + len(shown), cut["lines"] + shown.count("\n")) == (len(text), text.count(b"\n"))
        assert len(shown) < 2 * BURST_BYTES

    on_machine(check)


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def test_a_rank_that_falls_silent_in_its_cell_is_busy(on_machine: Callable[..., None]) -> None:
    """P6: one that holds the GIL since its cell began cannot say so itself; the node answers for it."""

    async def check(machine: Machine) -> None:
        engine = await machine.engine(0)
        engine.say("px_state", RankState(Activity.IDLE).to_content())
        await machine.above.wait("px_state", lambda m: m.data()["activity"] == "idle")
        record = machine.node.engines.of(0)
        assert record is not None
        assert record.peer is not None
        handler = EngineHandler(machine.node)
        machine.order("px_push_request", {}, [0])
        handler.peer_silent(record.peer, True)
        silent = await machine.above.wait("px_state", lambda m: m.data()["liveness"] == "unresponsive")
        assert (silent.data()["activity"], silent.data()["cell"]) == ("busy", "r1")
        handler.peer_silent(record.peer, False)
        assert record.state == RankState(Activity.IDLE)
        handler.peer_silent(record.peer, False)

    on_machine(check)


def test_a_link_to_a_slow_controller_cuts_text_with_notice(on_machine: Callable[..., None]) -> None:
    """P2, P7: no link blocks a rank's output; the log has all of it."""

    async def check(machine: Machine) -> None:
        engine = await machine.engine(0)
        machine.above.is_full = True
        os.write(engine.fds[0], b"lost to the view\n")
        log = machine.node.directory / "logs" / "rank-0.log"
        async with asyncio.timeout(30):
            while not log.read_text():
                await asyncio.sleep(0.001)
        machine.node.up.flush()
        machine.above.is_full = False
        from pxshell.protocol.types import Lane

        machine.orders.lane_drained(machine.controller, Lane.WORK)
        cut = await machine.above.wait("px_cut")
        assert cut.data()["lines"] == 1
        assert cut.data()["file"] == str(log)

    on_machine(check)


def stacks_reply(engine: SimulatedEngine, question: Message, line: int) -> None:
    entries = [["/home/me/sim.py", line, "step", True]]
    end = ["MPI", "Allreduce", "", True, "", False, -1]
    engine.say("px_stacks_reply", {"status": "ok", "entries": entries, "end": end}, parent=question.id)


WORLD = [{"argv": SLEEPER, "ranks": "0-1", "ends_together": True}]


def dies(machine: Machine, rank: int) -> None:
    """Let the process of a rank be dead; in these tests it is this process."""
    record = machine.node.engines.of(rank)
    assert record is not None
    assert record.watch is not None
    record.watch._fire()


def test_the_peers_of_the_first_to_die_say_where_they_are_before_their_world_ends(
    on_machine: Callable[..., None],
) -> None:
    """P3, P8: which rank did it, and where the others were, is in their states and logs."""

    async def check(machine: Machine) -> None:
        machine.node.start()
        _, peer = await machine.engine(0), await machine.engine(1)
        ended: list[int] = []
        survivor = machine.node.engines.of(1)
        assert survivor is not None
        assert survivor.watch is not None
        survivor.watch.send_signal = lambda number, _pid: ended.append(number)  # type: ignore[method-assign]
        dies(machine, 0)
        async with asyncio.timeout(30):
            while not (asked := [m for m in peer.received if m.type == "px_stacks_request"]):
                await asyncio.sleep(0.001)
        stacks_reply(peer, asked[0], 87)
        async with asyncio.timeout(30):
            while not ended:
                await asyncio.sleep(0.001)
        assert ended == [signal.SIGKILL]
        assert not any(m.type == "px_stacks_reply" for m in machine.above.messages), "nobody above has asked"
        dies(machine, 1)
        last = await machine.above.wait("px_state", lambda m: m.data()["reason"] == "world")
        told = {name: last.data()[name] for name in ("why", "file", "line", "function")}
        place = {"file": "/home/me/sim.py", "line": 87, "function": "step"}
        assert told == {"why": "ended with rank 0, in MPI Allreduce", **place}
        log = (machine.node.directory / "logs" / "rank-1.log").read_text()
        assert log.endswith('File "/home/me/sim.py", line 87, in step\n  in MPI Allreduce\n')

    on_machine(check, WORLD)


def stands(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("end", ["peers gone", "stop", "end of the node"])
def test_a_launcher_that_is_held_for_a_last_look_goes_on_whatever_comes_first(
    on_machine: Callable[..., None], end: str
) -> None:
    """P3, P7: nothing is left standing: not when no peer is there that could answer, nor when the node ends."""

    async def check(machine: Machine) -> None:
        machine.node.start()
        await machine.engine(0)
        await machine.engine(1)
        (launcher,) = machine.node.launch.processes
        for record in machine.node.engines:  # their process is this one
            assert record.watch is not None
            record.watch.send_signal = lambda _number, _pid: None  # type: ignore[method-assign]
        dies(machine, 0)
        await asyncio.to_thread(wait_until, lambda: stands(launcher.pid), 30, "the launcher stands")
        if end == "peers gone":
            dies(machine, 1)
        elif end == "stop":
            machine.node.launch.send_signal(0)
        else:
            machine.node.launch.close()
        await asyncio.to_thread(wait_until, lambda: not stands(launcher.pid), 30, "the launcher goes on")

    on_machine(check, WORLD)


def test_a_rank_that_says_goodbye_takes_nobody_along(on_machine: Callable[..., None]) -> None:
    """It has ended as a program ends; its peers go on."""

    async def check(machine: Machine) -> None:
        machine.node.start()
        first, peer = await machine.engine(0), await machine.engine(1)
        first.say("px_state", RankState(Activity.ENDED, exit=0).to_content())
        await machine.above.wait("px_state", lambda m: m.data()["activity"] == "ended")
        dies(machine, 0)
        await machine.above.wait("px_state", lambda m: m.data()["liveness"] == "dead")
        assert not machine.node.last_look.has_happened
        assert not any(m.type == "px_stacks_request" for m in peer.received)

    on_machine(check, WORLD)


@pytest.mark.parametrize(
    ("status", "said", "exit_status"),
    [
        (11, "EXIT STRING: Segmentation fault (signal 11)", -signal.SIGSEGV),
        (7, "BAD TERMINATION", 7),
        (255, "", None),
        (0, "", None),
    ],
)
def test_how_the_first_rank_died_is_what_its_launcher_says_if_nobody_else_can(
    on_machine: Callable[..., None], status: int, said: str, exit_status: int | None
) -> None:
    """P3: mpiexec may reap a rank before the node has looked at what is left of it."""

    async def check(machine: Machine) -> None:
        machine.node.start()
        await machine.engine(0)
        dies(machine, 0)
        await machine.above.wait("px_state", lambda m: m.data()["liveness"] == "dead")
        machine.node.last_look.launcher_ended(status, said)
        record = machine.node.engines.of(0)
        assert record is not None
        assert record.state.exit == exit_status

    on_machine(check, WORLD)
