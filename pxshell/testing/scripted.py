"""A client whose cluster is a table: it answers each request with what the test wrote down, at once.

Sessions, terminals and magics are tested on it. `check_client` is what it promises, and what the real client is held
to.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pxshell.protocol.account import Account
from pxshell.protocol.message import Buffer, Message, encode_content
from pxshell.protocol.pending import is_reply
from pxshell.protocol.state import RankState, StateTable
from pxshell.ranks import EMPTY, RankSet
from pxshell.render.events import Event, Progress

__all__ = ["Asked", "RecordingDisplay", "ScriptedClient", "ScriptedRequest", "Said", "check_client", "replies"]

OnMessage = Callable[[Message], None]


@dataclass(frozen=True, slots=True)
class Said:
    """A message of ranks: type, content, ranks (None is all that were asked), and header fields."""

    type: str
    content: Mapping[str, Any] = field(default_factory=dict)
    ranks: RankSet | str | None = None
    buffers: tuple[Buffer, ...] = ()
    late: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the table sees it."""

    type: str
    content: Mapping[str, Any]
    ranks: RankSet
    id: str
    buffers: tuple[Buffer, ...] = ()
    key: str = ""


Answer = Callable[[Asked], Iterable[Said]]


def replies(type_: str, *groups: tuple[RankSet | str | None, Mapping[str, Any]]) -> Answer:
    """Return an answer of replies only: pairs of ranks and content."""

    def answer(asked: Asked) -> list[Said]:
        return [Said(type_, content, ranks or asked.ranks) for ranks, content in groups]

    return answer


@dataclass(frozen=True, slots=True)
class ScriptedSnapshot:
    """As `pxshell.client.Snapshot`."""

    name: str = "calm-fox"
    size: int = 4
    launcher: str = "local"
    mpi: str = ""
    script: str = ""
    started: float = 0.0
    mesh: str = ""
    hosts: Mapping[str, RankSet] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class ScriptedRequest:
    """As `pxshell.client.Request`."""

    def __init__(self, id_: str, targets: RankSet, on_message: OnMessage | None) -> None:
        self.id = id_
        self.targets = targets
        self.messages: list[Message] = []
        self.account = Account(targets)
        self.is_forgotten = False
        self._on_message = on_message
        self._changed = threading.Condition()

    @property
    def done(self) -> bool:
        """Whether every target is accounted for."""
        return self.account.done

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is done; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.account.done, timeout)

    def replies(self) -> list[tuple[RankSet, dict[str, Any]]]:
        """Contents of the replies, folded, majority first."""
        folded: dict[bytes, RankSet] = {}
        for message in self.messages:
            if is_reply(message) and message.type != "px_missing":
                folded[message.content] = folded.get(message.content, EMPTY) | message.ranks
        contents = {message.content: message for message in self.messages}
        order = sorted(folded.items(), key=lambda item: (-len(item[1]), item[1].first))
        return [(ranks, contents[content].data()) for content, ranks in order]

    def forget(self) -> None:
        """Let go of it."""
        self.is_forgotten = True

    def take(self, message: Message) -> None:
        """Count a message, then hand it on, as the io thread does."""
        with self._changed:
            self.messages.append(message)
            if message.type in {"px_missing", "px_denied"}:
                self.account = self.account.lose(message.ranks, str(message.data().get("why", "")))
            elif is_reply(message):
                self.account = self.account.answer(message.ranks)
            self._changed.notify_all()
        if self._on_message is not None and not self.is_forgotten:
            self._on_message(message)


class ScriptedClient:
    """A client without a cluster.

    `on` writes down how a type of request is answered; `say` lets ranks say something later; `set_state` changes states
    and tells it. Requests without an answer in the table stay open.

    Args:
        size: Number of ranks, all idle.
        facts: Fields of the snapshot.
    """

    def __init__(self, size: int = 4, **facts: Any) -> None:
        self.snapshot = ScriptedSnapshot(size=size, **facts)
        self.name = self.snapshot.name
        self.id = "scripted"
        self.role = "operator"
        self.trouble = ""
        self.ranks = RankSet.span(0, size)
        self.states = StateTable({RankState.from_content({"activity": "idle"}): self.ranks})
        #: All requests, in order.
        self.asked: list[Asked] = []
        self.requests: dict[str, ScriptedRequest] = {}
        #: What was told without an answer: type, content, ranks.
        self.told: list[tuple[str, dict[str, Any], RankSet]] = []
        #: Functions that hear what is told, with buffers and key.
        self.on_told: list[Callable[[Asked], None]] = []
        self.is_closed = False
        # Every first pause asks for the one, every result that is not kept for the other.
        no_limits = replies("px_limits_reply", (None, {"status": "ok", "limits": []}))
        no_history = replies("px_history_reply", (None, {"status": "ok", "cells": [], "messages": []}))
        self._table: dict[str, Answer] = {
            "px_attend_request": replies("px_attend_reply", (None, {"status": "ok"})),
            "px_limits_request": no_limits,
            "px_history_request": no_history,
        }
        self._subscribers: list[OnMessage] = []
        self._numbers = itertools.count(1)

    # The client.

    def request(
        self,
        type: str,  # noqa: A002 - Jupyter's name of the field
        content: Mapping[str, Any],
        ranks: RankSet,
        *,
        buffers: Sequence[Buffer] = (),
        key: str = "",
        on_message: OnMessage | None = None,
    ) -> ScriptedRequest:
        """Answer from the table."""
        id_ = f"request-{next(self._numbers)}"
        request = self.requests[id_] = ScriptedRequest(id_, ranks, on_message)
        # As on the wire: what cannot be encoded fails here.
        encode_content(content)
        asked = Asked(type, dict(content), ranks, id_, tuple(buffers), key)
        self.asked.append(asked)
        for said in self._table.get(type, _nothing)(asked):
            self.say(said, request)
        return request

    def tell(
        self,
        type: str,  # noqa: A002 - as above
        content: Mapping[str, Any],
        ranks: RankSet,
        *,
        buffers: Sequence[Buffer] = (),
        key: str = "",
    ) -> None:
        """Keep what is told."""
        self.told.append((type, dict(content), ranks))
        for hear in self.on_told:
            hear(Asked(type, dict(content), ranks, "", tuple(buffers), key))

    def subscribe(self, callback: OnMessage) -> Callable[[], None]:
        """Call back with what no request takes."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    def close(self) -> None:
        """Leave."""
        self.is_closed = True

    # The script of the test.

    def on(self, type_: str, answer: Answer) -> None:
        """Answer requests of this type so from now on."""
        self._table[type_] = answer

    def say(self, said: Said, request: ScriptedRequest | None = None, parent: str = "run") -> None:
        """Let ranks say something: for a request, or for everybody."""
        ranks = RankSet.parse_folded(said.ranks) if isinstance(said.ranks, str) else said.ranks
        if ranks is None:
            ranks = request.targets if request else self.ranks
        content = encode_content(said.content)
        message = Message.make(
            said.type,
            f"message-{next(self._numbers)}",
            content,
            ranks=ranks,
            parent=request.id if request else parent,
            digest=content,
            late=said.late,
            key=said.key,
            buffers=said.buffers,
        )
        if request is not None:
            request.take(message)
        if request is None or request.is_forgotten or said.late:
            self._publish(message)

    def set_state(self, ranks: RankSet | str, **content: Any) -> None:
        """Give ranks a state, as `px_state` has it."""
        who = RankSet.parse_folded(ranks) if isinstance(ranks, str) else ranks
        self.states = self.states.updated(who, RankState.from_content(content))
        self.say(Said("px_state", content, who), parent="")

    def asked_for(self, type_: str) -> list[Asked]:
        """Return the requests of a type."""
        return [asked for asked in self.asked if asked.type == type_]

    def _publish(self, message: Message) -> None:
        for callback in list(self._subscribers):
            callback(message)


def _nothing(asked: Asked) -> list[Said]:  # noqa: ARG001 - an answer as the others
    return []


class RecordingDisplay:
    """A display that keeps what it is shown, and answers questions from a list."""

    #: Whether plots come with their image; a test may say so.
    shows_images = False

    def __init__(self, *answers: str) -> None:
        self.events: list[Event] = []
        self.progresses: list[Progress | None] = []
        self.questions: list[str] = []
        self._answers = list(answers)

    def show(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)

    def progress(self, progress: Progress | None) -> None:
        """Keep a progress."""
        self.progresses.append(progress)

    def ask(self, prompt: str, *, password: bool = False) -> str:
        """Answer the next question."""
        self.questions.append(prompt)
        if not self._answers:
            raise EOFError
        return self._answers.pop(0)


def check_client(client: Any, echo: Callable[[str], Mapping[str, Any]]) -> None:
    """Check what sessions rely on; for a client of 2 or more idle ranks.

    Args:
        client: The client.
        echo: Makes the content of an `execute_request` whose cell prints this text and ends.
    """
    came: list[str] = []
    requests: list[Any] = []

    def heard(message: Message) -> None:
        came.append(message.type)
        if message.type == "execute_reply" and requests:
            # A message is counted before the callback hears of it.
            assert message.ranks <= requests[0].account.answered

    request = client.request("execute_request", echo("hello\n"), client.ranks, on_message=heard)
    requests.append(request)
    assert request.wait(30), "not every rank is accounted for"
    assert request.done
    assert request.targets == client.ranks == request.account.answered
    assert not request.account.pending
    assert "stream" in came
    assert request.messages[-1].type == "execute_reply", "the reply comes last (P3)"
    assert [(ranks, content["status"]) for ranks, content in request.replies()] == [(client.ranks, "ok")]
    assert all(message.parent == request.id for message in request.messages)
    end = client.subscribe(heard)
    end()
    end()
