"""Every driver behind one face, each end in a loop of its own that the test steps."""

import dataclasses
import socket
import time

import pytest

from pxshell.protocol.link import Limits
from pxshell.protocol.message import Message
from pxshell.protocol.types import Lane, Role
from pxshell.transport.base import Settings, make_hello
from pxshell.transport.inprocess import InprocessConnector, InprocessServer
from pxshell.transport.keys import make_keys
from pxshell.transport.loop import SelectLoop
from pxshell.transport.socketpath import BoundSocket
from pxshell.transport.unix import UnixConnector, UnixListener, UnixServer
from pxshell.transport.zeromq import ZmqConnector, ZmqServer

DEADLINE_S = 30.0

SETTINGS = Settings(
    work=Limits(window_bytes=64 << 10, window_frames=16, limit_bytes=256 << 10),
    control=Limits(window_bytes=64 << 10, window_frames=16, limit_bytes=256 << 10, piece_bytes=4 << 10),
    backoff=(0.005, 0.02),
    acknowledge_after=0.01,
)


class Recorder:
    """A handler that writes everything down."""

    def __init__(self):
        self.events = []
        self.messages = []
        self.fds = []
        self.peer = None
        self.why_not = None
        self.error = None

    def hello_received(self, hello, proof):
        self.events.append("hello")
        self.proof = proof
        return self.why_not

    def peer_joined(self, peer):
        self.peer = peer
        self.events.append("joined")

    def message_received(self, peer, message, fds=()):
        assert peer is self.peer
        self.messages.append(message)
        self.fds.extend(fds)
        self.events.append(message.type)

    def peer_silent(self, peer, silent):
        self.events.append("silent" if silent else "heard")

    def peer_left(self, peer, why):
        self.why_left = why
        self.events.append("left")

    def lane_drained(self, peer, lane):
        self.events.append(f"drained {lane.name}")

    def link_failed(self, error):
        self.error = error
        self.events.append("failed")

    def ids(self, lane):
        return [message.id for message in self.messages if message.lane is lane]


class Driver:
    """A server and connectors; subclasses make them."""

    role = Role.NODE
    passes_fds = False
    proves_pid = False

    def __init__(self, directory):
        self.directory = directory
        self.below = Recorder()
        self.above = Recorder()
        self.server_loop = SelectLoop()
        self.loop = SelectLoop()
        self.settings = SETTINGS
        self.server = None
        self.connector = None
        self._closing = []

    def start(self, *, keep=False, hello=None, joined=True, **changes):
        """Make both ends and wait until they have joined."""
        self.settings = dataclasses.replace(SETTINGS, **changes)
        self.start_server()
        self.connect(hello or make_hello(self.role), keep)
        if joined:
            self.until(lambda: "joined" in self.above.events and "joined" in self.below.events, "both have joined")
        return self

    def start_server(self):
        self.server = self.make_server()
        self._closing.append(self.server)

    def connect(self, hello, keep=False):
        self.connector = self.make_connector(hello, keep)
        self._closing.append(self.connector)

    def step(self):
        return self.server_loop.run_once() + self.loop.run_once()

    def until(self, condition, what, loops=None):
        end = time.monotonic() + DEADLINE_S
        while not condition():
            for loop in loops or (self.server_loop, self.loop):
                loop.run_once(0.001)
            if time.monotonic() > end:
                raise TimeoutError(f"in vain until {what}: {self.above.events[-20:]} {self.below.events[-20:]}")

    def up(self, name, number="", **fields):
        return self.connector.send(Message.make(name, str(number), **fields))

    def down(self, name, number="", **fields):
        return self.server.send(self.above.peer, Message.make(name, str(number), **fields))

    def cut(self, lane):
        """Break the connection of a lane as abruptly as the driver can."""
        wire = self.connector._attempts[lane].wire
        if wire is not None:
            wire.close()
            self.connector.wire_closed(wire, "cut")

    def mend(self):
        """Do what brings the link back where nobody does it by itself."""

    def slow_down(self, lane):
        """Make sure that a large message takes time."""

    def close(self):
        for thing in self._closing:
            thing.close()
        self.server_loop.close()
        self.loop.close()


class Unix(Driver):
    role = Role.ENGINE
    passes_fds = proves_pid = True

    def make_server(self):
        return UnixServer(self.server_loop, self.above, self.directory / "s", settings=self.settings)

    def make_connector(self, hello, keep):
        return UnixConnector(self.loop, self.below, hello, self.directory / "s", keep=keep, settings=self.settings)

    def cut(self, lane):
        wire = self.connector._attempts[lane].wire
        if wire is not None:
            wire._socket.shutdown(socket.SHUT_RDWR)


class UnixListening(Unix):
    def make_server(self):
        return UnixServer(self.server_loop, self.above, None, settings=self.settings)

    def make_connector(self, hello, keep):
        path = self.directory / "e"
        bound = BoundSocket(path)
        connector = UnixListener(self.loop, self.below, hello, path, bound, keep=keep, settings=self.settings)
        assert self.server.adopt(self.directory / "e")
        return connector

    def mend(self):
        for lane in Lane:
            if self.connector._attempts[lane].wire is None:
                self.server.adopt(self.directory / "e")
                return


class Zmq(Driver):
    addresses = None

    def make_server(self):
        self.server_keys, self.keys = make_keys(), make_keys()
        self.authorized = {self.keys.public: self.role}
        return self.make_server_again()

    def make_server_again(self):
        return ZmqServer(
            self.server_loop,
            self.above,
            addresses=self.addresses,
            public=self.server_keys.public,
            secret=self.server_keys.secret,
            authorized=self.authorized,
            settings=self.settings,
        )

    def make_connector(self, hello, keep):
        return ZmqConnector(
            self.loop,
            self.below,
            hello,
            addresses=self.server.addresses,
            server_public=self.server_keys.public,
            public=self.keys.public,
            secret=self.keys.secret,
            keep=keep,
            settings=self.settings,
        )


class ZmqIpc(Zmq):
    def __init__(self, directory):
        super().__init__(directory)
        self.addresses = {"work": [f"ipc://{directory}/w"], "control": [f"ipc://{directory}/c"]}


class ZmqTcp(Zmq):
    pass


class Inprocess(Driver):
    passes_fds = True

    def make_server(self):
        return InprocessServer(self.server_loop, self.above, settings=self.settings)

    def make_connector(self, hello, keep):
        return InprocessConnector(self.loop, self.below, hello, self.server, keep=keep, settings=self.settings)

    def cut(self, lane):
        self.server.cut(lane)

    def slow_down(self, lane):
        self.connector._attempts[lane].wire.is_held = True


DRIVERS = {"unix": Unix, "unix-listening": UnixListening, "zmq-ipc": ZmqIpc, "zmq-tcp": ZmqTcp, "inprocess": Inprocess}


@pytest.fixture
def directory(_test_is_clean):
    """A directory with a short path, looked at for leaks."""
    import os
    from pathlib import Path

    return Path(os.environ["PXSHELL_RUNTIME_DIR"])


@pytest.fixture(params=DRIVERS)
def driver(request, directory):
    made = DRIVERS[request.param](directory)
    yield made
    made.close()


@pytest.fixture
def unix(directory):
    made = Unix(directory)
    yield made
    made.close()


@pytest.fixture
def inprocess(directory):
    made = Inprocess(directory)
    yield made
    made.close()


@pytest.fixture
def zmq_tcp(directory):
    made = ZmqTcp(directory)
    yield made
    made.close()


@pytest.fixture
def zmq_ipc(directory):
    made = ZmqIpc(directory)
    yield made
    made.close()


@pytest.fixture
def recorder():
    return Recorder
