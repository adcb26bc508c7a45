"""Asking ranks about the value of an expression, where each of them is, in place of fetching it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pxshell.errors import UsageError
from pxshell.protocol.message import Buffer
from pxshell.ranks import EMPTY, RankSet
from pxshell.render.events import Failure, Missing, Refusal
from pxshell.session.answers import clean, failure_of
from pxshell.session.aside import aside_limit, wait_aside
from pxshell.session.desk import Desk
from pxshell.session.places import Placement, Words, place_cell
from pxshell.session.syntax import is_single_expression
from pxshell.session.waiting import wait_for

__all__ = ["Answered", "Subject", "Surveys", "check_expression"]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose value of what: an expression, on ranks, each at its place."""

    expression: str
    ranks: RankSet
    placement: Placement


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer, of all ranks that gave it."""

    ranks: RankSet
    content: Mapping[str, Any]
    buffers: tuple[Buffer, ...]


def check_expression(text: str, magic: str) -> str:
    """Return an expression without blanks around it.

    Raises:
        UsageError: it is none; the line names the magic.
    """
    expression = text.strip()
    if not expression:
        raise UsageError(f"of what? {magic} EXPR")
    if not is_single_expression(expression):
        raise UsageError(f"{expression!r} is no expression: {magic} u.max()")
    return expression


class Surveys:
    """Sends questions and shows who could not answer them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def subject(self, expression: str, ranks: RankSet, *, peek: bool, magic: str) -> Subject | None:
        """Find the places; None when a rank is not to be had, which is shown."""
        words = Words(self._desk.script, self._desk.sync_expression, look=f"{magic} --peek")
        placement = place_cell(expression, ranks, self._desk.client.states, words, peek=peek)
        if placement.why:
            self._desk.show(Refusal(placement.ranks, placement.why))
            return None
        return Subject(expression, ranks, placement)

    def ask(
        self, subject: Subject, question: Mapping[str, Any], ranks: RankSet | None = None, *, is_quiet: bool = False
    ) -> list[Answered]:
        """Ask some ranks of a subject, or all; return the answers, equal ones folded.

        What goes wrong is shown, unless it is told otherwise (`is_quiet`: a second question about the same value).
        """
        targets = subject.ranks if ranks is None else ranks & subject.ranks
        if not targets:
            return []
        content = {**question, "expression": subject.expression, "places": subject.placement.to_content()}
        request = self._desk.client.request("px_survey_request", content, targets)
        silent: tuple[Missing, ...] = ()
        if subject.placement.is_aside:
            silent = wait_aside(self._desk, request, aside_limit(self._desk.config, subject.placement))
        else:
            wait_for(self._desk, request)
        answered: dict[tuple[bytes, ...], Answered] = {}
        faults: dict[Failure | Refusal, RankSet] = {}
        for message in request.messages:
            if message.type != "px_survey_reply":
                continue
            data = message.data()
            if data.get("status") != "ok":
                fault = _fault(data)
                faults[fault] = faults.get(fault, EMPTY) | message.ranks
                continue
            key = (message.content, *(bytes(buffer) for buffer in message.buffers))
            held = answered.get(key)
            known = held.ranks if held else EMPTY
            answered[key] = Answered(known | message.ranks, data, message.buffers)
        if not is_quiet:
            self._show([_of(ranks, fault) for fault, ranks in faults.items()])
            self._show([*(Missing(lost, why) for lost, why in request.account.missing), *silent])
        return list(answered.values())

    def _show(self, faults: Sequence[Failure | Refusal | Missing]) -> None:
        for fault in faults:
            self._desk.show(fault)


def _of(ranks: RankSet, fault: Failure | Refusal) -> Failure | Refusal:
    return replace(fault, ranks=ranks) if isinstance(fault, Failure) else Refusal(ranks, f"{ranks}: {fault.why}")


def _fault(content: Mapping[str, Any]) -> Failure | Refusal:
    """Return why an answer is none, without its ranks."""
    if content.get("status") == "error":
        return failure_of(EMPTY, {**content, "traceback": []})
    return Refusal(EMPTY, clean(str(content.get("why", content.get("status")))))
