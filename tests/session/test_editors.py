"""Editors over a session: real ports and a real DAP client here, simulated debugpys at the other end of the tunnels."""

import json
import os
import socket
import sys

import pytest
from dap_client import DapError, TcpDapClient
from debug.simulated import FILE, SimulatedRank
from ports import free_ports

from pxshell.debug.framing import Framer, encode
from pxshell.debug.peers import user_of_peer
from pxshell.errors import PermissionDeniedError, UsageError
from pxshell.protocol.tunnel import Chunk, Tunnel
from pxshell.ranks import EMPTY, RankSet
from pxshell.rendezvous.connection import connection_path
from pxshell.session import Session
from pxshell.session.editors import AttachOptions
from pxshell.testing.scripted import RecordingDisplay, Said, ScriptedClient, replies
from pxshell.testing.waiting import wait_until

_PREPARED = {"status": "ok", "root": "/", "pid": 4711}


class Debuggers:
    """The other ends of all tunnels of a scripted client."""

    def __init__(self, client) -> None:
        self._client = client
        self.of_key = {}
        self.closed = []
        #: What the ranks answer to an editor that wants to open a tunnel.
        self.answer = {"status": "ok"}
        client.on("px_debug_prepare_request", replies("px_debug_prepare_reply", (None, _PREPARED)))
        client.on("px_debug_open_request", self._open)
        client.on("px_file_request", lambda asked: [Said("px_file_reply", {"status": "ok", "text": "x = 1\n"})])
        client.on_told.append(self._told)

    def _open(self, asked):
        rank = asked.ranks.first
        tunnel = Tunnel()
        debugger = SimulatedRank(rank, lambda message: self._send(asked.key, tunnel.send(encode(message))))
        self.of_key[asked.key] = (debugger, tunnel, Framer())
        return [Said("px_debug_open_reply", self.answer)]

    def of(self, rank):
        return next(debugger for debugger, _, _ in self.of_key.values() if debugger.rank == rank)

    def close(self, rank, why):
        key = next(key for key, (debugger, _, _) in self.of_key.items() if debugger.rank == rank)
        self._client.say(Said("px_debug_close", {"why": why}, RankSet.of(rank), key=key), parent="")

    def lose_bytes(self, rank):
        key = next(key for key, (debugger, _, _) in self.of_key.items() if debugger.rank == rank)
        self._send(key, [Chunk(10**6, 0, b"x")])

    def _told(self, asked):
        if asked.type == "px_debug_close":
            self.closed.append((str(asked.ranks), asked.content["why"]))
        if asked.type != "px_debug_data":
            return
        debugger, tunnel, framer = self.of_key[asked.key]
        data = bytes(asked.buffers[0]) if asked.buffers else b""
        self._send(asked.key, tunnel.receive(Chunk(asked.content["at"], asked.content["taken"], data)))
        self._send(asked.key, tunnel.use(len(data)))
        for message in framer.feed(data):
            debugger.take(message)

    def _send(self, key, chunks):
        for chunk in chunks:
            buffers = (chunk.data,) if chunk.data else ()
            ranks = RankSet.of(self.of_key[key][0].rank)
            said = Said("px_debug_data", chunk.to_content(), ranks, buffers=buffers, key=key)
            self._client.say(said, parent="")


class Stage:
    def __init__(self, size) -> None:
        self.client = ScriptedClient(size)
        self.display = RecordingDisplay()
        self.debuggers = Debuggers(self.client)
        self.session = Session(self.client, self.display)

    def attach(self, ranks="2", **options):
        return self.session.attach_editor(RankSet.parse_folded(ranks), AttachOptions(**options))

    def text(self):
        return "\n".join(getattr(event, "text", "") for event in self.display.events)


@pytest.fixture
def make():
    stages = []

    def make(size=4):
        stages.append(Stage(size))
        return stages[-1]

    yield make
    for stage in stages:
        stage.session.close()


@pytest.fixture
def stage(make):
    return make()


def test_an_editor_debugs_a_rank_through_its_port_and_leaves_it(stage):
    """And comes again, through the same port."""
    (port,) = stage.attach().values()
    for number in (1, 2):
        with TcpDapClient(port) as editor:
            editor.attach([{"line": 88}], FILE)
            assert editor.value("x", editor.top(editor.event("stopped"))) == "x of 2"
            editor.request("disconnect")
            editor.wait_over()
        wait_until(lambda number=number: len(stage.debuggers.closed) == number, 30, "the rank was let go")
    assert stage.debuggers.closed == [("2", "the editor has gone")] * 2
    assert stage.attach() == {2: port}
    assert f"127.0.0.1:{port}" in stage.text()


def test_128_ranks_are_one_session_of_the_editor(make):
    """P4, P7: each a thread; their stops are told as one."""
    stage = make(128)
    ports = stage.attach("0-127", together=True)
    assert len(ports) == 128
    (port,) = set(ports.values())
    with TcpDapClient(port) as editor:
        editor.attach([{"line": 88}], FILE)

        def are_all_told():
            """Tell whether all stops are told: as one, unless time has come between them."""
            bodies = [one["body"] for one in editor.messages if one.get("event") == "stopped"]
            is_one = any(body["allThreadsStopped"] for body in bodies)
            return is_one or len({body["threadId"] for body in bodies}) == 128

        wait_until(are_all_told, 60, "all stops are told")
        threads = {one["name"]: one["id"] for one in editor.request("threads")["threads"]}
        assert sum(name.endswith("paused") for name in threads) == 128
        for rank in (0, 77, 127):
            frame = editor.top({"threadId": threads[f"rank {rank} · paused"]})
            assert editor.value("x", frame) == f"x of {rank}"
        editor.request("disconnect")
        editor.wait_over()
    wait_until(lambda: len(stage.debuggers.closed) == 128, 30, "all were let go")


def test_a_session_for_each_rank_is_started_by_the_editor(stage):
    """`startDebugging`, with ports of their own."""
    (port,) = set(stage.attach("0,2", sessions=True).values())
    with TcpDapClient(port) as editor:
        editor.request("initialize", supportsStartDebuggingRequest=True)
        editor.request("attach")
        editor.event("initialized")
        editor.request("configurationDone")

        def children():
            return [one["arguments"]["configuration"] for one in editor.messages if one["type"] == "request"]

        wait_until(lambda: len(children()) == 2, 30, "both are asked for")
        for child, rank in zip(children(), (0, 2), strict=True):
            with TcpDapClient(child["connect"]["port"]) as other:
                other.attach([{"line": 88}], FILE)
                assert other.value("x", other.top(other.event("stopped"))) == f"x of {rank}"


def test_long_answers_pass_whole(stage):
    """P7: more than the window, and more than the editor takes at once."""
    (port,) = stage.attach().values()
    with TcpDapClient(port) as editor:
        editor.attach()
        stage.debuggers.of(2)._evaluate = lambda _: {"result": "y" * 3_000_000, "variablesReference": 0}
        assert len(editor.value("x", {"id": 1})) == 3_000_000
        assert len(editor.value("x" * 1_000_000, {"id": 1})) == 3_000_000


def test_a_rank_that_refuses_is_what_the_editor_reads(stage):
    """P10: in its answer to `initialize`."""
    stage.debuggers.answer = {"status": "refused", "why": "it is debugged by jane@far"}
    (port,) = stage.attach().values()
    with TcpDapClient(port) as editor:
        with pytest.raises(DapError, match="debugged by jane@far"):
            editor.request("initialize")
        editor.wait_over()
    assert stage.debuggers.closed == [("2", "it was refused")]  # for the controller, which has counted it


def test_a_rank_that_dies_or_lets_go_or_loses_bytes_ends_the_editors_session(stage):
    """P3, P2: with the reason, in its console."""
    ends = [
        (lambda: stage.debuggers.close(2, "its node does not answer"), "its node does not answer"),
        (lambda: stage.debuggers.lose_bytes(2), "were lost on the way"),
        (lambda: stage.client.set_state("2", activity="busy", liveness="dead"), "it is gone: status unknown"),
    ]
    (port,) = stage.attach().values()
    for end, why in ends:
        with TcpDapClient(port) as editor:
            editor.attach()
            end()
            assert why in editor.event("output")["output"]
            editor.event("terminated")
            editor.wait_over()
        wait_until(lambda why=why: why in stage.text(), 30, "it is said here too")
        stage.debuggers.of_key.clear()


def test_a_controller_that_does_not_answer_ends_the_session_and_the_rank_hears_of_it_later(stage):
    """P8: it may be back before anybody else has noticed, and the rank must not stand for ever."""
    (port,) = stage.attach().values()
    with TcpDapClient(port) as editor:
        editor.attach()
        stage.client.trouble = "the controller of calm-fox does not answer"
        stage.client.say(Said("px_notice", {"text": stage.client.trouble, "level": "warning"}), parent="")
        editor.wait_over()
    assert stage.debuggers.closed == [("2", "the controller of calm-fox does not answer")]
    stage.client.trouble = ""


def test_what_is_no_editor_is_hung_up_on(stage):
    """P9: a browser that was lured to the port."""
    (port,) = stage.attach().values()
    with socket.create_connection(("127.0.0.1", port)) as browser:
        browser.sendall(b"POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n")
        browser.settimeout(30)
        while browser.recv(4096):  # the reason
            pass
    wait_until(lambda: "no Debug Adapter Protocol" in stage.text(), 30, "it is said")


@pytest.mark.parametrize("is_together", [False, True])
def test_a_request_that_makes_no_sense_is_refused_and_the_next_one_is_answered(stage, is_together):
    """P3, P10: whatever its arguments are, also when both came in one piece."""
    (port,) = set(stage.attach("0-1" if is_together else "2", together=is_together).values())
    with TcpDapClient(port) as editor:
        editor.attach()
        bad = editor.begin("source", {"source": 5})
        good = editor.begin("threads")
        with pytest.raises(DapError, match="makes no sense"):
            editor.finish(bad)
        assert editor.finish(good)["threads"]


def test_what_comes_before_initialize_is_refused(stage):
    """P3: debugpy would not answer it."""
    (port,) = stage.attach().values()
    with TcpDapClient(port) as editor:
        with pytest.raises(DapError, match="has to be initialize"):
            editor.request("continue", threadId=1)
        editor.attach()
        assert editor.request("threads")["threads"]


def test_a_port_of_ones_own_choice_and_one_that_is_taken(stage):
    """P10: of several ranks the first one's; nothing is left open when one cannot be had."""
    (free,) = free_ports(1)
    assert stage.attach("0", port=free) == {0: free}
    with pytest.raises(UsageError, match=f"port {free} cannot be had"):
        stage.attach("1", port=free)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(UsageError, match="cannot be had"):
            stage.attach("1-2", port=taken - 1)
    with pytest.raises(UsageError, match="no port for editors is open for 1"):
        stage.session.detach_editor(RankSet.of(1))


def test_a_port_to_which_nobody_comes_closes(stage):
    """After its time; the next attach opens another."""
    (port,) = stage.attach(idle_s=0.05).values()
    wait_until(lambda: "no editor has come" in stage.text(), 30, "it is closed")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    with pytest.raises(UsageError, match="no port for editors is open"):
        stage.session.detach_editor()


def test_an_editor_that_came_another_way_is_named_and_ended_when_its_rank_is(stage):
    """P10: by `pxshell debug`, or through another front end; without ranks only what is ours ends."""

    def let_go(asked, rank, why):
        if asked.type == "px_debug_close" and asked.content["why"].startswith(why):
            stage.client.set_state(rank, activity="busy", cell="run")

    stage.client.set_state("1", activity="debugging", why="debugged by jane@far", cell="run")
    why = "this front end has no port for editors; 1 is debugged by jane@far, another way: %pxdebug detach 1 ends that"
    with pytest.raises(UsageError, match=f"^{why}$"):
        stage.session.detach_editor()
    (port,) = stage.attach("2").values()
    with TcpDapClient(port) as editor:
        editor.attach()
        stage.client.set_state("2", activity="debugging", why="debugged by us", cell="run")
        stage.client.on_told.append(lambda asked: let_go(asked, "2", "detached here"))
        assert stage.session.detach_editor() == RankSet.of(2)
    assert "2: no editor may attach any more" in stage.text()
    assert "1 is debugged by jane@far, another way.  End: %pxdebug detach 1" in stage.text()

    stage.client.on_told.append(lambda asked: let_go(asked, "1", "detached by "))
    assert stage.session.detach_editor(RankSet.span(0, 4)) == RankSet.of(1)
    assert "1 let go.  Before: 1 is debugged by jane@far" in stage.text()
    assert stage.debuggers.closed[-1][0] == "1"


def test_a_rank_that_is_not_let_go_in_time_is_said(stage):
    """P3: a control command has a deadline."""
    stage.client.set_state("1", activity="debugging", why="debugged by jane@far", cell="run")
    stage.session.config.control_deadline = 0.05
    assert stage.session.detach_editor(RankSet.of(1)) == EMPTY
    assert "1: not let go within 0.05 s; see %pxstatus" in stage.text()
    stage.client.role = "observer"
    with pytest.raises(PermissionDeniedError):
        stage.session.detach_editor(RankSet.of(1))


def test_where_the_kernel_tells_no_users_a_port_takes_one_connection(stage, monkeypatch):
    """P9: with a warning."""
    monkeypatch.setattr("pxshell.debug.listener.can_tell_users", lambda: False)
    (port,) = stage.attach().values()
    assert "one connection, then closes" in stage.text()
    with TcpDapClient(port) as editor:
        editor.attach()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_the_kernel_tells_whose_a_connection_is():
    """P9."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
        accepted, _ = server.accept()
        with accepted:
            assert user_of_peer(accepted) == user_of_peer(ours) == os.getuid()


def test_the_kernel_tells_whose_a_connection_by_a_socket_of_ipv6_is():
    """P9: as Java's are, also those to an address of IPv4."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET6) as theirs:
        theirs.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        theirs.connect(("::ffff:127.0.0.1", server.getsockname()[1]))
        accepted, _ = server.accept()
        with accepted:
            assert user_of_peer(accepted) == os.getuid()


def test_entries_are_written_where_the_editor_looks(stage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ports = stage.attach("0-1", write=True)
    written = json.loads((tmp_path / ".vscode" / "launch.json").read_text())
    assert [one["connect"]["port"] for one in written["configurations"]] == list(ports.values())
    assert written["compounds"][0]["name"] == "ranks 0-1 of calm-fox (pxshell)"
    assert ".vscode/launch.json" in stage.text()
    assert "pathMappings" not in written["configurations"][0]


def test_entries_of_clusters_that_are_gone_are_taken_away_and_it_is_said(stage, tmp_path, monkeypatch):
    """Those of this cluster stay, though nobody listens for them any more, and those of one that is in the list."""
    monkeypatch.chdir(tmp_path)
    stage.attach("0-1", write=True)
    stage.session.detach_editor()
    path = tmp_path / ".vscode" / "launch.json"
    path.write_text(path.read_text().replace("rank 0 of calm-fox", "rank 0 of gone-1"))
    path.write_text(path.read_text().replace("rank 1 of calm-fox", "rank 1 of there-1"))
    connection_path("there-1").parent.mkdir(parents=True, exist_ok=True)
    connection_path("there-1").touch()
    stage.attach("2", write=True)
    connection_path("there-1").unlink()
    names = [one["name"] for one in json.loads(path.read_text())["configurations"]]
    assert names == ["rank 1 of there-1 (pxshell)", "rank 2 of calm-fox (pxshell)"]
    assert "(in .vscode/launch.json, without 1 entry of clusters that are gone)" in stage.text()


def test_an_entry_may_start_the_adapter_itself_and_then_no_port_opens(stage, tmp_path, monkeypatch):
    """P9: the interpreter that runs here, one argument to it, and what Microsoft's extension asks for beside them."""
    monkeypatch.chdir(tmp_path)
    assert stage.attach("2", write=True, stdio=True) == {}
    assert stage.attach("0-1", write=True, stdio=True, together=True, lockstep=True) == {}
    one, both = json.loads((tmp_path / ".vscode" / "launch.json").read_text())["configurations"]
    assert one["debugAdapterPython"] == sys.executable
    assert one["debugAdapterPath"].startswith("-c")
    compile(one["debugAdapterPath"][2:], "entry", "exec")
    assert one["debugAdapterPath"].endswith("main(['debug', 'calm-fox', '2']))")
    assert both["debugAdapterPath"].endswith("main(['debug', 'calm-fox', '0-1', '--together', '--lockstep']))")
    assert one["processId"] == 4711
    assert "connect" not in one
    assert stage.attach("2", write=True)  # with a port again: nothing of the other way is left
    one, _ = json.loads((tmp_path / ".vscode" / "launch.json").read_text())["configurations"]
    assert not {"processId", "debugAdapterPath", "debugAdapterPython"} & one.keys()


def test_a_launch_json_that_cannot_be_read_leaves_no_port_open(stage, tmp_path, monkeypatch):
    """P10: nothing is changed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode" / "launch.json").write_text("{ no")
    with pytest.raises(UsageError, match="is not changed"):
        stage.attach(write=True)
    with pytest.raises(UsageError, match="no port for editors is open"):
        stage.session.detach_editor()


def test_files_of_a_rank_that_are_not_here_are_mapped_to_the_workspace(stage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stage.client.on(
        "px_debug_prepare_request", replies("px_debug_prepare_reply", (None, {"status": "ok", "root": "/no/such"}))
    )
    stage.attach(write=True)
    written = json.loads((tmp_path / ".vscode" / "launch.json").read_text())
    (mapping,) = written["configurations"][0]["pathMappings"]
    assert mapping["remoteRoot"] == "/no/such"


def test_what_cannot_be_debugged_is_refused_before_a_port_opens(stage):
    """P10: one line with the reason."""
    stage.client.set_state("3", activity="ended", exit=0)
    with pytest.raises(UsageError, match="3 is gone"):
        stage.attach("2-3")
    answer = {"status": "refused", "why": "its Python has no debugpy"}
    stage.client.on("px_debug_prepare_request", replies("px_debug_prepare_reply", (None, answer)))
    with pytest.raises(UsageError, match="2: its Python has no debugpy"):
        stage.attach()
    stage.client.role = "observer"
    with pytest.raises(PermissionDeniedError):
        stage.attach()
    assert stage.debuggers.of_key == {}


def test_cells_say_who_holds_a_rank_that_runs_and_run_where_it_stands(stage):
    """P10."""
    stage.client.set_state("2", activity="debugging", cell="run", why="debugged by jane@far")
    outcome = stage.session.run_cell("x", RankSet.of(2))
    assert outcome.status == "refused"
    refusal = next(event for event in stage.display.events if hasattr(event, "why"))
    assert "2 is running, debugged by jane@far" in refusal.why
    stage.client.set_state("2", activity="debugging", cell="run", pause="d2-1", file="/a/sim.py", line=7)
    stage.client.on("execute_request", replies("execute_reply", (None, {"status": "ok"})))
    assert stage.session.run_cell("x", RankSet.of(2)).status == "ok"
    assert stage.client.asked_for("execute_request")[-1].content["places"] == [["frame:d2-1", "2"]]
    assert stage.session.prompt_text() == "px[0-3] sim.py:7"
