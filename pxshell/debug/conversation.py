"""What happens between one editor and the ranks behind it, as values: what is said to whom. No I/O, no threads.

A conversation is told what the editor and the ranks say and returns effects; a bridge carries them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

__all__ = [
    "Conversation",
    "Effect",
    "End",
    "Json",
    "Later",
    "Source",
    "ToEditor",
    "ToRank",
    "failure",
    "farewell",
    "response",
]

Json: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToEditor:
    """Say this to the editor; the bridge numbers it, but for a request whose answer is to be recognised."""

    message: Json
    number: int | None = None


@dataclass(frozen=True, slots=True)
class ToRank:
    """Say this to a rank's debugpy, with its number as it is."""

    rank: int
    message: Json


@dataclass(frozen=True, slots=True)
class Source:
    """Fetch a source file of a rank, and answer the editor's request with it."""

    rank: int
    file: str
    request: Json


@dataclass(frozen=True, slots=True)
class End:
    """It is over: let the ranks go, then the editor."""

    why: str


@dataclass(frozen=True, slots=True)
class Later:
    """Call `due` after so many seconds."""

    seconds: float


Effect: TypeAlias = ToEditor | ToRank | Source | Later | End


class Conversation(Protocol):
    """One editor's session, with one rank or with many."""

    def editor_said(self, message: Json) -> list[Effect]:
        """Take a request (or a response to a reverse request) of the editor."""

    def rank_said(self, rank: int, message: Json) -> list[Effect]:
        """Take a response or event of a rank's debugpy."""

    def due(self) -> list[Effect]:
        """Do what was put off by `Later`."""

    def states_changed(self) -> list[Effect]:
        """Hear that some rank does something else now."""

    def rank_refused(self, rank: int, why: str) -> list[Effect]:
        """A rank does not take the editor, or cannot be reached."""

    def rank_ended(self, rank: int, why: str) -> list[Effect]:
        """A rank that had taken the editor is gone, or has let it go."""


def farewell(why: str) -> list[ToEditor]:
    """Say in the editor's console why its session ends, and that it does."""
    output = {"category": "important", "output": f"{why}\n"}
    return [
        ToEditor({"type": "event", "event": "output", "body": output}),
        ToEditor({"type": "event", "event": "terminated", "body": {}}),
    ]


def response(request: Json, body: Json | None = None) -> dict[str, Any]:
    """Answer a request."""
    made: dict[str, Any] = {"type": "response", "request_seq": request.get("seq", 0), "success": True}
    made["command"] = request.get("command", "")
    return made if body is None else made | {"body": body}


def failure(request: Json, why: str, *, is_shown: bool = True) -> dict[str, Any]:
    """Say no to a request; editors show `why` to their user if it `is_shown`, else where they show what they asked."""
    error = {"error": {"id": 1, "format": _escaped(why), "showUser": is_shown}}
    return response(request, error) | {"success": False, "message": why}


def _escaped(text: str) -> str:
    return text.replace("{", "(").replace("}", ")")
