"""A tunnel to the debugger of one rank, from the front end's side."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Protocol

from pxshell.debug.ports import ClientPort
from pxshell.protocol.endings import status_text
from pxshell.protocol.message import Message
from pxshell.protocol.tunnel import Chunk, Tunnel, TunnelError
from pxshell.ranks import RankSet
from pxshell.transport.loop import SelectLoop

__all__ = ["Channel", "ChannelOwner"]


class ChannelOwner(Protocol):
    """Who is told; in the loop's thread."""

    def channel_received(self, rank: int, data: bytes) -> None:
        """Take bytes of the rank's debugpy; say `Channel.use` when they are used up."""

    def channel_drained(self, rank: int) -> None:
        """Learn that the channel is not full any more."""

    def channel_refused(self, rank: int, why: str) -> None:
        """Learn that it will not open."""

    def channel_ended(self, rank: int, why: str) -> None:
        """Learn that it was open and has ended; said once, and not after `close`."""


class Channel:
    """Bytes to and from one rank's debugpy; everything but construction in the loop's thread.

    Args:
        loop: Whose thread it lives in.
        client: The connection to the cluster.
        rank: Which rank.
        who: For people: who debugs.
        owner: Is told.
    """

    def __init__(self, loop: SelectLoop, client: ClientPort, rank: int, who: str, owner: ChannelOwner) -> None:
        self.rank = rank
        self._loop = loop
        self._client = client
        self._owner = owner
        self._ranks = RankSet.of(rank)
        self._tunnel = Tunnel()
        self._before = bytearray()  # what came before it was open
        self._is_open = False
        self._is_over = False
        self.key = uuid.uuid4().hex
        self._unsubscribe = client.subscribe(self._heard)
        client.request(
            "px_debug_open_request", {"who": who}, self._ranks, key=self.key, on_message=self._post(self._answered)
        )

    @property
    def is_full(self) -> bool:
        """Whether bytes wait for the rank."""
        return self._tunnel.is_full

    def send(self, data: bytes) -> None:
        """Send bytes to the rank's debugpy, once it is there."""
        if not self._is_open:
            self._before += data
        elif not self._is_over:
            self._tell(self._tunnel.send(data))

    def use(self, count: int) -> None:
        """Say that so many received bytes are used up."""
        if not self._is_over:
            self._tell(self._tunnel.use(count))

    def close(self, why: str) -> None:
        """Let the rank go."""
        if self._is_over:
            return
        self._is_over = True
        self._unsubscribe()
        self._client.tell("px_debug_close", {"why": why}, self._ranks, key=self.key)

    # -- the client's io thread ----------------------------------------------------------------------------------------

    def _post(self, function: Callable[[Message], None]) -> Callable[[Message], None]:
        return lambda message: self._loop.call_soon_threadsafe(function, message)

    def _heard(self, message: Message) -> None:
        if message.header.key == self.key or (message.type == "px_state" and self.rank in message.ranks):
            self._loop.call_soon_threadsafe(self._take, message)
        elif message.type == "px_notice":  # perhaps of the client's own: that nothing gets through
            self._loop.call_soon_threadsafe(self._look)

    # -- the loop's thread ---------------------------------------------------------------------------------------------

    def _answered(self, message: Message) -> None:
        if self._is_over:
            return
        content = message.data()
        if message.type == "px_debug_open_reply" and content.get("status") == "ok":
            self._is_open = True
            self._tell(self._tunnel.send(bytes(self._before)))
        elif message.type in {"px_debug_open_reply", "px_missing", "px_denied"}:
            self._over()
            # For the controller, which counts it among the open ones; the rank knows nothing of it.
            self._client.tell("px_debug_close", {"why": "it was refused"}, self._ranks, key=self.key)
            self._owner.channel_refused(self.rank, str(content.get("why") or "it refused"))

    def _take(self, message: Message) -> None:
        if self._is_over:
            return
        if message.type == "px_debug_data":
            self._receive(message)
        elif message.type == "px_debug_close":
            self._end(str(message.data().get("why") or "it has let the editor go"))
        elif message.type == "px_state":
            self._look()

    def _receive(self, message: Message) -> None:
        content = message.data()
        data = bytes(message.buffers[0]) if message.buffers else b""
        was_full = self.is_full
        try:
            self._tell(self._tunnel.receive(Chunk(int(content["at"]), int(content["taken"]), data)))
        except TunnelError as error:
            self._let_go(str(error))
            return
        if data:
            self._owner.channel_received(self.rank, data)
        if was_full and not self.is_full:
            self._owner.channel_drained(self.rank)

    def _look(self) -> None:
        """End when the rank is gone, or nothing gets through to it."""
        state = self._client.states.of(self.rank)
        if self._is_over:
            return
        if self._client.trouble:
            self._let_go(self._client.trouble)
        elif state is not None and not state.is_alive:
            self._let_go(f"it is gone: {state.why or status_text(state.exit)}")

    def _let_go(self, why: str) -> None:
        """End from this side; the rank hears of it as soon as something gets through, if not before from its node."""
        self._client.tell("px_debug_close", {"why": why}, self._ranks, key=self.key)
        self._end(why)

    def _end(self, why: str) -> None:
        was_open = self._is_open
        self._over()
        if was_open:
            self._owner.channel_ended(self.rank, why)
        else:
            self._owner.channel_refused(self.rank, why)

    def _over(self) -> None:
        self._is_over = True
        self._unsubscribe()

    def _tell(self, chunks: list[Chunk]) -> None:
        for chunk in chunks:
            buffers = [chunk.data] if chunk.data else []
            self._client.tell("px_debug_data", chunk.to_content(), self._ranks, buffers=buffers, key=self.key)
