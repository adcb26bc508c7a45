"""A front end's connection to one cluster."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import WeakValueDictionary

import msgspec

from pxshell.client.request import Request
from pxshell.client.snapshot import Snapshot
from pxshell.client.views import View
from pxshell.errors import DeadlineError, LinkLostError, PxshellError, RefusedError
from pxshell.protocol.message import Buffer, Message, encode_content
from pxshell.protocol.prefix import Hello
from pxshell.protocol.state import RankState, StateTable
from pxshell.protocol.types import Lane, Role
from pxshell.ranks import Context, Mesh, RankSet, parse
from pxshell.rendezvous import connection
from pxshell.rendezvous.connection import ConnectionInfo
from pxshell.rendezvous.limits import size_limits, transport_settings
from pxshell.rendezvous.shared import References, shared_of
from pxshell.transport.base import Connector, Peer, Proof, make_hello
from pxshell.transport.zeromq import ZmqConnector

__all__ = ["Client"]

_log = logging.getLogger(__name__)

#: What carries values, and may carry them in shared memory.
_WITH_VALUES = frozenset({"px_push_request", "px_pull_request", "px_apply_request"})
_VALUES = frozenset({"px_pull_reply", "px_apply_reply"})
#: Seconds between looks at the process of a controller that is silent; the first comes when its link has just been cut.
_FIRST_LOOK = 0.05
_NEXT_LOOK = 0.5


class Client:
    """A connection to one cluster; usable from any thread.

    An io thread of its own receives; callbacks (`on_message`, subscribers) run in it and must return soon.

    Args:
        where: a cluster's name, its connection file, or what the file holds; None for the only cluster there is.
        timeout: seconds that the controller may take to answer the first hello.
        stay: whether ranks whose script ends while this client is connected wait for it, as after `python -i`.

    Raises:
        NoClusterError, ClusterNotFoundError, ConnectionFileError, AuthenticationError, VersionMismatchError: it
        cannot join.
        DeadlineError: nobody answers.
    """

    def __init__(
        self, where: str | Path | ConnectionInfo | None = None, *, timeout: float = 10.0, stay: bool = False
    ) -> None:
        self.connection = _info(where)
        self.name = self.connection.name
        self.role: str = self.connection.role
        self._hello = make_hello(Role(self.connection.role), keep=True)
        self.id: str = self._hello.id
        #: Not all accounted for yet.
        self._requests: dict[str, Request] = {}
        #: Those that are, for as long as somebody has them: a reply may hold gigabytes, and late output goes to them.
        self._done: WeakValueDictionary[str, Request] = WeakValueDictionary()
        self._subscribers: list[Callable[[Message], None]] = []
        self._serial = itertools.count(1)
        self._limits = size_limits()
        self._changed = threading.Condition()
        self._snapshot: Snapshot | None = None
        self._states = StateTable()
        self._shown_states = StateTable()
        self._failure: PxshellError | None = None
        self._closed = False
        self._silent = False
        self._asking: set[threading.Event] = set()
        #: In shared memory until the request of this id is done.
        self._lent: dict[str, References] = {}
        self._loop = asyncio.new_event_loop()
        self._connector: Connector | None = None
        self._thread = threading.Thread(target=self._run, name="pxshell-client", daemon=True)
        self._thread.start()
        self._join(timeout)
        if stay:
            self.ask("px_attend_request", {"stay": True}, timeout)

    def __repr__(self) -> str:
        return f"<Client of {self.name}: ranks {self.ranks}>"

    # -- joining and leaving -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """The io thread."""
        asyncio.set_event_loop(self._loop)
        info = self.connection
        try:
            self._connector = ZmqConnector(
                self._loop,
                _Handler(self),
                self._hello,
                addresses=info.addresses,
                server_public=info.server_public,
                public=info.public,
                secret=info.secret,
                keep=True,
                settings=transport_settings(self._limits),
            )
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _join(self, timeout: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._snapshot is not None or self._failure is not None, timeout)
        if self._failure is not None:
            self.close()
            raise self._failure
        if self._snapshot is None:
            self.close()
            raise DeadlineError(f"join cluster {self.name}: its controller", timeout)

    def close(self) -> None:
        """Leave; the cluster goes on. Requests in flight are accounted for as lost to this client."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
        for request in list(self._requests.values()):
            self._lose(request, "this client has left the cluster")
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._close_in_loop)
            if threading.current_thread() is not self._thread:
                self._thread.join()

    def _close_in_loop(self) -> None:
        if self._connector is None:
            self._loop.stop()
        else:
            self._connector.close(linger=1.0, done=self._loop.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- what is known -------------------------------------------------------------------------------------------------

    @property
    def snapshot(self) -> Snapshot:
        """What the cluster told when this client joined; see `states` for the present."""
        assert self._snapshot is not None
        return self._snapshot

    @property
    def states(self) -> StateTable:
        """The states of all ranks, as known now."""
        return self._states

    @property
    def shown_states(self) -> StateTable:
        """The states of all ranks in the order of their output: what a rank said before a state has come."""
        return self._shown_states

    @property
    def is_closed(self) -> bool:
        """Whether it has left the cluster."""
        return self._closed

    @property
    def trouble(self) -> str:
        """Why nothing gets through, for the moment or for good; "" when all is well. A `px_notice` tells of changes."""
        if self._failure is not None:
            return str(self._failure)
        return f"the controller of {self.name} does not answer" if self._silent else ""

    @property
    def ranks(self) -> RankSet:
        """All ranks of the world, those that are not there yet included."""
        return RankSet.span(0, self.snapshot.size)

    def wait_until(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until a condition on what is known holds; it is asked anew whenever a state changes.

        Returns:
            Whether it held within `timeout` seconds.
        """
        with self._changed:
            return self._changed.wait_for(lambda: condition() or self._failure is not None, timeout) and condition()

    # -- asking --------------------------------------------------------------------------------------------------------

    def request(
        self,
        type: str,  # noqa: A002 - Jupyter's name of the field
        content: Mapping[str, Any],
        ranks: RankSet,
        *,
        buffers: Sequence[Buffer] = (),
        key: str = "",
        on_message: Callable[[Message], None] | None = None,
    ) -> Request:
        """Send one request to ranks; return what collects the answers.

        Requests on the control lane overtake cells. To interrupt a cell, name it: `interrupt_request` with its id as
        `cell` hits that one or none. `px_signal_request` is for the process, whatever runs there when it comes: wait
        for its answer before you send a cell that it is not meant for.

        Args:
            type: a type of `protocol.types` that goes down.
            content: its content.
            ranks: for whom; those that cannot answer are accounted for at once.
            buffers: raw bytes that go along; they must not change until the request is done.
            key: of the tunnel that it opens.
            on_message: called in the io thread with every message that belongs to it.

        Raises:
            LinkLostError: this client has been closed.
        """
        id_ = f"{self.id[:12]}-{next(self._serial)}"
        request = Request(id_, ranks, on_message, self._log_names, self._limits.view)
        if type in _WITH_VALUES:
            content, buffers = self._lend(id_, content, buffers)
        message = Message.make(type, id_, content, ranks=ranks, origin=self.id, buffers=buffers, key=key)
        with self._changed:
            if self._closed:
                raise LinkLostError(f"cluster {self.name}", "this client has been closed")
            self._requests[id_] = request
        self._loop.call_soon_threadsafe(self._send, request, message)
        return request

    def _lend(
        self, id_: str, content: Mapping[str, Any], buffers: Sequence[Buffer]
    ) -> tuple[Mapping[str, Any], Sequence[Buffer]]:
        """Put large buffers where the ranks find them, if they are on this machine, and ask for theirs in that way."""
        shared = shared_of(Path(self.connection.directory))
        if shared is None or len(self.snapshot.hosts) > 1:
            return content, buffers
        left, references = shared.put(buffers)
        if references:
            self._lent[id_] = references
        return {**content, "shared": references, "shares": True}, left

    def _give_back(self, id_: str) -> None:
        references = self._lent.pop(id_, None)
        shared = shared_of(Path(self.connection.directory)) if references else None
        if references and shared is not None:
            shared.remove(references)

    def _with_shared(self, message: Message) -> Message:
        """Return a reply with the buffers that its rank has put into shared memory."""
        references = message.data().get("shared")
        shared = shared_of(Path(self.connection.directory)) if references else None
        if not references or shared is None:
            return message
        try:
            return msgspec.structs.replace(message, buffers=tuple(shared.get(message.buffers, references, take=True)))
        except (OSError, ValueError) as error:
            why = f"the value was left in shared memory and cannot be read: {error}"
            content = {"status": "error", "ename": type(error).__name__, "evalue": why, "traceback": [why]}
            return msgspec.structs.replace(message, content=encode_content(content), buffers=())

    def _send(self, request: Request, message: Message) -> None:
        assert self._connector is not None
        if self._failure is not None:
            self._lose(request, str(self._failure))
        elif not self._connector.send(message):
            self._lose(request, "the link to the controller is full: wait until what was sent has gone")

    def _lose(self, request: Request, why: str) -> None:
        request.lose(request.targets, why)
        self._settle(request)

    def _settle(self, request: Request) -> None:
        """Let go of a request that is done; who has it still gets what comes for it."""
        if self._requests.pop(request.id, None) is not None:
            self._done[request.id] = request
            self._give_back(request.id)

    def _log_names(self, ranks: RankSet) -> str:
        name = f"rank-{ranks.first}.log" if len(ranks) == 1 else "rank-N.log"
        return str(Path(self.connection.directory) / "logs" / name)

    def tell(
        self,
        type: str,  # noqa: A002
        content: Mapping[str, Any],
        ranks: RankSet,
        *,
        buffers: Sequence[Buffer] = (),
        key: str = "",
    ) -> None:
        """Send what is not answered (input replies, comm messages, a debugger's bytes)."""
        id_ = f"{self.id[:12]}-{next(self._serial)}"
        message = Message.make(type, id_, content, ranks=ranks, origin=self.id, buffers=buffers, key=key)
        self._loop.call_soon_threadsafe(lambda: self._connector is not None and self._connector.send(message))

    def ask(self, type: str, content: Mapping[str, Any], timeout: float = 10.0) -> dict[str, Any]:  # noqa: A002
        """Ask the controller itself; return the reply's content.

        Raises:
            DeadlineError: no answer within `timeout` seconds.
            RefusedError: the controller said no.
            LinkLostError: the controller is gone.
        """
        answered = threading.Event()
        self._asking.add(answered)
        try:
            request = self.request(type, content, RankSet(), on_message=lambda _: answered.set())
            if self._failure is None:
                answered.wait(timeout)
            self._requests.pop(request.id, None)
        finally:
            self._asking.discard(answered)
        if not request.messages:
            if self._failure is not None:
                raise self._failure
            raise DeadlineError(f"ask cluster {self.name}: its controller", timeout)
        message = request.messages[0]
        if message.type == "px_denied":
            raise RefusedError(str(message.data()["why"]))
        return message.data()

    def subscribe(self, callback: Callable[[Message], None]) -> Callable[[], None]:
        """Receive what belongs to no request of this client that somebody waits for; returns what ends it.

        That is: output of scripts (parent "run"), states (`px_state` at once, `px_place` in order with the output),
        notices,
        input requests of scripts, and late output.
        """
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    # -- ipyparallel's words -------------------------------------------------------------------------------------------

    @property
    def ids(self) -> list[int]:
        """The ranks that are alive."""
        return list(self._states.alive())

    def __len__(self) -> int:
        return len(self._states.alive())

    def __getitem__(self, key: int | slice | Sequence[int] | str) -> View:
        """Return a view: `client[0]`, `client[::2]`, `client[[0, 3]]`, `client["0-3,7"]`."""
        return View(self, self._targets(key), is_single=isinstance(key, int))

    def _targets(self, key: int | slice | Sequence[int] | str) -> RankSet:
        if isinstance(key, str):
            return parse(key, self._context())
        if isinstance(key, slice):
            return RankSet(list(self.ranks)[key])
        if isinstance(key, int):
            return parse(str(key), self._context())
        return parse(",".join(map(str, key)), self._context())

    def _context(self) -> Context:
        snapshot = self.snapshot
        mesh = Mesh.parse(snapshot.mesh) if snapshot.mesh else None
        return Context(universe=self.ranks, hosts=snapshot.hosts, mesh=mesh)

    def direct_view(self, targets: int | slice | Sequence[int] | str = "all", *, block: bool = False) -> View:
        """Return a view of these ranks."""
        return View(self, self._targets(targets), block=block)

    broadcast_view = direct_view

    def wait_for_engines(self, n: int, timeout: float = 30.0) -> None:
        """Wait until n ranks are there.

        Raises:
            DeadlineError: they are not, within `timeout` seconds; the message says which are missing.
        """
        if not self.wait_until(lambda: len(self) >= n, timeout):
            raise DeadlineError(f"wait for {n} ranks", timeout, str(self.ranks - self._states.alive()))

    # -- the io thread -------------------------------------------------------------------------------------------------

    def _received(self, message: Message) -> None:
        if message.type == "px_snapshot":
            self._joined(Snapshot.from_content(message.data()))
            return
        if message.type in ("px_state", "px_place"):
            self._learn(message)
        if message.type in _VALUES:
            message = self._with_shared(message)
        request = self._requests.get(message.parent) or self._done.get(message.parent)
        if request is not None:
            request.take(message)
            if request.done:
                self._settle(request)
        if request is None or request.is_forgotten or message.header.late:
            self._publish(message)

    def _publish(self, message: Message) -> None:
        for callback in list(self._subscribers):
            try:
                callback(message)
            except Exception:  # noqa: BLE001 - a loop's edge: one subscriber's fault must not stop the io thread
                _log.exception("a subscriber failed on %s", message.type)

    def _joined(self, snapshot: Snapshot) -> None:
        with self._changed:
            self._snapshot = snapshot
            self._states = self._shown_states = snapshot.states
            self._changed.notify_all()

    def _learn(self, message: Message) -> None:
        state = RankState.from_content(message.data())
        with self._changed:
            if message.type == "px_state":
                self._states = self._states.updated(message.ranks, state)
            else:
                self._shown_states = self._shown_states.updated(message.ranks, state)
            self._changed.notify_all()

    def _fell_silent(self, silent: bool) -> None:
        """The controller gives no sign of life, or is back: people are told, once it is clear which."""
        was_silent, self._silent = self._silent, silent
        if silent and not was_silent:
            self._loop.call_later(_FIRST_LOOK, self._look, True)
        elif was_silent and not silent and self._failure is None:
            self._say(f"{self.name} is back", "info")

    def _look(self, is_first: bool) -> None:
        """Tell a controller that is busy from one whose process has ended, which will never answer (P3)."""
        if not self._silent or self._failure is not None:
            return
        if not connection.is_alive(self.connection):
            why = f"its controller has ended; to end its ranks too: pxshell stop {self.name}"
            self._failed(LinkLostError(f"cluster {self.name}", why))
            return
        if is_first:
            self._say(f"the controller of {self.name} does not answer", "warning")
        self._loop.call_later(_NEXT_LOOK, self._look, False)

    def _say(self, text: str, level: str) -> None:
        content = {"text": text, "level": level}
        self._publish(Message.make("px_notice", f"local-{next(self._serial)}", content))

    def _failed(self, error: PxshellError) -> None:
        if self._failure is not None:
            return
        with self._changed:
            self._failure = error
            self._changed.notify_all()
        for answered in list(self._asking):
            answered.set()
        for request in list(self._requests.values()):
            self._lose(request, str(error))
        if self._snapshot is not None:
            self._say(str(error), "error")


class _Handler:
    """Handler of the client's connector; runs in its io thread."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def hello_received(self, hello: Hello, proof: Proof) -> str | None:
        """A connector receives none."""

    def peer_joined(self, peer: Peer) -> None:
        """The controller is there; its snapshot follows."""

    def message_received(self, peer: Peer, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Take a message."""
        self._client._received(message)  # noqa: SLF001 - its own handler

    def peer_silent(self, peer: Peer, silent: bool) -> None:
        """The controller gives no sign of life, or is back: people are told."""
        self._client._fell_silent(silent)  # noqa: SLF001 - its own handler

    def peer_left(self, peer: Peer, why: str) -> None:
        """The controller is gone."""
        self._client._failed(LinkLostError(f"cluster {self._client.name}", why))  # noqa: SLF001 - its own handler

    def lane_drained(self, peer: Peer, lane: Lane) -> None:
        """Requests that found the link full were refused, so nothing waits here."""

    def link_failed(self, error: PxshellError) -> None:
        """There will be no link."""
        self._client._failed(error)  # noqa: SLF001 - its own handler


def _info(where: str | Path | ConnectionInfo | None) -> ConnectionInfo:
    if isinstance(where, ConnectionInfo):
        return where
    if isinstance(where, Path):
        return connection.read_connection(where)
    return connection.find(where)
