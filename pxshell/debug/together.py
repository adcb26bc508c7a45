"""The conversation of one editor with many ranks as one program, in which each rank is a thread.

Numbers of threads, frames, variables and sources are given out anew, for each rank's debugpy counts from 1. What the
user selects (a thread, a frame) decides which rank is asked; breakpoints and settings go to all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, ClassVar, TypeAlias

from pxshell.debug.conversation import Effect, End, Json, Later, Source, ToEditor, ToRank, failure, response
from pxshell.debug.early import Early
from pxshell.debug.gathering import Gathering
from pxshell.debug.ids import Ids
from pxshell.debug.merging import MergedBreakpoints
from pxshell.debug.relay import KNOWN_REQUESTS, STEPS, pythons_own, remark_on_pause, tamed, why_not
from pxshell.debug.sources import Sources
from pxshell.debug.stops import Stop, Stops
from pxshell.ranks import RankSet

__all__ = ["Together"]

#: Seconds in which stops of several ranks are taken for one.
FOLD_S = 0.05
#: The same where one key lets all of them step: they begin and end at slightly different times.
LOCKSTEP_FOLD_S = 0.2

_MOVING = STEPS | {"continue"}
_Answered: TypeAlias = Callable[[int, Json], list[Effect]]


class Together:
    """One editor, many ranks.

    Args:
        ranks: Whom the editor debugs.
        cluster: Their cluster's name, for people.
        has_file: Tells whether the editor can open a file of this path.
        doing: Tells what a rank does, in one word (see `word_of`).
        lockstep: Continue, steps and pause act on all ranks, not on the selected one.
    """

    def __init__(
        self,
        ranks: RankSet,
        cluster: str,
        has_file: Callable[[str], bool],
        doing: Callable[[int], str],
        *,
        lockstep: bool,
    ) -> None:
        self._all = ranks
        self._cluster = cluster
        self._lockstep = lockstep
        self._doing = doing
        self._alive = set(ranks)
        self._stopped: set[int] = set()
        self._numbers = itertools.count(1)
        self._waiting: dict[tuple[int, int], _Answered] = {}
        self._gatherings: list[Gathering] = []
        self._threads, self._frames, self._variables = Ids(), Ids(), Ids()
        self._breakpoints = MergedBreakpoints()
        #: The thread of each rank that stands for it: the main one.
        self._main: dict[int, int] = {}
        #: The word that the editor's list of threads has for a rank, until it is asked to read that again.
        self._words: dict[int, str] = {}
        self._sources = Sources(has_file)
        self._stops = Stops()
        self._early = Early()
        self._initialized: set[int] = set()
        self._is_initialized = False
        self._refusal = ""

    # -- what the editor says ------------------------------------------------------------------------------------------

    def editor_said(self, message: Json) -> list[Effect]:
        """Take a request; see `Conversation`."""
        command = str(message.get("command", ""))
        if message.get("type") != "request":
            return []
        if command in {"disconnect", "terminate"}:
            return [ToEditor(response(message)), End("the editor has gone")]
        if not self._alive:
            return [ToEditor(failure(message, self._refusal)), End(self._refusal)]
        if command not in KNOWN_REQUESTS:
            return [ToEditor(failure(message, f"debugpy does not know {command}"))]
        if command in _MOVING or command == "pause":
            return self._move(message, command)
        return self._HANDLERS.get(command, Together._to_selected)(self, message)

    def _to_all(self, message: Json) -> list[Effect]:
        """Ask every rank, and answer as the lowest one has."""
        return self._gather(message, self._alive, lambda bodies: bodies[min(bodies)])

    def _configured(self, message: Json) -> list[Effect]:
        def ready() -> list[Effect]:
            kept = [(rank, said) for rank, said in self._early.release() if rank in self._alive]
            return [effect for rank, said in kept for effect in self.rank_said(rank, said)]

        return self._gather(message, self._alive, lambda bodies: bodies[min(bodies)], then=ready)

    def _initialize(self, message: Json) -> list[Effect]:
        return self._gather(message, self._alive, lambda bodies: tamed(bodies[min(bodies)]))

    def _set_breakpoints(self, message: Json) -> list[Effect]:
        return self._gather(message, self._alive, lambda bodies: self._breakpoints.answered(message, bodies))

    def _list_threads(self, message: Json) -> list[Effect]:
        def merged(bodies: dict[int, dict[str, Any]]) -> dict[str, Any]:
            found = [(rank, one) for rank in sorted(bodies) for one in pythons_own(bodies[rank].get("threads", ()))]
            return {"threads": [self._thread(rank, one) for rank, one in found]}

        return self._gather(message, self._alive, merged)

    def _thread(self, rank: int, thread: Json) -> dict[str, Any]:
        number, name = int(thread["id"]), str(thread.get("name"))
        if name != "MainThread":
            return {"id": self._threads.out(rank, number), "name": f"rank {rank} · {name}"}
        self._main[rank] = number
        self._words[rank] = word = self._word(rank)
        return {"id": self._threads.out(rank, number), "name": f"rank {rank} · {word}"}

    def _word(self, rank: int) -> str:
        word = self._doing(rank)
        return word if rank not in self._stopped or word == "failed" else "paused"

    def _move(self, message: Json, command: str) -> list[Effect]:
        """Let the selected rank, or in lockstep all, go on, step or stop."""
        arguments: dict[str, Any] = message.get("arguments") or {}
        selected = self._threads.back(int(arguments.get("threadId", 0)))
        if selected is None:
            return [ToEditor(failure(message, "there is no such thread any more"))]
        targets = {selected[0]: selected[1]}
        if why := why_not(command, f"rank {selected[0]}", self._doing(selected[0])):
            return [ToEditor(failure(message, why))]
        if self._lockstep:
            # With its exception a job may end: not by a key that was meant for the others.
            standing = {rank for rank in self._alive & self._stopped if self._doing(rank) != "failed"}
            going = {rank for rank in self._alive - self._stopped if self._doing(rank) != "idle"}
            ranks = going if command == "pause" else standing
            targets = {rank: self._main[rank] for rank in ranks if rank in self._main} | targets
        body = {"allThreadsContinued": self._lockstep} if command == "continue" else {}
        sent = {rank: {**message, "arguments": {**arguments, "threadId": number}} for rank, number in targets.items()}
        effects = self._gather(message, set(sent), lambda _: body, sent)
        if command == "pause":
            effects += [said for rank in sorted(sent) for said in remark_on_pause(f"rank {rank}", self._doing(rank))]
        return effects

    def _to_selected(self, message: Json) -> list[Effect]:
        """Ask the rank whose thread, frame or variable the request is about; the lowest one for what is none's."""
        arguments: dict[str, Any] = dict(message.get("arguments") or {})
        file = self._sources.file_of(message)
        if file is not None:
            return [Source(*file, message)]
        rank = min(self._alive)
        for name, ids in (
            ("threadId", self._threads),
            ("frameId", self._frames),
            ("variablesReference", self._variables),
        ):
            if arguments.get(name):
                found = ids.back(int(arguments[name]))
                if found is None or found[0] not in self._alive:
                    # Editors ask on their own, and may learn a moment later that it has gone on.
                    return [ToEditor(failure(message, "its rank has gone on, or is gone", is_shown=False))]
                rank, arguments[name] = found
        return self._ask(
            rank, {**message, "arguments": arguments}, lambda rank, said: self._hand_on(rank, message, said)
        )

    _HANDLERS: ClassVar[dict[str, Callable[[Together, Json], list[Effect]]]] = {
        "configurationDone": _configured,
        "initialize": _initialize,
        "threads": _list_threads,
        "setBreakpoints": _set_breakpoints,
        "setFunctionBreakpoints": _set_breakpoints,
        **dict.fromkeys(
            (
                "attach",
                "launch",
                "setExceptionBreakpoints",
                "setDebuggerProperty",
                "setPydevdSourceMap",
            ),
            _to_all,
        ),
    }

    # -- asking ranks --------------------------------------------------------------------------------------------------

    def _ask(self, rank: int, message: Json, answered: _Answered) -> list[Effect]:
        number = next(self._numbers)
        self._waiting[rank, number] = answered
        return [ToRank(rank, {**message, "seq": number})]

    def _gather(
        self,
        message: Json,
        ranks: set[int],
        merge: Callable[[dict[int, dict[str, Any]]], dict[str, Any]],
        sent: dict[int, dict[str, Any]] | None = None,
        then: Callable[[], list[Effect]] = list,
    ) -> list[Effect]:
        """Ask ranks, all the same or each its own, and answer when all have; `then` gives what follows the answer."""

        def finish(bodies: dict[int, dict[str, Any]]) -> list[Effect]:
            self._gatherings.remove(gathering)
            if not bodies:
                return [ToEditor(failure(message, gathering.refusal or self._refusal))]
            return [ToEditor(response(message, merge(bodies))), *then()]

        gathering = Gathering(ranks, finish)
        self._gatherings.append(gathering)
        effects: list[Effect] = []
        for rank in sorted(ranks):
            effects += self._ask(rank, sent[rank] if sent else message, gathering.answered)
        return effects

    def _hand_on(self, rank: int, request: Json, said: Json) -> list[Effect]:
        """Answer the editor with one rank's answer, its numbers given out anew."""
        answer = {**said, "request_seq": request.get("seq", 0)}
        answer.pop("pydevd_cmd_id", None)
        if isinstance(said.get("body"), dict):
            answer["body"] = self._renumbered(rank, said["body"])
        return [ToEditor(answer)]

    def _renumbered(self, rank: int, body: dict[str, Any]) -> dict[str, Any]:
        made = dict(body)
        if "stackFrames" in made:
            made["stackFrames"] = [self._frame(rank, frame) for frame in made["stackFrames"]]
        for name in ("scopes", "variables"):
            if name in made:
                made[name] = [self._with_reference(rank, one) for one in made[name]]
        return self._with_reference(rank, made)

    def _frame(self, rank: int, frame: dict[str, Any]) -> dict[str, Any]:
        return self._sources.referred(rank, frame) | {"id": self._frames.out(rank, int(frame["id"]))}

    def _with_reference(self, rank: int, thing: dict[str, Any]) -> dict[str, Any]:
        if "variablesReference" not in thing:
            return thing
        return thing | {"variablesReference": self._variables.out(rank, int(thing["variablesReference"]))}

    # -- what ranks say ------------------------------------------------------------------------------------------------

    def rank_said(self, rank: int, message: Json) -> list[Effect]:
        """Take an answer or an event; see `Conversation`."""
        if message.get("type") == "response":
            answered = self._waiting.pop((rank, int(message.get("request_seq", 0))), None)
            return answered(rank, message) if answered is not None else []
        if self._early.keep(rank, message):
            return []
        event = str(message.get("event", ""))
        body: dict[str, Any] = message.get("body") or {}
        handler = self._EVENTS.get(event)
        if handler is not None:
            return handler(self, rank, body)
        # Modules and the like are the same everywhere.
        return [_event(event, body)] if self._alive and rank == min(self._alive) else []

    def _rank_initialized(self, rank: int, body: Json) -> list[Effect]:
        self._initialized.add(rank)
        return self._look_initialized()

    def _look_initialized(self) -> list[Effect]:
        if self._is_initialized or not self._alive or not self._alive <= self._initialized:
            return []
        self._is_initialized = True
        return [_event("initialized", {})]

    def _rank_stopped(self, rank: int, body: Json) -> list[Effect]:
        """Ask where, for stops at one place are told together."""
        number = int(body.get("threadId", 0))
        self._main.setdefault(rank, number)
        self._stopped.add(rank)
        thread = self._threads.out(rank, number)

        def answered(rank: int, said: Json) -> list[Effect]:
            frames = (said.get("body") or {}).get("stackFrames") or [{}]
            path = str((frames[0].get("source") or {}).get("path") or "")
            place = f"{PurePath(path).name}:{frames[0].get('line')}" if path else ""
            is_first = self._stops.add(Stop(rank, thread, self._with_hits(rank, body), place))
            return [Later(LOCKSTEP_FOLD_S if self._lockstep else FOLD_S)] if is_first else []

        asked = {"type": "request", "command": "stackTrace", "arguments": {"threadId": number, "levels": 1}}
        return self._ask(rank, asked, answered)

    def _with_hits(self, rank: int, body: Json) -> dict[str, Any]:
        made = dict(body)
        if hits := self._breakpoints.hit(rank, made.pop("hitBreakpointIds", None) or ()):
            made["hitBreakpointIds"] = hits
        return made

    def due(self) -> list[Effect]:
        """Tell the stops that have come together."""
        told = self._stops.take(self._alive)
        return [_event("stopped", body) for body in told]

    def _rank_continued(self, rank: int, body: Json) -> list[Effect]:
        thread = self._threads.out(rank, int(body.get("threadId", 0)))
        continued: list[Effect] = [_event("continued", {"threadId": thread, "allThreadsContinued": False})]
        if int(body.get("threadId", 0)) != self._main.get(rank) and not body.get("allThreadsContinued"):
            return continued
        self._goes_on(rank)
        return [*continued, self._named_anew(thread)]

    def states_changed(self) -> list[Effect]:
        """Let the editor read the names of threads again whose word is not true any more."""
        old = [rank for rank, word in self._words.items() if rank in self._alive and word != self._word(rank)]
        for rank in old:
            del self._words[rank]
        return [self._named_anew(self._threads.out(rank, self._main[rank])) for rank in sorted(old)]

    @staticmethod
    def _named_anew(thread: int) -> Effect:
        """Make an editor read a thread's name again: there is no event for that; of a known thread this does it."""
        return _event("thread", {"reason": "started", "threadId": thread})

    def _goes_on(self, rank: int) -> None:
        self._stopped.discard(rank)
        self._stops.forget(rank)
        self._frames.forget(rank)
        self._variables.forget(rank)

    def _rank_thread(self, rank: int, body: Json) -> list[Effect]:
        return [_event("thread", {**body, "threadId": self._threads.out(rank, int(body.get("threadId", 0)))})]

    def _rank_output(self, rank: int, body: Json) -> list[Effect]:
        return [_event("output", {**body, "output": f"[{rank}] {body.get('output', '')}", "variablesReference": 0})]

    def _rank_process(self, rank: int, body: Json) -> list[Effect]:
        if rank != min(self._all):
            return []
        name = f"ranks {self._all} of {self._cluster}"
        return [_event("process", {"name": name, "isLocalProcess": False, "startMethod": "attach"})]

    def _rank_breakpoint(self, rank: int, body: Json) -> list[Effect]:
        return [_event("breakpoint", one) for one in self._breakpoints.changed(rank, body)]

    def _rank_over(self, rank: int, body: Json) -> list[Effect]:
        return []  # its channel's end says why

    _EVENTS: ClassVar[dict[str, Callable[[Together, int, dict[str, Any]], list[Effect]]]] = {
        "initialized": _rank_initialized,
        "stopped": _rank_stopped,
        "continued": _rank_continued,
        "thread": _rank_thread,
        "output": _rank_output,
        "process": _rank_process,
        "breakpoint": _rank_breakpoint,
        "exited": _rank_over,
        "terminated": _rank_over,
    }

    # -- the end of ranks ----------------------------------------------------------------------------------------------

    def rank_refused(self, rank: int, why: str) -> list[Effect]:
        """Go on without a rank that does not take the editor."""
        self._refusal = self._refusal or f"rank {rank}: {why}"
        return self._lose(rank, f"not debugged: {why}")

    def rank_ended(self, rank: int, why: str) -> list[Effect]:
        """Go on without a rank that is gone."""
        self._refusal = f"rank {rank}: {why}"
        return self._lose(rank, why)

    def _lose(self, rank: int, why: str) -> list[Effect]:
        self._alive.discard(rank)
        self._goes_on(rank)
        effects: list[Effect] = [_event("output", {"category": "important", "output": f"rank {rank}: {why}\n"})]
        for key in [one for one in self._waiting if one[0] == rank]:
            del self._waiting[key]
        for gathering in list(self._gatherings):
            effects += gathering.gone(rank)
        effects += [_event("breakpoint", one) for one in self._breakpoints.lose(rank)]
        self._words.pop(rank, None)
        if rank in self._main:
            thread = self._threads.out(rank, self._main.pop(rank))
            effects.append(_event("thread", {"reason": "exited", "threadId": thread}))
        if not self._alive and self._is_initialized:
            return [*effects, _event("terminated", {}), End(self._refusal)]
        return effects + self._look_initialized()


def _event(name: str, body: Json) -> ToEditor:
    return ToEditor({"type": "event", "event": name, "body": body})
