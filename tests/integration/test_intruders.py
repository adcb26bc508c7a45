"""Who may come in, who may say what, and what bad bytes do."""

import json
import os
import random
import socket
import struct
import subprocess
import sys
from pathlib import Path

import attack
import msgspec
import psutil
import pytest
import zmq

from pxshell import Client, Cluster
from pxshell.errors import AuthenticationError, ConnectionFileError, PxshellError, UsageError, VersionMismatchError
from pxshell.protocol.types import Role
from pxshell.ranks import RankSet
from pxshell.rendezvous import connection
from pxshell.testing.waiting import wait_until
from pxshell.transport import base
from pxshell.transport.zeromq import ZmqConnector

pytestmark = pytest.mark.shared_directories


@pytest.fixture(scope="module")
def cluster(_module_is_clean):
    with Cluster.start(2, name="calm-fox") as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with Client("calm-fox") as client:
        yield client


def is_one_line(text):
    return len(str(text).strip().splitlines()) == 1


def test_an_observer_sees_and_may_not_run(cluster, client):
    """P9: status and output come, a cell is refused in one line."""
    with Client(connection.connection_path("calm-fox", "observer")) as observer:
        assert observer.role == "observer"
        assert observer.ask("px_status_request", {})["size"] == 2
        request = attack.run(observer, "open('/tmp/never', 'w')")
        assert request.wait(30)
        why = request.account.missing[0][1]
        assert why.startswith("observers may not"), why
        assert is_one_line(why)
        for kind, content in (
            ("px_signal_request", {"signal": 15}),
            ("px_survey_request", {"expression": "1", "ask": "describe", "places": [["idle", "0-1"]]}),
            ("px_stop_request", {"grace": 0}),
            ("px_pause_request", {"pause": "p", "mode": "line"}),
            ("px_pull_request", {"expressions": ["1"], "places": [["idle", "0-1"]]}),
        ):
            refused = observer.request(kind, content, observer.ranks)
            assert refused.wait(30), kind
            assert "observers may not" in refused.account.missing[0][1]
    assert attack.answers(client, "rank") == {"0": "0", "1": "1"}


def test_wrong_keys_are_refused_in_one_line(cluster):
    """P9, P10."""
    info = connection.find("calm-fox")
    public, secret = (key.decode() for key in zmq.curve_keypair())
    with pytest.raises(PxshellError) as refused:
        Client(msgspec.structs.replace(info, public=public, secret=secret), timeout=30)
    assert isinstance(refused.value, AuthenticationError), repr(refused.value)
    assert is_one_line(refused.value)


def test_the_nodes_key_is_no_operators(cluster):
    """P9: a role is proved by its key, whatever the hello says."""
    info = connection.find("calm-fox")
    keys = json.loads(Path(info.directory, "node.json").read_text())
    with pytest.raises(PxshellError) as refused:
        Client(msgspec.structs.replace(info, public=keys["public"], secret=keys["secret"]), timeout=30)
    assert is_one_line(refused.value)


def test_a_connection_file_that_others_may_read_is_refused(cluster):
    """P9, P10: what, why, what to do."""
    path = connection.connection_path("calm-fox")
    path.chmod(0o644)
    try:
        with pytest.raises(ConnectionFileError) as refused:
            Client("calm-fox")
        assert is_one_line(refused.value)
        assert "chmod" in str(refused.value)
    finally:
        path.chmod(0o600)


def test_another_version_is_refused_by_name(cluster):
    """P10: hello with another version."""
    import asyncio

    info = connection.find("calm-fox")

    async def try_to_join():
        loop = asyncio.get_running_loop()
        failed = loop.create_future()

        class Listener(base.Handler):
            def peer_joined(self, peer):
                failed.set_result(None)

            def link_failed(self, error):
                failed.set_result(error)

        connector = ZmqConnector(
            loop,
            Listener(),
            base.make_hello(Role.OPERATOR, version="9.9"),
            addresses=info.addresses,
            server_public=info.server_public,
            public=info.public,
            secret=info.secret,
        )
        try:
            return await asyncio.wait_for(failed, 30)
        finally:
            connector.close()

    error = asyncio.run(try_to_join())
    assert error is not None
    assert isinstance(error, (VersionMismatchError, UsageError)), error
    assert "9.9" in str(error)
    assert is_one_line(error)


def test_a_second_process_cannot_claim_a_taken_rank(cluster, client, tmp_path):
    """P8, P10: the rank stays with its process; the other one is told in one line."""
    before = attack.pids(client)
    # The same world, rank and epoch: what a launcher's mistake would give it.
    env = psutil.Process(before[1]).environ() | {"PXSHELL_NODE": str(cluster.directory / "node.sock")}
    env |= dict.fromkeys(("PXSHELL_RANK", "PXSHELL_LOCAL_RANK", "RANK", "LOCAL_RANK"), "1")
    script, go, told = tmp_path / "claims.py", tmp_path / "go", tmp_path / "told"
    # It may be over before a busy node has looked at it.
    script.write_text(f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('ran alone')\n")
    line = [sys.executable, "-m", "pxshell.engine", str(script)]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
    with told.open("w") as stderr, subprocess.Popen(line, env=env, stderr=stderr, **pipes) as other:
        try:
            wait_until(lambda: "rank 1 is taken by process" in told.read_text(), 60, told.read_text)
        finally:
            go.touch()
        assert other.communicate(timeout=60)[0] == "ran alone\n"
    assert is_one_line(told.read_text()), told.read_text()
    assert attack.pids(client) == before
    assert attack.answers(client, "rank") == {"0": "0", "1": "1"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_can_neither_read_nor_connect(cluster):
    """P9: as nobody: every file and socket of the cluster."""
    info = connection.find("calm-fox")
    program = """
import json, os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
wrong = []
for path in json.load(sys.stdin):
    try:
        if path.endswith(".sock"):
            socket.socket(socket.AF_UNIX).connect(path)
        else:
            open(path, "rb").close()
        wrong.append(path)
    except PermissionError:
        pass
print(json.dumps(wrong))
"""
    directory = Path(info.directory)
    paths = [str(p) for p in directory.rglob("*") if not p.is_dir()]
    paths += [str(connection.connection_path("calm-fox", role)) for role in ("operator", "observer")]
    assert sum(path.endswith(".sock") for path in paths) >= 3
    done = subprocess.run([sys.executable, "-c", program], input=json.dumps(paths), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
    assert directory.stat().st_mode & 0o77 == 0


def test_no_process_listens_on_tcp(cluster, client):
    """P9: on one machine there is no port at all."""
    ours = [attack.controller_of("calm-fox"), attack.node_of("calm-fox"), os.getpid(), *attack.pids(client).values()]
    assert {pid: attack.tcp_listeners(pid) for pid in ours} == {pid: [] for pid in ours}


def _shout(path, chunks):
    """Write to a socket until it is closed at the other end, or all is written."""
    with socket.socket(socket.AF_UNIX) as shouter:
        shouter.settimeout(1)
        shouter.connect(str(path))
        try:
            for chunk in chunks:
                shouter.sendall(chunk)
            shouter.recv(100)
        except (OSError, TimeoutError):
            pass


def test_random_bytes_and_giant_frames_harm_nobody(cluster, client):
    """P7, P9: at the node's socket and the controller's two."""
    noise = random.Random(1)
    directory = cluster.directory
    watched = [attack.node_of("calm-fox"), attack.controller_of("calm-fox")]
    before = [attack.rss_mb(pid) for pid in watched]
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
    for name in ("node.sock", "controller-work.sock", "controller-control.sock"):
        for _ in range(5):
            _shout(directory / name, [noise.randbytes(noise.randrange(1, 100_000))])
        for size in (0xFFFFFFFF, 1 << 31, 1 << 40, (1 << 63) - 1, (1 << 64) - 1):
            for layout in ("<Q", ">Q"):
                _shout(directory / name, [struct.pack(layout, size), bytes(1000)])
        _shout(directory / name, [struct.pack("<II", 1, 0xFFFFFFF0), b"x" * 1000])
        _shout(directory / name, [greeting, b"\x06" + b"\xff" * 8, bytes(1 << 20)])
        _shout(directory / name, [])
    assert attack.answers(client, "rank + 1") == {"0": "1", "1": "2"}
    with Client("calm-fox") as other:
        assert attack.answers(other, "rank + 2") == {"0": "2", "1": "3"}
    after = [attack.rss_mb(pid) for pid in watched]
    print(before, after)
    assert all(now < then + 60 for now, then in zip(after, before, strict=True))


def test_hundred_silent_connections_keep_nobody_out(cluster):
    """P7: connections that say nothing are dropped or ignored; a real client comes in."""
    sockets = []
    try:
        for name in ("node.sock", "controller-work.sock"):
            for _ in range(50):
                sockets.append(socket.socket(socket.AF_UNIX))
                sockets[-1].connect(str(cluster.directory / name))
        with Client("calm-fox") as other:
            assert attack.answers(other, "rank") == {"0": "0", "1": "1"}
    finally:
        for held in sockets:
            held.close()


def test_stop_leaves_only_logs():
    """P8: no process, no socket, no connection file."""
    cluster = Cluster.start(2, name="brief-owl")
    directory = cluster.directory
    pids = [*attack.pids(cluster.client()).values(), attack.node_of("brief-owl"), attack.controller_of("brief-owl")]
    cluster.stop()
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids), 30, "all processes have ended")
    assert not [path for path in directory.rglob("*") if path.is_socket()]
    assert not connection.connection_path("brief-owl").exists()
    assert not connection.connection_path("brief-owl", "observer").exists()
    assert (directory / "logs" / "rank-0.log").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["attach", "no-such", "-c", "1"], "there is no cluster 'no-such'"),
        (["-n", "0", "-c", "1"], "0"),
        (["-n", "-1", "-c", "1"], "-1"),
        (["attach", "calm-fox", "-c", "%px -t 9 1"], "9"),
        (["attach", "calm-fox", "-c", "%pxfocus 0-"], "0-"),
        (["attach", "calm-fox", "-c", "%pxfocus 5"], "5"),
        (["attach", "calm-fox", "-c", "%pxpush lock=__import__('threading').Lock()"], "pickle"),
    ],
)
def test_bad_input_is_one_line(cluster, client, words, said):
    """P10: what, why, what to do; nothing is changed by it."""
    line = [sys.executable, "-m", "pxshell", *words]
    done = subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode != 0
    assert said in done.stderr, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3, done.stderr
    assert client.states.alive() == RankSet.span(0, 2)


def test_a_syntax_error_is_said_once(cluster):
    """P10: once, not for each rank."""
    line = [sys.executable, "-m", "pxshell", "attach", "calm-fox", "-c", "x = = 1"]
    done = subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 1
    assert (done.stdout + done.stderr).count("SyntaxError") == 1


def test_an_unknown_launcher_is_one_line(tmp_path):
    """P10."""
    env = os.environ | {"PATH": str(tmp_path)}
    line = [sys.executable, "-m", "pxshell", "--launcher", "nonesuch", "-n", "2", "-c", "1"]
    done = subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, env=env)
    assert done.returncode != 0
    assert "nonesuch" in done.stderr
    assert is_one_line(done.stderr)
