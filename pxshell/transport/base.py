"""The one interface of all drivers: a server with peers, a connector with one, a handler that both call.

Everything happens in the reactor's thread: calls into a server or connector, and the calls of the handler. Nothing
blocks. Buffers of a message that was given to `send` must not change until the other end has acknowledged it: none is
copied for safety, and what is not acknowledged is sent again after a reconnect.
"""

from __future__ import annotations

import os
import platform
import socket
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from pxshell.errors import PxshellError
from pxshell.protocol.heartbeat import Heartbeat
from pxshell.protocol.link import CONTROL_LIMITS, WORK_LIMITS, Limits
from pxshell.protocol.message import Message
from pxshell.protocol.prefix import Hello
from pxshell.protocol.types import Lane, Role
from pxshell.version import PROTOCOL, __version__

__all__ = ["Connector", "Handler", "Hello", "Peer", "Proof", "Reactor", "Server", "Settings", "Timer", "make_hello"]


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Do not make the call; harmless when it was made."""


class Reactor(Protocol):
    """What drivers need of an event loop; asyncio's loops and `loop.SelectLoop` have it."""

    def add_reader(self, fd: int, callback: Callable[..., Any], /, *args: Any) -> Any:
        """Call back whenever the descriptor is readable."""

    def remove_reader(self, fd: int, /) -> Any:
        """Undo `add_reader`."""

    def add_writer(self, fd: int, callback: Callable[..., Any], /, *args: Any) -> Any:
        """Call back whenever the descriptor is writable."""

    def remove_writer(self, fd: int, /) -> Any:
        """Undo `add_writer`."""

    def call_later(self, delay: float, callback: Callable[..., Any], /, *args: Any) -> Timer:
        """Call once, after so many seconds."""

    def call_soon_threadsafe(self, callback: Callable[..., Any], /, *args: Any) -> Any:
        """Call once, soon, in the loop's thread; the only method that other threads may call."""

    def time(self) -> float:
        """Return the seconds of a clock that never goes back."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the transport knows of the other end without believing it."""

    #: By its key, or by the place where it connected; None when this transport proves none.
    role: Role | None = None
    #: By the kernel, of the process at the other end of a unix socket.
    pid: int | None = None
    uid: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Peer:
    """One process at the other end, both lanes; compared by identity."""

    id: str
    #: None for a controller, which has no role in the table.
    role: Role | None
    hello: Hello
    #: Proved by the kernel on unix sockets, else as claimed.
    pid: int
    #: For people: "node on n2 (pid 4711)".
    name: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds and limits of a link; tests shorten them."""

    work: Limits = WORK_LIMITS
    control: Limits = CONTROL_LIMITS
    #: The server pings this often; the connector answers.
    ping_interval: float = 1.0
    #: `peer_silent` after so long without a sign of life; 2.2 + one interval stays under the 3 s of a stopped engine.
    unresponsive_after: float = 1.8
    #: The connection is given up after so long; None never (a stopped process behind a unix socket is not lost).
    lost_after: float | None = None
    #: The same two for a peer that is watched closely, so that its silence is told within two seconds.
    close_interval: float = 0.2
    close_after: float = 1.4
    #: How long a server remembers a cut peer that said it comes back.
    keep_for: float = 60.0
    #: How long both lanes may take from the first connection to the welcome.
    join_within: float = 10.0
    #: First and longest pause between two attempts to connect.
    backoff: tuple[float, float] = (0.05, 2.0)
    #: Longest time that a received message may remain unacknowledged while the link is otherwise idle. Only memory
    #: waits for it, within the window; and a relay of many does not send one to each in the middle of the next cell.
    acknowledge_after: float = 1.0
    #: A record above this closes its connection.
    max_message_bytes: int = 8 << 30

    def limits(self, lane: Lane) -> Limits:
        """Return the limits of a lane."""
        return self.control if lane is Lane.CONTROL else self.work

    def heartbeat(self, interval: float, now: float) -> Heartbeat:
        """Begin to watch a peer, every `interval` seconds."""
        return Heartbeat(interval, self.unresponsive_after, self.lost_after, now)

    def close_heartbeat(self, now: float) -> Heartbeat:
        """Begin to watch a peer closely, every `close_interval` seconds."""
        return Heartbeat(self.close_interval, self.close_after, self.lost_after, now)


class Handler(Protocol):
    """What a server or connector tells its owner; a connector's only peer is the server.

    Who inherits from this takes no notice of what it does not define, and refuses nobody.
    """

    def hello_received(self, hello: Hello, proof: Proof) -> str | None:
        """Server only: return a reason, in one line, to refuse a new peer; version and role were checked before."""

    def peer_joined(self, peer: Peer) -> None:
        """Both lanes are up."""

    def message_received(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Take a message, and its descriptors, which are the handler's from now on."""

    def peer_silent(self, peer: Peer, silent: bool) -> None:
        """Learn that the peer gives no sign of life, or a lane is cut (True); or that it is well again (False)."""

    def peer_left(self, peer: Peer, why: str) -> None:
        """Learn that a peer that had joined is gone; said once."""

    def lane_drained(self, peer: Peer, lane: Lane) -> None:
        """Learn that the queue to the peer is below its low-water mark again."""

    def link_failed(self, error: PxshellError) -> None:
        """Connector only: there will be no link; said once, and only when no peer had joined."""


class Server(ABC):
    """The end with many peers."""

    @abstractmethod
    def send(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> bool:
        """Queue a message, duplicate its descriptors. False: over the limit or no such peer, and nothing was queued."""

    @abstractmethod
    def queued(self, peer: Peer, lane: Lane) -> int:
        """Return the bytes that wait for credit."""

    @property
    @abstractmethod
    def peers(self) -> Collection[Peer]:
        """Those that have joined and not left."""

    @abstractmethod
    def watch_closely(self, peer: Peer, *, closely: bool) -> None:
        """Let each end notice within two seconds that the other is silent, or no longer so; any number of times."""

    @abstractmethod
    def drop(self, peer: Peer, why: str) -> None:
        """Say good-bye to a peer, with a reason; `peer_left` is called before this returns."""

    @abstractmethod
    def close(self) -> None:
        """Say good-bye to all and release everything; the handler is not called any more."""

    @abstractmethod
    def abandon(self) -> None:
        """Close descriptors and nothing else: in a forked child, whose parent goes on using them."""


class Connector(ABC):
    """The end with one peer, the server."""

    @property
    @abstractmethod
    def peer(self) -> Peer | None:
        """The server, while joined."""

    @property
    @abstractmethod
    def error(self) -> PxshellError | None:
        """Why there is no link and will be none."""

    @abstractmethod
    def send(self, message: Message, fds: tuple[int, ...] = (), *, more: bool = False) -> bool:
        """Queue a message, also before the link is up. False: over the limit or closed, and nothing was queued.

        `more`: another one for the same lane follows at once, and they are sent together.
        """

    @abstractmethod
    def queued(self, lane: Lane) -> int:
        """Return the bytes that wait for credit."""

    @abstractmethod
    def close(self, linger: float = 0.0, done: Callable[[], None] | None = None) -> None:
        """Say good-bye and release everything; the handler is not called any more.

        Args:
            linger: seconds that the server may take to acknowledge what was sent; 0 closes now.
            done: called once when all is released.
        """

    @abstractmethod
    def abandon(self) -> None:
        """Close descriptors and nothing else: in a forked child, whose parent goes on using them."""


def make_hello(role: Role | None, **facts: Any) -> Hello:
    """Describe this process to the other end: a new id, version, host and pid; `facts` are further fields of Hello."""
    described: dict[str, Any] = {
        "role": role.value if role is not None else "",
        "id": uuid.uuid4().hex,
        "protocol": PROTOCOL,
        "version": __version__,
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }
    return Hello(**(described | facts))
