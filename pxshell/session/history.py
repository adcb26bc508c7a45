"""What was run in this cluster, by whomever: cells of other sessions, and of this one before it was attached again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from pxshell.errors import DeadlineError, UsageError
from pxshell.protocol.account import Account
from pxshell.protocol.canonical import canonical
from pxshell.protocol.message import Message
from pxshell.protocol.pending import is_reply
from pxshell.ranks import RankSet
from pxshell.render.events import CellAnswers, Event, Text
from pxshell.session.answers import answers_of, clean, event_of
from pxshell.session.desk import Desk

__all__ = ["History", "PastCell", "PastResult", "history_lines"]

_decode_frames = msgspec.msgpack.Decoder(list[bytes]).decode
#: Characters of a cell that the list shows.
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class PastCell:
    """A cell of the history.

    Attributes:
        number: Its number in the cluster's history, `h12`.
        cell: Its number in its session.
        is_own: This session ran it.
        code: What was asked.
        ranks: Whom.
        time: When, in seconds of Unix.
        answered: Ranks that are accounted for.
        failed: Those of them that raised, refused, or are missing.
        cut: Bytes of text and pictures that the history left out.
    """

    number: int
    cell: int
    is_own: bool
    code: str
    ranks: RankSet
    time: float
    answered: RankSet
    failed: RankSet
    cut: int

    @property
    def state(self) -> str:
        """How it went, in a word or two."""
        if self.failed:
            return f"failed {self.failed}"
        return "ok" if self.ranks <= self.answered else f"runs {self.ranks - self.answered}"


@dataclass(frozen=True, slots=True)
class PastResult:
    """A cell of the history, what it printed, and what was answered to it."""

    cell: PastCell
    output: tuple[Event, ...]
    answers: CellAnswers


class History:
    """Asks the controller."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def last(self, count: int) -> list[PastCell]:
        """Return the last cells, the newest last.

        Raises:
            UsageError: the cluster keeps no history.
            DeadlineError: the controller does not answer.
        """
        return [self._past(row) for row in reversed(self._ask({"last": count})["cells"])]

    def answers(self, *, number: int | None = None, cell: int = 0) -> PastResult | None:
        """Return a cell with what came of it; None when it is not kept.

        Args:
            number: In the history; without it the newest cell that has the number `cell` in its session is meant.
            cell: See there.

        Raises:
            UsageError, DeadlineError: as `last`.
        """
        content = self._ask({"cell": cell} if number is None else {"number": number})
        if not content["cells"]:
            return None
        past = self._past(content["cells"][0])
        messages = [Message.from_frames(_decode_frames(blob)) for blob in content["messages"]]
        fold = canonical(messages)
        events = [event_of(message) for message in fold if message.type == "stream"]
        output = tuple(event for event in events if event is not None)
        return PastResult(past, output, answers_of(past.cell, fold, _account(past.ranks, messages)))

    def _ask(self, wanted: dict[str, int]) -> dict[str, Any]:
        limit = self._desk.config.control_deadline
        request = self._desk.control("px_history_request", wanted, self._desk.client.ranks, limit)
        replies = request.replies()
        if not replies:
            raise DeadlineError("the history of this cluster", limit)
        content = replies[0][1]
        if content.get("status") != "ok":
            raise UsageError(clean(str(content.get("why"))))
        return content

    def _past(self, row: dict[str, Any]) -> PastCell:
        ranks, answered, failed = (RankSet.parse_folded(row[name]) for name in ("ranks", "answered", "failed"))
        own = row["client"] == self._desk.client.id
        return PastCell(
            row["number"], row["cell"], own, row["code"], ranks, row["time"], answered, failed, row["cut_bytes"]
        )


def _account(targets: RankSet, messages: Iterable[Message]) -> Account:
    account = Account(targets)
    for message in messages:
        if message.type == "px_missing":
            account = account.lose(message.ranks, str(message.data().get("why", "")))
        elif is_reply(message):
            account = account.answer(message.ranks)
    return account


def history_lines(cells: Iterable[PastCell]) -> list[Text]:
    """Write a line for each cell, said by its ranks: number, time, whose, how it went, and its code."""
    cells = list(cells)
    rows = [
        (
            f"h{one.number}",
            time.strftime("%H:%M:%S", time.localtime(one.time)),
            f"cell {one.cell}" if one.is_own else f"({one.cell})",
            one.state,
            _first_line(one.code),
        )
        for one in cells
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return [Text(one.ranks, "stdout", f"{line}\n") for one, line in zip(cells, padded, strict=True)]


def _first_line(code: str) -> str:
    first, _, more = clean(code).strip().partition("\n")
    return f"{first[: _LONGEST - 1]}…" if more or len(first) > _LONGEST else first
