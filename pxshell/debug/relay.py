"""The conversation of one editor with one rank: debugpy's own, but for what an editor must not or cannot ask of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pxshell.debug.conversation import Effect, End, Json, Source, ToEditor, ToRank, failure, farewell, response
from pxshell.debug.early import Early
from pxshell.debug.sources import Sources

__all__ = [
    "KNOWN_REQUESTS",
    "STEPS",
    "Relay",
    "pythons_own",
    "remark_on_pause",
    "tamed",
    "why_not",
    "with_description",
]

#: What debugpy's engine answers. On anything else it prints a line in the user's program and is silent.
KNOWN_REQUESTS = frozenset(
    {
        "attach",
        "completions",
        "configurationDone",
        "continue",
        "evaluate",
        "exceptionInfo",
        "goto",
        "gotoTargets",
        "initialize",
        "launch",
        "modules",
        "next",
        "pause",
        "scopes",
        "setBreakpoints",
        "setDebuggerProperty",
        "setExceptionBreakpoints",
        "setExpression",
        "setFunctionBreakpoints",
        "setPydevdSourceMap",
        "setVariable",
        "source",
        "stackTrace",
        "stepIn",
        "stepInTargets",
        "stepOut",
        "threads",
        "variables",
    }
)
#: What moves a thread a little.
STEPS = frozenset({"next", "stepIn", "stepOut"})
#: What it offers and an editor must not use: the rank is not the editor's to end.
_NOT_OFFERED = ("supportTerminateDebuggee", "supportsTerminateRequest", "supportsRestartRequest")


class Relay:
    """One editor, one rank.

    Args:
        rank: Which.
        cluster: Its cluster's name, for people.
        has_file: Tells whether the editor can open a file of this path.
        doing: Tells what a rank does, in one word (see `word_of`).
    """

    def __init__(self, rank: int, cluster: str, has_file: Callable[[str], bool], doing: Callable[[int], str]) -> None:
        self._rank = rank
        self._doing = doing
        self._name = f"rank {rank} of {cluster}"
        self._sources = Sources(has_file)
        self._early = Early()
        self._refusal = ""
        #: Requests that were on their way when the rank had not said a word yet.
        self._first: list[Json] = []
        self._has_spoken = False

    def editor_said(self, message: Json) -> list[Effect]:
        """Hand a request on; see `Conversation`."""
        command = str(message.get("command", ""))
        if message.get("type") != "request":
            return []
        if command in {"disconnect", "terminate"}:
            return [ToEditor(response(message)), End("the editor has gone")]
        if self._refusal:
            return [ToEditor(failure(message, self._refusal)), End(self._refusal)]
        if command not in KNOWN_REQUESTS:
            return [ToEditor(failure(message, f"debugpy does not know {command}"))]
        if why := why_not(command, self._name, self._doing(self._rank)):
            return [ToEditor(failure(message, why))]
        file = self._sources.file_of(message)
        if file is not None:
            return [Source(self._rank, file[1], message)]
        if not self._has_spoken:
            self._first.append(message)
        remarks = remark_on_pause(self._name, self._doing(self._rank)) if command == "pause" else []
        return [ToRank(self._rank, message), *remarks]

    def rank_said(self, rank: int, message: Json) -> list[Effect]:
        """Hand a response or event on; see `Conversation`."""
        self._has_spoken = True
        self._first.clear()
        if self._early.keep(rank, message):
            return []
        effects: list[Effect] = [ToEditor(self._rewritten(dict(message)))]
        if message.get("command") == "configurationDone":
            effects += [effect for _, kept in self._early.release() for effect in self.rank_said(rank, kept)]
        return effects

    def _rewritten(self, message: dict[str, Any]) -> dict[str, Any]:
        message.pop("pydevd_cmd_id", None)
        body = message.get("body")
        if not isinstance(body, dict):
            return message
        if message.get("command") == "initialize":
            message["body"] = tamed(body)
        elif message.get("command") == "threads":
            message["body"] = {"threads": [self._named(one) for one in pythons_own(body.get("threads", ()))]}
        elif message.get("command") == "stackTrace":
            frames = [self._sources.referred(self._rank, frame) for frame in body.get("stackFrames", ())]
            message["body"] = body | {"stackFrames": frames}
        elif message.get("event") == "stopped":
            message["body"] = with_description(body)
        elif message.get("event") == "process":
            message["body"] = body | {"name": self._name, "isLocalProcess": False}
        return message

    def _named(self, thread: dict[str, Any]) -> dict[str, Any]:
        is_main = thread.get("name") == "MainThread"
        return thread | {"name": self._name if is_main else f"{self._name} · {thread.get('name')}"}

    def due(self) -> list[Effect]:
        """Nothing is put off here."""
        return []

    def states_changed(self) -> list[Effect]:
        """No name says what the rank does."""
        return []

    def rank_refused(self, rank: int, why: str) -> list[Effect]:
        """Say why to the requests that wait for this rank, or else to the editor's next one."""
        self._refusal = why
        refused: list[Effect] = [ToEditor(failure(one, why)) for one in self._first]
        return [*refused, End(why)] if refused else []

    def rank_ended(self, rank: int, why: str) -> list[Effect]:
        """Say that there is nothing to debug any more."""
        return [*farewell(f"{self._name}: {why}"), End(why)]


def remark_on_pause(who: str, doing: str) -> list[Effect]:
    """Say in the editor's console when a rank stops that cannot now; nothing of one that can."""
    if doing != "held":
        return []
    text = f"{who} waits in C, in MPI for instance: it stops when it comes out of it\n"
    return [ToEditor({"type": "event", "event": "output", "body": {"category": "important", "output": text}})]


def why_not(command: str, who: str, doing: str) -> str:
    """Say why a rank does not what debugpy would do, or seem to; "" for everything else.

    Args:
        command: The request.
        who: The rank, for people.
        doing: What it does, in one word (see `word_of`).
    """
    if command == "pause" and doing == "idle":
        # debugpy would stop in its idle loop or not at all, for it takes cells for no code of the user's.
        return f"{who} is idle, there is nothing to pause: set a breakpoint in what its cells call"
    if command in STEPS and doing == "failed":
        # debugpy would let the exception go on, and with it the job end.
        return f"{who} has failed, and its frames run no more: look at them, or Continue to let the exception go on"
    return ""


def with_description(stopped: Json) -> dict[str, Any]:
    """Return the body of a `stopped` event that does not speak of a breakpoint where there is none.

    debugpy says so of a pause that stood when the editor came.
    """
    is_pause = stopped.get("reason") == "breakpoint" and not stopped.get("hitBreakpointIds")
    return {**stopped, "description": "Paused"} if is_pause else {**stopped}


def pythons_own(threads: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the threads that the program has started in Python.

    The others, which `threading` calls dummies, are those of C libraries, and ours that stand in for the main thread
    for a moment and that debugpy lists a while longer.
    """
    return [one for one in threads if not str(one.get("name")).startswith("Dummy-")]


def tamed(capabilities: Json) -> dict[str, Any]:
    """Return debugpy's capabilities without those that would end the rank."""
    return {name: value for name, value in capabilities.items() if name not in {*_NOT_OFFERED, "pydevd"}}
