"""Everything that this rank says: headers, marks, digests, and the order of messages and printed text.

Any thread may speak but io: one lock covers writing a mark and queueing its message, so that both have one order.
Whoever holds it may wait for room in a pipe, until the node has taken messages that only the io thread can send.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pxshell.engine.output import Pipes, flush_python
from pxshell.engine.tee import Tee
from pxshell.protocol.digest import digest_of
from pxshell.protocol.marks import Scope
from pxshell.protocol.message import Buffer, Message, encode_content
from pxshell.protocol.state import RankState
from pxshell.protocol.types import Fold, Lane, lane_of, type_of
from pxshell.ranks import RankSet

__all__ = ["Haste", "Outbox", "Outside", "Request"]


class Haste(Enum):
    """How soon a message has to leave."""

    #: In the thread that speaks, which nothing interrupts and which holds nothing that the io thread waits for.
    NOW = "now"
    #: By the io thread.
    SOON = "soon"
    #: What a cell says: when it ends in a moment, together with the reply.
    SHORTLY = "shortly"


@dataclass(frozen=True, slots=True)
class Request:
    """What answers refer to: a request's id and who asked."""

    id: str
    origin: str = ""


NOBODY = Request("")


@dataclass(frozen=True, slots=True)
class Outside:
    """Whose turn it was before a cell: text belongs to it again when the cell has been left."""

    cell: Request
    is_over: bool


class Outbox:
    """Builds messages and hands them to the io thread.

    Args:
        rank: This rank's number.
        prefix: Begins the id of every message; new for each process.
        epoch: How many processes this rank had before.
        pipes: Where marks go.
        post: Queues messages for the link; called under the lock, must not block for long.
    """

    def __init__(
        self, rank: int, prefix: str, epoch: int, pipes: Pipes, post: Callable[[list[Message], Haste], None]
    ) -> None:
        self.pipes = pipes
        self.tee = Tee(self._teed)
        self._ranks = RankSet([rank])
        self._prefix = prefix
        self._epoch = epoch
        self._post = post
        self._numbers = itertools.count(1)
        # Reentrant: a pause may begin in the main thread while it holds this.
        self._lock = threading.RLock()
        self._held: list[Message] | None = None
        #: The cell whose code the main thread runs, or ran last.
        self._cell = NOBODY
        self._is_over = False

    # -- whose turn it is: main thread --------------------------------------------------------------------------------

    def enter_cell(self, request: Request) -> Outside:
        """Let text and messages belong to a cell; return what they belong to after it."""
        cell, is_over = self._cell, self._is_over
        self._enter(request, is_over=False)
        return Outside(request, is_over=True) if cell is NOBODY or is_over else Outside(cell, is_over)

    def leave_cell(self, outside: Outside) -> None:
        """Let text and messages belong to what was there before, or be late."""
        self._enter(outside.cell, is_over=outside.is_over)

    def begin(self, request: Request) -> None:
        """Let text and messages belong to a request from here on."""
        self._enter(request, is_over=False)

    def _enter(self, request: Request, is_over: bool) -> None:
        with self._lock:
            flush_python()
            self._cell, self._is_over = request, is_over
            self.pipes.begin_cell(Scope(request.id, request.origin, is_over))
            self.tee.enter(request.id)

    def _leave(self, outside: Outside) -> None:
        """Leave a cell of which the mark has been written."""
        self._cell, self._is_over = outside.cell, outside.is_over
        self.tee.enter(outside.cell.id)

    def close_in_child(self) -> None:
        """Be silent in a forked child; the lock may be held by a thread that is not there."""
        self._lock = threading.RLock()
        self._held = None
        self.tee.close_in_child()
        self.pipes.close_in_child()

    @contextmanager
    def together(self, haste: Haste = Haste.SOON) -> Iterator[None]:
        """Hand on what is said inside in one piece, behind one mark: one wake-up of the io thread instead of several.

        Nothing may be printed inside. One mark: the node reads no further than a mark whose message has not come, so a
        message must not wait here while the mark of the next one waits for room in the pipe.
        """
        with self._lock:
            outermost = self._held is None
            if outermost:
                self._held = []
            try:
                yield
            finally:
                if outermost:
                    held, self._held = self._held, None
                    if held:
                        self._post(held, haste)

    # -- speaking: any thread -----------------------------------------------------------------------------------------

    def say(
        self,
        type_: str,
        content: Mapping[str, Any],
        *,
        key: str = "",
        buffers: Sequence[Buffer] = (),
        about: Request | None = None,
    ) -> None:
        """Say something for the cell in flight, after all that was printed before."""
        about = about or self._cell
        late = about is self._cell and self._is_over and bool(about.id)
        is_marked = lane_of(type_) is Lane.WORK
        haste = Haste.SHORTLY if is_marked and not late else Haste.SOON
        self._send(type_, content, about, key=key, buffers=buffers, late=late, is_marked=is_marked, haste=haste)

    def answer(
        self,
        request: Request,
        type_: str,
        content: Mapping[str, Any],
        buffers: Sequence[Buffer] = (),
        *,
        is_marked: bool = False,
        outside: Outside | None = None,
    ) -> Message:
        """Answer a request.

        Args:
            request: What it answers.
            type_: A reply.
            content: Its content.
            buffers: What goes along.
            is_marked: For what follows text that the main thread printed for it.
            outside: With a mark: the cell ends here, and text belongs to this from here on.
        """
        return self._send(type_, content, request, buffers=buffers, is_marked=is_marked, outside=outside)

    def state(self, state: RankState, *, is_marked: bool) -> None:
        """Report a state: urgent on control, and in order on work."""
        content = state.to_content()
        # The counter differs from rank to rank without meaning.
        normal = encode_content(content | {"counter": 0})
        with self.together():
            self._send("px_state", content, NOBODY, normal=normal)
            self._send("px_place", content, NOBODY, normal=normal, is_marked=is_marked)

    def again(self, message: Message) -> None:
        """Send a kept message once more; text that stood before it has long been read."""
        with self._lock:
            self._queue(message.with_header(mark=0))

    def _send(
        self,
        type_: str,
        content: Mapping[str, Any] | bytes,
        about: Request,
        *,
        key: str = "",
        buffers: Sequence[Buffer] = (),
        late: bool = False,
        is_marked: bool = False,
        normal: bytes | None = None,
        outside: Outside | None = None,
        haste: Haste = Haste.SOON,
    ) -> Message:
        encoded = content if isinstance(content, bytes) else encode_content(content)
        row = type_of(type_)
        folds = row is not None and row.fold is Fold.DIGEST and not key
        digest = digest_of(type_, about.id, encoded if normal is None else normal, buffers) if folds else b""
        with self._lock:
            if is_marked:
                self.tee.flush()
            message = Message.make(
                type_,
                f"{self._prefix}{next(self._numbers)}",
                encoded,
                ranks=self._ranks,
                parent=about.id,
                origin=about.origin,
                epoch=self._epoch,
                digest=digest,
                key=key,
                mark=self._position(outside) if is_marked else 0,
                late=late,
                buffers=buffers,
            )
            self._queue(message, haste)
            return message

    def _position(self, outside: Outside | None) -> int:
        if any(message.header.mark for message in self._held or ()):
            return 0
        if outside is None:
            return self.pipes.position()
        number = self.pipes.position(Scope(outside.cell.id, outside.cell.origin, outside.is_over))
        self._leave(outside)
        return number

    def _queue(self, message: Message, haste: Haste = Haste.SOON) -> None:
        if self._held is None:
            self._post([message], haste)
        else:
            self._held.append(message)

    def _teed(self, name: str, text: str, cell: str) -> None:
        about = self._cell if cell == self._cell.id else Request(cell)
        self._send("stream", {"name": name, "text": text}, about, late=self._is_over and cell == self._cell.id)
