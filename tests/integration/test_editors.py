"""Editors on the ranks of a real MPI simulation: looked into, changed, let go; no port, no stranger."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import attack
import pytest
from dap_client import TcpDapClient

from pxshell import Client, Cluster
from pxshell.errors import PermissionDeniedError, UsageError
from pxshell.ranks import RankSet
from pxshell.rendezvous import connection
from pxshell.session import Session
from pxshell.session.editors import AttachOptions
from pxshell.testing.waiting import wait_until

SIM = Path(__file__).parents[2] / "examples" / "mpi_sim" / "sim.py"
STEPS, SIZE = "300", "32"
#: `mass = total_mass(...)` in the loop of `main`.
LINE = next(n for n, line in enumerate(SIM.read_text().splitlines(), 1) if line.startswith("        mass = "))
#: Seconds in which the other side must have noticed an end, with room for a loaded machine.
NOTICED_S = 60

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(110)]


class Silent:
    """A display that keeps what was shown."""

    def __init__(self):
        self.events = []

    def show(self, event):
        self.events.append(event)

    def progress(self, progress):
        pass

    def ask(self, prompt, *, password=False):
        raise EOFError

    def text(self):
        return "".join(str(getattr(event, "text", "")) + "\n" for event in self.events)


class Run:
    """A simulation that runs, and a session on it."""

    def __init__(self, cluster, session, display):
        self.cluster, self.session, self.display = cluster, session, display
        self.client = session.client
        self.said = []
        self.client.subscribe(lambda m: self.said.append(m.data()["text"]) if m.type == "stream" else None)
        assert self.client.request("px_start_request", {}, self.client.ranks).wait(30)
        assert self.client.wait_until(lambda: len(self.client.states.where("busy")) == 4, 30)

    def editor(self, rank=2):
        (port,) = self.session.attach_editor(RankSet.of(rank)).values()
        return TcpDapClient(port)

    def wait_activity(self, rank, *activities):
        """Wait until a rank does one of these."""
        states = self.client.wait_until(lambda: self.client.states.of(rank).activity in activities, NOTICED_S)
        assert states, (self.client.states.of(rank), self.display.text())

    def checksum(self):
        """Wait for the end and return the checksum."""
        wait_until(lambda: "checksum" in "".join(self.said), 60, "the simulation has ended")
        return re.search("checksum ([0-9a-f]{8})", "".join(self.said))[1]


@pytest.fixture(scope="module")
def undisturbed(_module_is_clean):
    """The checksum of a run that nobody looked at."""
    mpiexec = Path(sys.prefix, "bin", "mpiexec")
    line = [mpiexec, "-n", "4", sys.executable, SIM, "--steps", STEPS, "--size", SIZE]
    done = subprocess.run(line, capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL)
    return re.search("checksum ([0-9a-f]{8})", done.stdout)[1]


@contextmanager
def running(steps):
    script = [str(SIM), "--steps", steps, "--size", SIZE, "--every", "20"]
    with Cluster.start(4, launcher="mpi", script=script, hold=True) as cluster:
        client = cluster.client()
        display = Silent()
        with Session(client, display) as session:
            client.ask("px_attend_request", {"stay": False})
            yield Run(cluster, session, display)


@pytest.fixture
def run():
    """A simulation of its own, which ends."""
    with running(STEPS) as run:
        yield run


@pytest.fixture(scope="module")
def endless(_module_is_clean):
    """One that tests share, each of which leaves it running."""
    with running("100000000") as run:
        yield run


@pytest.fixture
def shared(endless):
    """Give that one, and close its ports afterwards."""
    yield endless
    with suppress(UsageError):
        endless.session.detach_editor()


shares_cluster = pytest.mark.shared_directories


def test_one_rank_of_four_is_looked_into_changed_and_let_go(run, undisturbed):
    """P5, P9: breakpoint with a condition, stack, values, steps; no port on the rank's side; the checksum is right."""
    pids = attack.pids(run.client)

    def ports_of(rank):
        # MPI listens itself, on the same number of ports in each rank.
        return len(attack.tcp_listeners(pids[rank]))

    with run.editor() as editor:
        editor.attach([{"line": LINE, "condition": "step % 40 == 0"}], str(SIM))
        stopped = editor.event("stopped", reason="breakpoint")
        assert ports_of(2) == ports_of(1) == ports_of(0)
        top = editor.top(stopped)
        assert (top["name"], top["line"], top["source"]["path"]) == ("main", LINE, str(SIM))
        step = int(editor.value("step", top))
        assert (step % 40, editor.value("(rank, comm.size)", top)) == (0, "(2, 4)")
        # The next line assigns it anew on all ranks.
        reference = editor.variables(top)[""]
        changed = editor.request("setVariable", variablesReference=reference, name="mass", value="1.5")
        assert changed["value"] == "1.5"
        run.wait_activity(2, "debugging")
        outcome = run.session.run_cell("mass, step", RankSet.of(2))
        assert outcome.answers.answers[0].text == f"(1.5, {step})"
        now = editor.now
        editor.request("next", threadId=stopped["threadId"])
        top = editor.top(editor.event("stopped", since=now, reason="step"))
        assert top["line"] > LINE
        assert float(editor.value("mass", top)) > 4000
        # While they stand: the program may be over when the editor has gone.
        assert ports_of(2) == ports_of(1) == ports_of(0)
        editor.request("continue", threadId=stopped["threadId"])
        editor.request("disconnect")
        editor.wait_over()
    run.wait_activity(2, "busy", "idle", "ended")
    assert run.checksum() == undisturbed


def stop_at_breakpoint(run, editor, rank=2):
    editor.attach([{"line": LINE}], str(SIM))
    editor.event("stopped", reason="breakpoint")
    run.wait_activity(rank, "debugging")


def test_all_ranks_are_debugged_as_one_program(run, undisturbed):
    """P4, P5: one port, each rank a thread; a breakpoint of all, values of each, lockstep; the checksum is right."""
    ports = run.session.attach_editor(run.client.ranks, AttachOptions(together=True, lockstep=True))
    assert len(ports) == 4
    assert len(set(ports.values())) == 1
    with TcpDapClient(ports[0]) as editor:
        editor.attach([{"line": LINE, "condition": "step % 40 == 0"}], str(SIM))
        stopped = editor.event("stopped")
        assert "at sim.py:" in stopped["text"]

        def paused():
            threads = {one["name"]: one["id"] for one in editor.request("threads")["threads"]}
            assert set(threads) == {f"rank {r} · {w}" for r in range(4) for w in ("paused", "running")} & set(threads)
            return threads if sum("paused" in name for name in threads) == 4 else None

        wait_until(paused, 60, "all four stand")
        steps = set()
        for rank in range(4):
            (frame,) = editor.request("stackTrace", threadId=paused()[f"rank {rank} · paused"], levels=1)["stackFrames"]
            assert editor.value("rank", frame) == str(rank)
            steps.add(editor.value("step", frame))
        assert len(steps) == 1
        editor.request("continue", threadId=stopped["threadId"])
        editor.request("disconnect")
        editor.wait_over()
    assert run.checksum() == undisturbed


NODE_DAP = Path(__file__).parents[1] / "node_dap"


@pytest.mark.skipif(
    shutil.which("node") is None or not (NODE_DAP / "node_modules").exists(),
    reason="needs Node and its packages: make tools",
)
def test_a_client_of_others_does_the_same(run, undisturbed):
    """P5: `@vscode/debugadapter-testsupport`, which Microsoft tests debug adapters with."""
    (port,) = run.session.attach_editor(RankSet.of(2)).values()
    command = ["node", str(NODE_DAP / "attach.js"), str(port), str(SIM), str(LINE), "step % 40 == 0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "verified": True,
        "reason": "breakpoint",
        "name": "main",
        "line": LINE,
        "path": str(SIM),
        "where": "(2, 0, 4)",
        "changed": "1.5",
        "stepped": True,
    }
    assert run.checksum() == undisturbed


def is_held(run, rank):
    """Pause a rank; let it go on if it was still on its way to where it waits."""
    run.session.pause(RankSet.of(rank))
    run.wait_activity(rank, "held", "paused")
    if str(run.client.states.of(rank).activity) == "held":
        return True
    run.session.resume(RankSet.of(rank))
    return False


@shares_cluster
def test_a_rank_that_is_held_in_mpi_shows_its_stack_and_stops_when_it_comes_out(shared):
    """P6: it waits in C for a rank that stands; the editor sees where, and cells look from the side."""
    session, client = shared.session, shared.client
    wait_until(lambda: "step 20 " in "".join(shared.said), 60, "it is past MPI_Init, which holds the GIL")
    session.pause(RankSet.of(0))
    shared.wait_activity(0, "paused")
    wait_until(lambda: is_held(shared, 2), NOTICED_S, "rank 2 is held where it waits for rank 0")
    with shared.editor() as editor:
        editor.attach()
        (thread,) = editor.request("threads")["threads"]
        frames = editor.request("stackTrace", threadId=thread["id"])["stackFrames"]
        assert frames[-2]["name"] == "main"
        assert {frame["source"]["path"] for frame in frames} == {str(SIM)}
        outcome = session.run_cell("rank", RankSet.of(2))
        assert outcome.answers.answers[0].text == "2"
        session.resume(RankSet.of(0))
        assert editor.event("stopped")["threadId"] == thread["id"]
        shared.wait_activity(2, "debugging")
        session.resume(RankSet.of(2))
        shared.wait_activity(2, "debugging")
    assert client.wait_until(lambda: len(client.states.where("busy")) == 4, NOTICED_S)


@shares_cluster
def test_a_synchronised_pause_outlasts_the_editor_of_one_of_its_ranks(shared):
    """P5, P6: all ranks stand at one step, and none of them goes on because an editor leaves."""
    with shared.editor() as editor:
        editor.attach()
        shared.wait_activity(2, "debugging")
        outcome = shared.session.pause(shared.client.ranks, sync="step")
        editor.event("stopped")
        editor.request("disconnect")
        editor.wait_over()
    shared.wait_activity(2, "paused")
    states = [shared.client.states.of(rank) for rank in range(4)]
    assert {(state.pause, state.line, state.value) for state in states} == {
        (outcome.pause, outcome.stop.line, outcome.stop.value)
    }
    assert shared.session.resume(None) == shared.client.ranks
    for rank in range(4):
        shared.wait_activity(rank, "busy")


@shares_cluster
def test_an_editor_that_is_killed_leaves_the_rank_running(shared):
    """P8: and another one comes through the same port."""
    ports = set()
    for _ in range(2):
        with shared.editor() as editor:
            ports.add(editor.socket.getpeername()[1])
            stop_at_breakpoint(shared, editor)
        shared.wait_activity(2, "busy")
    assert len(ports) == 1
    wait_until(lambda: "2: the editor has gone" in shared.display.text(), NOTICED_S, "it is told")


def test_a_rank_that_is_killed_ends_the_editors_session(run):
    """P3: the editor is told, and not left to wait."""
    with run.editor() as editor:
        stop_at_breakpoint(run, editor)
        os.kill(attack.pids(run.client)[2], signal.SIGKILL)
        editor.event("terminated")
        editor.wait_over()


@shares_cluster
def test_a_front_end_that_is_killed_leaves_the_rank_running(shared):
    """P8: nobody could let it go on otherwise."""
    code = f"""
import sys, time
from pxshell import Client
from pxshell.ranks import RankSet
from pxshell.render import Text
from pxshell.session import Session
from pxshell.session.editors import AttachOptions
class Display:
    def show(self, event): pass
    def progress(self, progress): pass
client = Client({shared.cluster.name!r})
session = Session(client, Display())
print(session.attach_editor(RankSet.of(2))[2], flush=True)
sys.stdin.read()
"""
    with (
        subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as front,
        TcpDapClient(int(front.stdout.readline())) as editor,
    ):
        stop_at_breakpoint(shared, editor)
        front.kill()
        editor.wait_over()
    shared.wait_activity(2, "busy")


@shares_cluster
def test_a_controller_that_stands_still_ends_both_sides(shared):
    """P8: the tunnel is cut in the middle: the editor's session ends, the rank goes on, and can be debugged again."""
    controller = attack.controller_of(shared.cluster.name)
    log = Path(connection.find(shared.cluster.name).directory, "logs", "rank-0.log")
    with shared.editor() as editor:
        stop_at_breakpoint(shared, editor)
        os.kill(controller, signal.SIGSTOP)
        try:
            editor.wait_over()
            # Rank 0 waits in MPI for rank 2, and prints each few steps.
            size = log.stat().st_size
            wait_until(lambda: log.stat().st_size > size + 100, NOTICED_S, "the simulation goes on")
        finally:
            os.kill(controller, signal.SIGCONT)
    shared.wait_activity(2, "busy")
    with shared.editor() as editor:
        stop_at_breakpoint(shared, editor)
    shared.wait_activity(2, "busy")


@shares_cluster
def test_detaching_lets_the_editor_and_the_rank_go(shared):
    """The port is closed."""
    with shared.editor() as editor:
        port = editor.socket.getpeername()[1]
        stop_at_breakpoint(shared, editor)
        assert shared.session.detach_editor() == RankSet.of(2)
        editor.wait_over()
    shared.wait_activity(2, "busy")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_the_tunnel_cut_at_the_controller_ends_both_sides(run):
    """P8: the controller is killed: the editor's session ends, and the rank goes on."""
    with run.editor() as editor:
        stop_at_breakpoint(run, editor)
        os.kill(attack.controller_of(run.cluster.name), signal.SIGKILL)
        editor.wait_over()


@shares_cluster
def test_a_second_connection_is_refused(shared):
    """P9: whoever comes first. The first editor goes on."""
    with shared.editor() as editor:
        editor.attach()
        port = editor.socket.getpeername()[1]
        with TcpDapClient(port) as second:
            second.wait_over()
        assert editor.request("threads")["threads"][0]["name"] == f"rank 2 of {shared.cluster.name}"
    wait_until(lambda: "an editor is connected already" in shared.display.text(), NOTICED_S, "it is told")


@shares_cluster
@pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
def test_another_user_who_connects_first_is_refused(shared):
    """P9: the kernel says whose the connection is."""
    (port,) = shared.session.attach_editor(RankSet.of(2)).values()
    code = f"""
import os, socket
"x".encode("idna")  # loaded while it may be read
os.setuid(65534)
stranger = socket.create_connection(("127.0.0.1", {port}), 30)
stranger.sendall(b"Content-Length: 2" + bytes([13, 10, 13, 10]) + b"{{}}")
print(stranger.recv(1))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert found.stdout == "b''\n" or re.search("ConnectionResetError|BrokenPipeError", found.stderr), found.stderr
    wait_until(lambda: "another user's (uid 65534)" in shared.display.text(), 30, "the refusal")
    with TcpDapClient(port) as editor:
        editor.attach()


@shares_cluster
def test_an_observer_may_not_debug(shared):
    """P9: neither by the front end's word nor by the controller's."""
    with (
        Client(connection.connection_path(shared.cluster.name, "observer")) as observer,
        Session(observer, Silent()) as session,
    ):
        with pytest.raises(PermissionDeniedError):
            session.attach_editor(RankSet.of(2))
        for kind in ("px_debug_prepare_request", "px_debug_open_request", "px_source_request"):
            request = observer.request(kind, {"file": str(SIM)}, RankSet.of(2), key="t1")
            assert request.wait(30)
            assert request.account.missing, kind
    # The editor of the test before may only be about to let it go.
    shared.wait_activity(2, "busy")


@shares_cluster
def test_a_command_is_an_adapter_without_any_port(shared):
    """`pxshell debug CLUSTER RANK`, for editors that start one."""
    from stdio_dap_client import StdioDapClient

    with StdioDapClient([sys.executable, "-m", "pxshell", "debug", shared.cluster.name, "2"]) as editor:
        stop_at_breakpoint(shared, editor)
        assert attack.tcp_listeners(editor.process.pid) == []
        editor.request("disconnect")
        editor.wait_over()
        assert editor.process.wait(30) == 0
    shared.wait_activity(2, "busy")


@shares_cluster
def test_what_a_command_debugs_is_let_go_by_the_prompt_too(shared):
    """P3: `%pxdebug detach 2`; the editor is told by whom, and its command ends."""
    from stdio_dap_client import StdioDapClient

    with StdioDapClient([sys.executable, "-m", "pxshell", "debug", shared.cluster.name, "2"]) as editor:
        stop_at_breakpoint(shared, editor)
        with pytest.raises(UsageError, match=r"2 is debugged by .*: %pxdebug detach 2 ends that"):
            shared.session.detach_editor()
        assert shared.session.detach_editor(RankSet.of(2)) == RankSet.of(2)
        assert "detached by " in editor.event("output", category="important")["output"]
        editor.event("terminated")
        editor.wait_over()
        assert editor.process.wait(30) == 0
    shared.wait_activity(2, "busy")


@shares_cluster
def test_sessions_of_all_ranks_are_detached_at_once(shared):
    """P5: the one that starts them and those that it has started; all ranks stay at the step of their pause."""
    shared.session.pause(shared.client.ranks, sync="step")
    (port,) = set(shared.session.attach_editor(shared.client.ranks, AttachOptions(sessions=True)).values())
    with ExitStack() as stack:
        parent = stack.enter_context(TcpDapClient(port))
        parent.request("initialize", supportsStartDebuggingRequest=True)
        parent.request("attach")
        parent.request("configurationDone")
        children = []
        for rank in range(4):
            asked = wait_until(lambda rank=rank: requests(parent)[rank:], 30, "its session is asked for")[0]
            child = stack.enter_context(TcpDapClient(asked["arguments"]["configuration"]["connect"]["port"]))
            child.attach()
            children.append(child)
        for child in children:
            child.event("stopped")
        assert shared.session.detach_editor() == shared.client.ranks
        for child in [parent, *children]:
            child.wait_over()
    for rank in range(4):
        shared.wait_activity(rank, "paused")
    assert shared.session.resume(None) == shared.client.ranks
    for rank in range(4):
        shared.wait_activity(rank, "busy")


def requests(editor):
    return [one for one in editor.messages if one["type"] == "request"]


@shares_cluster
def test_a_command_debugs_all_ranks_as_one_program(shared):
    """`pxshell debug CLUSTER all --together`."""
    from stdio_dap_client import StdioDapClient

    words = [sys.executable, "-m", "pxshell", "debug", shared.cluster.name, "all", "--together"]
    with StdioDapClient(words) as editor:
        editor.attach([{"line": LINE}], str(SIM))
        editor.event("stopped")
        names = [thread["name"].split(" ·")[0] for thread in editor.request("threads")["threads"]]
        assert names == [f"rank {rank}" for rank in range(4)]
        editor.request("disconnect")
        editor.wait_over()
        assert editor.process.wait(30) == 0
    for rank in range(4):
        shared.wait_activity(rank, "busy")
