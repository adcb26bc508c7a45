"""One cell in flight: its output is shown as it comes, its answers at once at the end (P1)."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

from pxshell.protocol.canonical import canonical
from pxshell.protocol.message import Message
from pxshell.ranks import EMPTY
from pxshell.render.events import CellAnswers
from pxshell.render.grouping import unfolded
from pxshell.session.answers import answers_of, event_of
from pxshell.session.asks import Asks
from pxshell.session.desk import Desk
from pxshell.session.ports import RequestPort
from pxshell.session.questions import Questions

__all__ = ["Flight"]

_ANSWERS = frozenset({"execute_result", "error"})
#: Ranks that ask within so many seconds ask together, and are answered by rank.
_GATHER_S = 0.2
#: What the face has nothing to do for before the last rank has answered.
_QUIET = _ANSWERS | {"execute_reply"}


class Flight:
    """Between a cell's request and its last answer.

    In the foreground messages wait in an inbox for the face's thread; in the background the io thread shows them.
    What a rank says after an answer of its own is held back until the answers are shown, so that its order is kept.

    Args:
        cell: Its number.
        live: Show output as it comes; else its fold at the end.
        on_done: Called once, in the io thread, when a cell in the background is accounted for.
    """

    def __init__(
        self,
        desk: Desk,
        asks: Asks,
        cell: int,
        *,
        live: bool = True,
        each: bool = False,
        on_done: Callable[[Flight], None],
    ) -> None:
        self.cell = cell
        self.request: RequestPort | None = None
        self._desk = desk
        self._asks = asks
        self._live = live
        self._each = each
        self._on_done = on_done
        self._questions = Questions()
        self._inbox: deque[Message] = deque()
        #: Rung when there is something to do; it holds one ring at most.
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_foreground = True
        self._is_done = False
        self._answered = EMPTY
        #: Said after the speaker's answer; shown after the answers.
        self._held: list[Message] = []
        #: Not shown, for this cell's fold is shown at the end.
        self._unshown: list[Message] = []

    def on_message(self, message: Message) -> None:
        """Take a message, in the io thread; late ones come by `subscribe` as well, and are shown there."""
        if message.header.late:
            return
        with self._lock:
            if self._is_foreground:
                self._inbox.append(message)
                if self._is_news(message) and self._bell.empty():
                    self._bell.put(None)
                return
        self._show_behind(message)
        self._check_done()

    def _is_news(self, message: Message) -> bool:
        """Tell whether the face's thread is woken: that takes longer than what it would do for an answer.

        While some rank's question waits for those of others, each answer says of one more that it will not ask.
        """
        return message.type not in _QUIET or self.request is None or self.request.done or bool(self._questions)

    # In the foreground: the face's thread.

    def take(self, timeout: float) -> None:
        """Wait for something to do at most `timeout` seconds, show all that has come, and ask what ranks ask."""
        if self._take_all(timeout):
            self._answer_questions()

    def _take_all(self, timeout: float) -> bool:
        """Take all that has come, at the latest after `timeout` seconds; False when nothing has."""
        if timeout > 0:
            with suppress(queue.Empty):
                self._bell.get(timeout=timeout)
        if not self._inbox:
            return False
        while (message := self._next()) is not None:
            self._take_ahead(message)
        return True

    def _answer_questions(self) -> None:
        until = time.monotonic() + _GATHER_S
        while self._questions and self._may_ask_too() and (left := until - time.monotonic()) > 0:
            self._take_all(left)
        while (message := self._questions.take()) is not None:
            self._asks.answer(message)
            self._take_all(0)

    def _may_ask_too(self) -> bool:
        assert self.request is not None
        return bool(self.request.account.pending - self._questions.ranks)

    def forget_questions(self) -> None:
        """Ask nothing of what ranks have asked until now: an interrupt has ended their waiting."""
        self._take_all(0)
        self._questions.clear()

    def _take_ahead(self, message: Message) -> None:
        if message.type == "input_request":
            self._questions.add(message)
        elif self._live:
            self._show(message)
        else:
            self._unshown.append(message)

    def finish(self) -> CellAnswers:
        """Show the answers, and what was held back for them; nothing more is shown for this cell."""
        self.take(0)
        with self._lock:
            self._is_done = True
            self._is_foreground = False
        assert self.request is not None
        fold = self._fold()
        if not self._live:
            self._show_all(fold)
        answers = answers_of(self.cell, fold, self.request.account)
        self._desk.show(unfolded(answers) if self._each else answers)
        for message in self._held:
            self._show_event(message)
        return answers

    def leave(self) -> None:
        """Go to the background, with all that has come shown."""
        with self._lock:
            # The io thread waits for this lock with its next message, so the order stays.
            self._show_all(canonical(self._unshown))
            while (question := self._questions.take()) is not None:
                self._asks.add(question)
            while (message := self._next()) is not None:
                self._show_behind(message)
            self._is_foreground = False
        self._check_done()

    def _next(self) -> Message | None:
        return self._inbox.popleft() if self._inbox else None

    def _show_all(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._show(message)

    def _show(self, message: Message) -> None:
        """Show output; hold back what its ranks said after their answers."""
        if message.type in _ANSWERS:
            self._answered |= message.ranks
            return
        held = message.ranks & self._answered
        free = message.ranks - held
        if held:
            self._held.append(message.with_ranks(held))
        if free:
            self._show_event(message.with_ranks(free))

    def _show_event(self, message: Message) -> None:
        event = event_of(message)
        if event is not None:
            self._desk.show(event)

    # In the background: the io thread.

    def _show_behind(self, message: Message) -> None:
        if message.type == "input_request":
            self._asks.add(message)
        elif message.type not in _ANSWERS:
            self._show_event(message)

    def _check_done(self) -> None:
        assert self.request is not None
        with self._lock:
            if self._is_done or not self.request.done:
                return
            self._is_done = True
        self._on_done(self)

    def answers(self) -> CellAnswers:
        """Return the answers as far as they have come."""
        assert self.request is not None
        return answers_of(self.cell, self._fold(), self.request.account)

    def _fold(self) -> list[Message]:
        assert self.request is not None
        return canonical(message for message in list(self.request.messages) if not message.header.late)
