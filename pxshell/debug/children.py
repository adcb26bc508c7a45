"""The conversation of a session that only starts others: one child session a rank, by the editor's own means.

https://microsoft.github.io/debug-adapter-protocol/specification#Reverse_Requests_StartDebugging
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from pxshell.debug.conversation import Effect, End, Json, ToEditor, failure, response

__all__ = ["Children"]

_CANNOT = "this editor starts no child sessions (startDebugging); use --together, or one entry a rank"


class Children:
    """One editor; the ranks are reached through ports of their own.

    Args:
        configurations: By rank, what the editor attaches with.
    """

    def __init__(self, configurations: Mapping[int, Json]) -> None:
        self._configurations = configurations
        self._can_start = False
        self._numbers = itertools.count(1)
        self._asked: dict[int, int] = {}

    def editor_said(self, message: Json) -> list[Effect]:
        """Start the children once the editor is ready; see `Conversation`."""
        command = str(message.get("command", ""))
        if message.get("type") == "response":
            return self._started(message)
        if command == "initialize":
            self._can_start = bool((message.get("arguments") or {}).get("supportsStartDebuggingRequest"))
            return [ToEditor(response(message, {"supportsConfigurationDoneRequest": True}))]
        if command in {"attach", "launch"}:
            if not self._can_start:
                return [ToEditor(failure(message, _CANNOT)), End(_CANNOT)]
            return [ToEditor(response(message)), ToEditor({"type": "event", "event": "initialized", "body": {}})]
        if command == "configurationDone":
            return [ToEditor(response(message)), *self._start()]
        if command in {"disconnect", "terminate"}:
            return [ToEditor(response(message)), End("the editor has gone")]
        return [ToEditor(response(message, self._nothing(message, command)))]

    def _start(self) -> list[Effect]:
        requests: list[Effect] = []
        for rank, configuration in self._configurations.items():
            number = next(self._numbers)
            self._asked[number] = rank
            arguments = {"request": "attach", "configuration": configuration}
            requests.append(
                ToEditor({"type": "request", "command": "startDebugging", "arguments": arguments}, number=number)
            )
        return requests

    def _started(self, message: Json) -> list[Effect]:
        rank = self._asked.pop(int(message.get("request_seq", 0)), None)
        if rank is None or message.get("success"):
            return []
        text = f"rank {rank}: the editor did not start its session: {message.get('message') or 'no reason given'}\n"
        return [ToEditor({"type": "event", "event": "output", "body": {"category": "important", "output": text}})]

    @staticmethod
    def _nothing(message: Json, command: str) -> dict[str, Any]:
        """Return the body of an answer about a program that has no thread, and no place for a breakpoint."""
        if command == "threads":
            return {"threads": []}
        asked = (message.get("arguments") or {}).get("breakpoints") or []
        return {"breakpoints": [{"verified": False} for _ in asked]} if command.endswith("Breakpoints") else {}

    def rank_said(self, rank: int, message: Json) -> list[Effect]:
        """No rank is behind this session."""
        return []

    def due(self) -> list[Effect]:
        """Nothing is put off here."""
        return []

    def states_changed(self) -> list[Effect]:
        """No rank is behind this session."""
        return []

    def rank_refused(self, rank: int, why: str) -> list[Effect]:
        """No rank is behind this session."""
        return []

    def rank_ended(self, rank: int, why: str) -> list[Effect]:
        """No rank is behind this session."""
        return []
