"""The io thread: the link to the node, and nothing that could wait for Python code of the user."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue

from pxshell.engine.brevity import Brevity
from pxshell.engine.outbox import Haste
from pxshell.engine.threads import start_thread
from pxshell.errors import LinkLostError, PxshellError
from pxshell.protocol.message import Message
from pxshell.protocol.prefix import Hello
from pxshell.protocol.types import Lane
from pxshell.transport.base import Connector, Peer, Proof, Settings
from pxshell.transport.loop import SelectLoop
from pxshell.transport.unix import Bound, UnixConnector, UnixListener

__all__ = ["IoThread"]

_log = logging.getLogger(__name__)

#: Seconds that text of a teed stream waits for more of it.
_TEE_WINDOW = 0.02
_COPY_BYTES = 1 << 16
#: As long as a start may take: of many ranks that come at once to a busy machine, none is lost.
_SETTINGS = Settings(join_within=60.0)
#: Bytes that may wait for the node before what displays them waits too.
_ROOM_BYTES = 32 << 20
#: Seconds after which a wait for room looks again: the node may have left.
_ROOM_LOOK = 0.5


class IoThread:
    """Owns the loop and the link; other threads post messages.

    Args:
        hello: Who this rank is.
        path: The node's socket, or with `bound` where this rank waits for a node.
        bound: The socket at that path of a rank that nobody started for pxshell: a node comes when somebody attaches.
        received: Takes (message, descriptors) in the io thread.
        left: Told why there is no node (any more), in the io thread.
        brief_over: Told, in the io thread, when work that has come is not brief any more; see `Brevity`.
    """

    def __init__(
        self,
        hello: Hello,
        path: Path,
        *,
        bound: Bound | None,
        received: Callable[[Message, tuple[int, ...]], None],
        left: Callable[[str], None],
        brief_over: Callable[[], None],
    ) -> None:
        self._received = received
        self._left = left
        self._hello = hello
        self._path = path
        self._bound = bound
        self._loop = SelectLoop()
        #: Of the work that has come.
        self.brevity = Brevity(self._loop.call_later, brief_over)
        #: Messages that were posted, in order; whoever has the loop's turn takes them out.
        self._posted: deque[Message] = deque()
        #: Messages that found the link full, in order; the io thread's own.
        self._waiting: dict[Lane, deque[Message]] = {lane: deque() for lane in Lane}
        #: Bytes that were posted and that the link has not taken; the lock guards it. No condition, nor anything else
        #: whose `with` is made of Python: what is raised right after it has taken its lock, by Ctrl-C, leaves it taken.
        self._pending = 0
        self._lock = threading.Lock()
        #: Rung when that has become less and somebody waits for it.
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._is_awaited = False
        self._connector: Connector | None = None
        self._has_peer = False
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Connect, or begin to listen, and run.

        Raises:
            PxshellError: the path cannot be bound.
        """
        if self._bound is not None:
            self._connector = UnixListener(self._loop, self, self._hello, self._path, self._bound)
        else:
            self._connector = UnixConnector(self._loop, self, self._hello, self._path, settings=_SETTINGS)
        self.thread = start_thread(self._loop.run, "pxshell-io")

    # -- any thread ----------------------------------------------------------------------------------------------------

    def post(self, messages: list[Message], haste: Haste = Haste.SOON) -> None:
        """Send messages, in order."""
        with self._lock:
            self._pending += sum(message.size for message in messages)
        self._posted.extend(messages)
        if haste is Haste.NOW:
            self._loop.call_now_threadsafe(self._send_posted)
            return
        if haste is Haste.SHORTLY and self.brevity.is_watched:
            self._loop.call_along_threadsafe(self._send_posted)
            if self.brevity.is_watched:  # still: the loop wakes when that ends
                return
        self._loop.call_soon_threadsafe(self._send_posted)

    def wait_for_room(self) -> None:
        """Wait while too much waits for the node; without a lock, and ended by a signal handler that raises (P7)."""
        while True:
            self._is_awaited = True
            if self._pending <= _ROOM_BYTES:
                return
            try:
                self._bell.get(timeout=_ROOM_LOOK)
            except Empty:
                continue

    def _took(self, size: int) -> None:
        with self._lock:
            self._pending = max(0, self._pending - size)
        if self._is_awaited:
            self._is_awaited = False
            self._bell.put(None)

    def call_later(self, delay: float, function: Callable[..., object], *args: object) -> None:
        """Run a short function in the io thread, after so many seconds."""
        self._loop.call_soon_threadsafe(self._loop.call_later, delay, function, *args)

    def flush_later(self, flush: Callable[[], None]) -> None:
        """Run a function a moment later: more text usually follows."""
        self._loop.call_soon_threadsafe(self._loop.call_later, _TEE_WINDOW, flush)

    def copy(self, source: int, target: int) -> None:
        """Copy what comes from one descriptor to another, as long as something comes."""
        self._loop.call_soon_threadsafe(self._loop.add_reader, source, self._copy, source, target)

    def close(self, linger: float) -> None:
        """Say the last words and end the thread; at most `linger` seconds."""
        done = threading.Event()

        def close() -> None:
            assert self._connector is not None
            # A connector that lingers takes nothing more.
            if any(self._waiting.values()) and self._loop.time() < until:
                self._loop.call_later(_ROOM_LOOK / 100, close)
            else:
                self._connector.close(linger, done.set)

        until = self._loop.time() + linger
        self._loop.call_soon_threadsafe(close)
        done.wait(2 * linger + 0.5)
        self._loop.stop()

    def abandon(self) -> None:
        """In a forked child: close our descriptors and nothing else."""
        if self._connector is not None:
            self._connector.abandon()
        self._loop.close()

    # -- io thread -----------------------------------------------------------------------------------------------------

    def _send_posted(self) -> None:
        assert self._connector is not None
        taken = 0
        while self._posted:
            message = self._posted.popleft()
            waiting = self._waiting[message.lane]
            if self._bound is not None and not self._has_peer:
                taken += message.size  # nobody listens; who comes later asks
            elif waiting or not self._connector.send(message, more=self._is_followed(message.lane)):
                waiting.append(message)
            else:
                taken += message.size
        if taken:
            self._took(taken)

    def _is_followed(self, lane: Lane) -> bool:
        return bool(self._posted) and self._posted[0].lane is lane

    def _copy(self, source: int, target: int) -> None:
        try:
            data = os.read(source, _COPY_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(source)
        else:
            os.write(target, data)

    def hello_received(self, hello: Hello, proof: Proof) -> str | None:
        """A connector receives none."""

    def peer_joined(self, peer: Peer) -> None:
        """A node is there."""
        self._has_peer = True

    def message_received(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Hand a message on."""
        self._received(message, fds)

    def peer_silent(self, peer: Peer, silent: bool) -> None:
        """The node is busy; what is sent waits."""

    def peer_left(self, peer: Peer, why: str) -> None:
        """The node is gone."""
        self._has_peer = False
        for waiting in self._waiting.values():
            waiting.clear()
        self._took(self._pending)
        self._left(why)

    def lane_drained(self, peer: Peer, lane: Lane) -> None:
        """Send what had to wait."""
        assert self._connector is not None
        waiting = self._waiting[lane]
        while waiting and self._connector.send(waiting[0]):
            self._took(waiting.popleft().size)

    def link_failed(self, error: PxshellError) -> None:
        """There will be no node."""
        # Refused by name (a taken rank, another version) is news; that nobody is there is not.
        level = logging.INFO if isinstance(error, LinkLostError) else logging.WARNING
        _log.log(level, "%s; the program runs on without pxshell", error)
        self._left(str(error))
