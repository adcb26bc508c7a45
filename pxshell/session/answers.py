"""From messages to events: what ranks said, as a display shows it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pxshell.protocol.account import Account
from pxshell.protocol.message import Message, encode_content
from pxshell.ranks import EMPTY, RankSet
from pxshell.render.events import (
    Answer,
    CellAnswers,
    Cut,
    Event,
    Failure,
    Level,
    Missing,
    Notice,
    Refusal,
    Text,
)

__all__ = ["answers_of", "clean", "event_of", "failure_of"]

# Escape sequences (CSI, OSC and other strings, two-character ones), then control characters but tab, newline, return.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\)|[ -/]*[0-~])", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LEVELS: dict[str, Level] = {"warning": "warning", "error": "error"}

Group = TypeVar("Group", Answer, Failure, Refusal)


def clean(text: str) -> str:
    """Return text without escape sequences and control characters: what ranks say cannot steer a terminal."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def event_of(message: Message) -> Event | None:
    """Return what a message shows by itself; None for those that belong to no display."""
    content = message.data()
    match message.type:
        case "stream":
            text = clean(str(content.get("text", "")))
            return (
                Text(message.ranks, "stderr" if content.get("name") == "stderr" else "stdout", text) if text else None
            )
        case "execute_result" | "display_data" | "update_display_data":
            return _answer(message, content)
        case "error":
            return failure_of(message.ranks, content)
        case "px_cut":
            facts = int(content.get("bytes", 0)), int(content.get("lines", 0)), str(content.get("file", ""))
            return Cut(message.ranks, *facts)
        case "px_notice":
            level = _LEVELS.get(str(content.get("level")), "info")
            return Notice(level, clean(str(content.get("text", ""))), message.ranks)
        case _:
            return None


def _answer(message: Message, content: Mapping[str, Any]) -> Answer:
    data = {mime: clean(value) if _is_text(mime, value) else value for mime, value in content.get("data", {}).items()}
    kind = "execute_result" if message.type == "execute_result" else "display_data"
    return Answer(message.ranks, data, dict(content.get("metadata") or {}), kind)


def _is_text(mime: str, value: object) -> bool:
    return isinstance(value, str) and mime.startswith("text/")


def failure_of(ranks: RankSet, content: Mapping[str, Any]) -> Failure:
    """Read the content of an `error`, or of a reply with the status `error`."""
    return Failure(
        ranks,
        clean(str(content.get("ename", "Error"))),
        clean(str(content.get("evalue", ""))),
        tuple(line for text in content.get("traceback") or () for line in clean(text).split("\n")),
        _place(content),
        clean(str(content.get("source") or "")).strip(),
    )


def _place(content: Mapping[str, Any]) -> str:
    line = content.get("line")
    if content.get("cell"):
        return f"cell {content['cell']}, line {line}"
    return f"{os.path.basename(content['file'])}:{line}" if content.get("file") and line else ""  # noqa: PTH119 - a rank's path


def answers_of(cell: int, messages: Iterable[Message], account: Account) -> CellAnswers:
    """Gather what all ranks answered to a cell.

    Args:
        cell: Its number.
        messages: Its fold.
        account: Who has answered; pending ranks count as missing, for the moment.
    """
    found = _Gathering()
    for message in messages:
        found.add(message)
    pending = [Missing(account.pending, "still running")] if account.pending else []
    missing = (*(Missing(ranks, why) for ranks, why in account.missing), *pending)
    return CellAnswers(
        cell,
        tuple(_merged(found.answers)),
        tuple(_merged(found.all_failures())),
        tuple(_merged(found.refusals)),
        missing,
        found.silent(),
    )


class _Gathering:
    """What has been said for one cell."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.failures: list[Failure] = []
        self.refusals: list[Refusal] = []
        self._good = EMPTY
        self._failed: list[Failure] = []
        #: Ranks that have answered at least once, at least twice, and so on.
        self._counts: list[RankSet] = []

    def add(self, message: Message) -> None:
        if message.type == "execute_reply":
            self._reply(message.ranks, message.data())
            return
        event = event_of(message)
        if isinstance(event, Failure):
            self.failures.append(event)
        elif isinstance(event, Answer) and event.type == "execute_result":
            self._count(event)

    def _count(self, answer: Answer) -> None:
        """Split an answer by how many its ranks have given before."""
        rest, order = answer.ranks, 0
        while rest:
            if order == len(self._counts):
                self._counts.append(EMPTY)
            if part := rest - self._counts[order]:
                self.answers.append(replace(answer, ranks=part, order=order))
                self._counts[order] |= part
            rest, order = rest - part, order + 1

    def _reply(self, ranks: RankSet, content: Mapping[str, Any]) -> None:
        status = content.get("status")
        if status == "ok":
            self._good |= ranks
        elif status == "error":
            self._failed.append(failure_of(ranks, content))
        else:
            why = clean(str(content.get("why") or "an earlier cell failed"))
            self.refusals.append(Refusal(ranks, why))

    def all_failures(self) -> list[Failure]:
        """Return the failures told by `error`, and those that only a reply tells."""
        told = _union(self.failures)
        only = [replace(one, ranks=rest) for one in self._failed if (rest := one.ranks - told)]
        return [*self.failures, *only]

    def silent(self) -> RankSet:
        return self._good - _union(self.answers) - _union(self.failures)


def _union(groups: Iterable[Answer | Failure]) -> RankSet:
    ranks = EMPTY
    for group in groups:
        ranks |= group.ranks
    return ranks


def _merged(groups: Iterable[Group]) -> list[Group]:
    """Make one group of equal ones, which ordering within the stream kept apart."""
    merged: dict[object, Group] = {}
    for group in groups:
        key = _key(group)
        held = merged.get(key)
        merged[key] = group if held is None else replace(held, ranks=held.ranks | group.ranks)
    return list(merged.values())


def _key(group: Answer | Failure | Refusal) -> object:
    if isinstance(group, Answer):
        return group.order, encode_content(group.data), encode_content(group.metadata)
    return replace(group, ranks=EMPTY)
