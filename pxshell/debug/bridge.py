"""One editor's connection and the channels to its ranks, joined by a conversation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from pxshell.debug.channel import Channel
from pxshell.debug.conversation import (
    Conversation,
    Effect,
    End,
    Later,
    Source,
    ToEditor,
    ToRank,
    failure,
    farewell,
    response,
)
from pxshell.debug.framing import Framer, FramingError, encode
from pxshell.debug.ports import ClientPort
from pxshell.debug.stream import EditorStream
from pxshell.protocol.message import Message
from pxshell.ranks import RankSet
from pxshell.transport.loop import SelectLoop

__all__ = ["Bridge"]

#: What an editor may ask before `initialize` (Debug Adapter Protocol, Initialize Request: it is the first request).
_AT_ANY_TIME = frozenset({"initialize", "disconnect", "terminate"})

#: Opens the editor's side: given what takes bytes, what hears that there is room, and what hears of the end.
OpenStream = Callable[[Callable[[bytes], None], Callable[[], None], Callable[[], None]], EditorStream]


class Bridge:
    """One session of an editor; in the loop's thread.

    Args:
        loop: Whose thread.
        client: The connection to the cluster.
        ranks: Whom the editor debugs.
        who: For people.
        conversation: Decides what is said to whom.
        open_stream: Makes the editor's side.
        ended: Told why the session is over, once.
    """

    def __init__(
        self,
        loop: SelectLoop,
        client: ClientPort,
        ranks: RankSet,
        who: str,
        conversation: Conversation,
        open_stream: OpenStream,
        ended: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._client = client
        self._conversation = conversation
        self._ended = ended
        self._is_over = False
        self._is_initialized = False
        self._numbers = itertools.count(1)
        self._from_editor = Framer()
        self._from_rank = {rank: Framer() for rank in ranks}
        #: Bytes of each rank that were said to the editor, and whose credit it has not been given yet.
        self._owed = dict.fromkeys(ranks, 0)
        self._stream = open_stream(
            self._editor_received, self._editor_drained, lambda: self._close("the editor has gone")
        )
        self._channels = {rank: Channel(loop, client, rank, who, self) for rank in ranks}
        self._has_news = False
        self._unsubscribe = client.subscribe(self._heard)

    def close(self, why: str) -> None:
        """End the session from this side: the editor is told why, the ranks are as they were before."""
        if not self._is_over:
            self._do([*farewell(why), End(why)])

    def _close(self, why: str) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._unsubscribe()
        for channel in self._channels.values():
            channel.close(why)
        self._stream.close()
        self._ended(why)

    # -- the editor ----------------------------------------------------------------------------------------------------

    def _editor_received(self, data: bytes) -> None:
        try:
            messages = self._from_editor.feed(data)
        except FramingError as error:
            self.close(f"what the editor said is no Debug Adapter Protocol: {error}")
            return
        for message in messages:
            self._do(self._answer(message))
        self._throttle()

    def _answer(self, message: dict[str, Any]) -> list[Effect]:
        """Return what follows a message; one that makes no sense is refused, and what comes behind it is not lost."""
        command = str(message.get("command"))
        if not self._is_initialized and message.get("type") == "request" and command not in _AT_ANY_TIME:
            return [ToEditor(failure(message, "the first request has to be initialize"))]
        self._is_initialized |= command == "initialize"
        try:
            return self._conversation.editor_said(message)
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
            return [ToEditor(failure(message, f"the request makes no sense: {error}"))]

    def _editor_drained(self) -> None:
        for rank, count in self._owed.items():
            self._owed[rank] = 0
            self._channels[rank].use(count)

    def _throttle(self) -> None:
        self._stream.pause(is_paused=any(channel.is_full for channel in self._channels.values()))

    # -- the ranks -----------------------------------------------------------------------------------------------------

    def channel_received(self, rank: int, data: bytes) -> None:
        """Take what a rank's debugpy says."""
        try:
            messages = self._from_rank[rank].feed(data)
        except FramingError as error:
            self.close(f"what debugpy of rank {rank} said is no Debug Adapter Protocol: {error}")
            return
        for message in messages:
            self._do(self._conversation.rank_said(rank, message))
        if self._stream.is_full:
            self._owed[rank] += len(data)
        else:
            self._channels[rank].use(len(data))

    def channel_drained(self, rank: int) -> None:
        """Let the editor say more."""
        self._throttle()

    def channel_refused(self, rank: int, why: str) -> None:
        """Tell the editor that a rank does not take it."""
        self._do(self._conversation.rank_refused(rank, why))

    def channel_ended(self, rank: int, why: str) -> None:
        """Tell the editor that a rank is gone."""
        self._do(self._conversation.rank_ended(rank, why))

    def _heard(self, message: Message) -> None:
        """Have the news looked at, once for many; in the client's thread."""
        if message.type == "px_state" and not self._has_news:
            self._has_news = True
            self._loop.call_soon_threadsafe(self._look_at_states)

    def _look_at_states(self) -> None:
        self._has_news = False
        self._do(self._conversation.states_changed())

    # -- effects -------------------------------------------------------------------------------------------------------

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if self._is_over:
                return
            match effect:
                case ToEditor(message, number):
                    self._stream.send(encode({**message, "seq": next(self._numbers) if number is None else number}))
                case ToRank(rank, message):
                    self._channels[rank].send(encode(message))
                case Source():
                    self._fetch(effect)
                case Later(seconds):
                    self._loop.call_later(seconds, self._due)
                case End(why):
                    self._close(why)

    def _due(self) -> None:
        if not self._is_over:
            self._do(self._conversation.due())

    def _fetch(self, source: Source) -> None:
        def answered(message: Message) -> None:
            self._loop.call_soon_threadsafe(self._fetched, source, message.data())

        content = {"file": source.file}
        self._client.request("px_file_request", content, RankSet.of(source.rank), on_message=answered)

    def _fetched(self, source: Source, content: dict[str, Any]) -> None:
        if content.get("status") == "ok":
            answer = response(source.request, {"content": content["text"], "mimeType": "text/x-python"})
        else:
            answer = failure(source.request, str(content.get("why") or content.get("evalue") or "no such file"))
        self._do([ToEditor(answer)])
