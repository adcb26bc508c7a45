"""What only unix sockets do: paths, credentials, adoption, last words, forks."""

import os
import socket
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pxshell.errors import LaunchError
from pxshell.protocol.message import Message
from pxshell.protocol.prefix import Kind, Part, Prefix
from pxshell.protocol.types import Lane, Role
from pxshell.transport.admission import encode
from pxshell.transport.base import make_hello
from pxshell.transport.record import encode_record
from pxshell.transport.socketpath import BoundSocket, PathLock
from pxshell.transport.unix import UnixListener, UnixServer


def test_a_bound_path_is_open_to_its_user_alone(directory):
    """P9."""
    bound = BoundSocket(directory / "s")
    assert stat.S_IMODE((directory / "s").stat().st_mode) == 0o600
    bound.close()
    assert list(directory.iterdir()) == []


def test_a_live_path_cannot_be_bound_again(directory):
    bound = BoundSocket(directory / "s")
    with pytest.raises(LaunchError, match="another process listens there"):
        BoundSocket(directory / "s")
    assert (directory / "s").exists()
    bound.close()


def test_a_path_that_a_dead_process_left_is_bound_again(directory):
    """P8."""
    dead = BoundSocket(directory / "s")
    dead.abandon()
    assert (directory / "s").exists()
    BoundSocket(directory / "s").close()


def test_a_lock_file_that_its_last_holder_removes_meanwhile_is_taken_anew(directory, monkeypatch):
    import fcntl

    first = PathLock(directory / "s")
    flock = fcntl.flock

    def flock_after_release(descriptor, how):
        monkeypatch.setattr(fcntl, "flock", flock)
        first.release()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock_after_release)
    second = PathLock(directory / "s")
    assert Path(directory / "s.lock").exists()
    second.release()


def test_a_path_too_long_for_a_socket_is_refused_by_name(directory):
    """P10."""
    with pytest.raises(LaunchError, match="PXSHELL_RUNTIME_DIR"):
        BoundSocket(directory / ("x" * 100))


@pytest.mark.parametrize("cut_lane", Lane)
def test_the_last_words_on_both_lanes_come_before_the_end(unix, cut_lane):
    """P2: a process that says something and dies has said it."""
    unix.start()
    for number in range(5):
        unix.up("stream", number)
        unix.up("px_state", number)
    # As when the kernel closes a dead process's descriptors: one before the other.
    unix.connector._attempts[cut_lane].wire.abandon()
    unix.connector._attempts[Lane(1 - cut_lane)].wire.abandon()
    unix.until(lambda: "left" in unix.above.events, "it has left", [unix.server_loop])
    assert unix.above.ids(Lane.WORK) == unix.above.ids(Lane.CONTROL) == [str(number) for number in range(5)]
    assert unix.above.events[-1] == "left"


def test_last_words_are_read_although_we_were_sending(unix):
    """P2: the error of a send to a dead peer does not hide what it said."""
    unix.start()
    unix.up("stream", "last")
    for attempt in unix.connector._attempts.values():
        attempt.wire.abandon()
    for number in range(5):
        unix.down("execute_request", number)
    unix.until(lambda: "left" in unix.above.events, "it has left", [unix.server_loop])
    assert unix.above.ids(Lane.WORK) == ["last"]


def test_the_process_is_proved_by_the_kernel(unix):
    """P9: a node signals whom the kernel names, not whom the hello names."""
    unix.start(hello=make_hello(Role.ENGINE, pid=1))
    assert unix.above.peer.pid == os.getpid()
    assert unix.above.proof.uid == os.getuid()


def test_a_child_that_abandons_its_sockets_does_not_end_the_link(unix):
    """A forked child of a rank is no rank and holds none of its sockets."""
    unix.start()
    child = os.fork()
    if not child:
        unix.connector.abandon()
        unix.server.abandon()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    unix.up("stream", 1)
    unix.until(lambda: unix.above.messages, "it has arrived")
    assert (unix.directory / "s").exists()


def test_nobody_listens_at_a_path_that_is_adopted(unix, caplog):
    unix.start_server()
    assert not unix.server.adopt(unix.directory / "none")
    assert "nobody answers" in caplog.text


def test_an_adopted_engine_serves_one_server_at_a_time_and_the_next_afterwards(unix, recorder):
    """P8: a node has died, and another one takes the engine."""
    unix.start_server()
    engine = recorder()
    path = unix.directory / "e"
    listener = UnixListener(unix.loop, engine, make_hello(Role.ENGINE), path, BoundSocket(path))
    unix._closing.append(listener)
    assert unix.server.adopt(unix.directory / "e")
    unix.until(lambda: engine.events == ["joined"], "the engine has joined")
    second = recorder()
    other = UnixServer(unix.server_loop, second, None)
    unix._closing.append(other)
    other.adopt(unix.directory / "e")
    unix.until(lambda: not other._strangers, "the other server is turned away")
    assert (second.events, engine.events) == ([], ["joined"])
    unix.server.close()
    unix.until(lambda: engine.events == ["joined", "left"], "the first has left")
    other.adopt(unix.directory / "e")
    unix.until(lambda: engine.events == ["joined", "left", "joined"], "the other has the engine")
    assert listener.send(Message.make("stream", "1"))
    unix.until(lambda: second.messages, "it speaks")


def test_a_listener_without_a_server_does_not_wake(unix):
    """Nothing runs while nobody looks."""
    path = unix.directory / "e"
    listener = UnixListener(unix.loop, unix.below, make_hello(Role.ENGINE), path, BoundSocket(path))
    unix._closing.append(listener)
    assert not unix.loop.run_once(0.3)
    assert not unix.loop._timers


def test_a_stranger_that_says_nothing_is_closed_after_a_while(unix):
    """P7, P9."""
    unix.settings = unix.settings.__class__(join_within=0.02)
    unix.start_server()
    stranger = _connected(unix)
    unix.until(lambda: not unix.server._strangers and _is_closed(stranger), "it is closed")
    stranger.close()


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_close_their_connection_and_nothing_else(unix, seed):
    """P9."""
    import random

    unix.start()
    stranger = _stranger(unix)
    stranger.send(b"px\1\0" * (seed % 2) + random.Random(seed).randbytes(500))
    unix.until(lambda: _is_closed(stranger), "it is closed")
    stranger.close()
    unix.up("stream", 1)
    unix.until(lambda: unix.above.messages, "the link goes on")
    assert unix.above.events == ["hello", "joined", "stream"]


def test_nothing_is_delivered_before_the_hello(unix):
    """P9."""
    from pxshell.protocol.prefix import Kind, Prefix
    from pxshell.transport.record import encode_record

    unix.start_server()
    stranger = _stranger(unix)
    frames = [Prefix(Kind.DATA, number=1).pack(), *Message.make("stream", "1").to_frames()]
    stranger.send(b"".join(bytes(view) for view in encode_record(frames)))
    unix.until(lambda: _is_closed(stranger), "it is closed")
    stranger.close()
    assert unix.above.events == []


def test_an_id_that_belongs_to_another_process_cannot_be_taken_over(unix, recorder):
    """P9: a second process that claims the id of an engine is refused, and the engine stays."""
    unix.start()
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from pxshell.protocol.types import Role
        from pxshell.transport.base import make_hello
        from pxshell.transport.loop import SelectLoop
        from pxshell.transport.unix import UnixConnector

        class Handler:
            def link_failed(self, error):
                print(error)
                loop.stop()

        loop = SelectLoop()
        UnixConnector(loop, Handler(), make_hello(Role.ENGINE, id=sys.argv[2]), Path(sys.argv[1]))
        loop.run()
        loop.close()
    """)
    argv = [sys.executable, "-c", script, str(unix.directory / "s"), unix.above.peer.id]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        unix.until(lambda: process.poll() is not None, "it has ended")
        assert process.stdout.read() == "its id belongs to somebody else\n"
    assert unix.above.events == ["hello", "joined"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("is_open", [True, False])
def test_another_user_does_not_get_in(unix, is_open):
    """P9: neither past the path's mode, nor, should the mode be lost, past the credentials."""
    unix.start_server()
    path = unix.directory / "s"
    if is_open:
        for part in (path, path.parent, path.parent.parent):
            part.chmod(0o777)
    script = textwrap.dedent("""
        import os, socket, sys
        os.setuid(65534)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(sys.argv[1])
        except PermissionError:
            print("no permission")
        else:
            sock.settimeout(20)
            print("closed" if sock.recv(1) == b"" else "in")
    """)
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True) as process:
        unix.until(lambda: process.poll() is not None, "it has ended")
        assert process.stdout.read() == ("closed\n" if is_open else "no permission\n")
    assert unix.above.events == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_an_engine_of_another_user_is_not_adopted(unix, caplog):
    """P9."""
    unix.start_server()
    open_directory = unix.directory / "open"
    open_directory.mkdir()
    for part in (open_directory, unix.directory, unix.directory.parent):
        part.chmod(0o777)
    script = textwrap.dedent("""
        import os, socket, sys
        os.setuid(65534)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(sys.argv[1])
        sock.listen()
        print("ready", flush=True)
        sys.stdin.read()
    """)
    argv = [sys.executable, "-c", script, str(open_directory / "e")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        assert not unix.server.adopt(open_directory / "e")
        process.stdin.close()
    assert "belongs to user 65534" in caplog.text
    (open_directory / "e").unlink()


def _stranger(unix):
    stranger = _connected(unix)
    unix.until(lambda: unix.server._strangers, "it is accepted")
    return stranger


def _connected(unix):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(str(unix.directory / "s"))
    sock.setblocking(False)
    return sock


def _is_closed(stranger):
    try:
        return stranger.recv(100) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_a_hello_that_is_nested_without_end_closes_its_connection(unix, caplog):
    """P10: and leaves no traceback behind."""
    unix.start_server()
    stranger = _stranger(unix)
    nested = b"\x81\xa4role" + b"\x91" * 20_000 + b"\x90"
    for buffer in encode_record([Prefix(Kind.HELLO).pack(), nested]):
        stranger.sendall(buffer)
    unix.until(lambda: _is_closed(stranger), "it is put out")
    stranger.close()
    assert [(one.levelname, one.exc_info) for one in caplog.records] == [("WARNING", None)]


UNFIT = {
    "no prefix": [b"nonsense"],
    "no frame": [],
    "a ping": [Prefix(Kind.PING).pack()],
    "an acknowledgement": [Prefix(Kind.ACK).pack()],
    "a hello": [Prefix(Kind.HELLO).pack(), b"\x80"],
    "a welcome": [Prefix(Kind.WELCOME).pack(), b"\x80"],
    "a good-bye": [Prefix(Kind.BYE).pack(), b"so long"],
    "what was never sent": [Prefix(Kind.DATA, number=1, received=1000).pack(), b"", b""],
    "no message": [Prefix(Kind.DATA, number=1).pack(), b""],
    "the middle of a message": [Prefix(Kind.DATA, Part.MIDDLE, 1).pack(), b"x"],
}


@pytest.mark.parametrize("is_up", [True, False])
@pytest.mark.parametrize("frames", UNFIT.values(), ids=UNFIT)
def test_descriptors_that_come_with_what_takes_none_are_closed(unix, frames, is_up):
    """P7: a rank that sends them to its node, or a node to its rank, does not use up the other's descriptors."""
    unix.start()
    sender = unix.connector._link if is_up else next(iter(unix.server._sessions.values())).link
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    wire = sender.end(Lane.WORK).wire
    wire.write(frames, (write_end,))
    wire.flush()
    os.close(write_end)

    def is_closed():
        try:
            return os.read(read_end, 1) == b""
        except BlockingIOError:
            return False

    try:
        unix.until(is_closed, "nobody holds the other end any more")
    finally:
        os.close(read_end)


def test_nothing_is_delivered_of_a_peer_with_one_lane(unix, caplog):
    """P9: it has not joined, and its connection breaks the protocol."""
    unix.start_server()
    stranger = _stranger(unix)
    for frames in (
        [Prefix(Kind.HELLO).pack(), encode(make_hello(Role.ENGINE, lane=int(Lane.WORK)))],
        [Prefix(Kind.DATA, number=1).pack(), *Message.make("stream", "1").to_frames()],
    ):
        stranger.sendall(b"".join(bytes(view) for view in encode_record(frames)))
    unix.until(lambda: "hello" in unix.above.events and not unix.server._sessions, "it is put out")
    stranger.close()
    assert unix.above.events == ["hello"]
    assert [one.getMessage() for one in caplog.records] == [
        "closed a connection that broke the protocol: DATA before its other lane"
    ]
