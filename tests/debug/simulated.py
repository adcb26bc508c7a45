"""Simulated debugpys behind a conversation: each answers what an editor asks, with numbers that begin at 1."""

from __future__ import annotations

import itertools
from functools import partial

from pxshell.debug.conversation import End, Later, Source, ToEditor, ToRank

FILE = "/here/sim.py"


class SimulatedRank:
    """One rank's debugpy, whose program stands at a breakpoint as soon as it is configured."""

    def __init__(self, rank: int, say) -> None:
        self.rank, self.say = rank, say
        self._numbers = itertools.count()
        #: By its number, what it has said last of each breakpoint.
        self.breakpoints = {}
        self.line = 88
        self.asked = []
        self.verifies = True

    def take(self, message) -> None:
        command, arguments = message["command"], message.get("arguments") or {}
        self.asked.append((command, arguments))
        body = getattr(self, f"_{command}", lambda _: {})(arguments)
        answer = {"type": "response", "request_seq": message["seq"], "command": command, "success": True, "body": body}
        self.say(answer)
        if command == "attach":
            self.event("initialized")
        if command == "configurationDone":
            self.stop()
        if command in {"continue", "next"}:
            self.event("continued", threadId=arguments["threadId"])
        if command == "next":
            self.line += 1
            self.stop("step")

    def stop(self, reason="breakpoint", hits=None) -> None:
        """Stop; debugpy says None of hits where there are none."""
        self.event("stopped", reason=reason, threadId=1, allThreadsStopped=True, hitBreakpointIds=hits)

    def event(self, name, **body) -> None:
        self.say({"type": "event", "event": name, "body": body})

    def _initialize(self, _):
        return {"supportsTerminateRequest": True, "supportsLogPoints": True}

    def _threads(self, _):
        return {"threads": [{"id": 1, "name": "MainThread"}, {"id": 2, "name": "Helper"}]}

    def _setBreakpoints(self, arguments):  # noqa: N802 - the protocol's word
        made = [
            {"id": next(self._numbers), "verified": self.verifies, "line": one["line"]}
            for one in arguments["breakpoints"]
        ]
        self.breakpoints |= {one["id"]: one for one in made}
        return {"breakpoints": made}

    def find(self, number) -> None:
        """Verify a breakpoint later, as when its module is imported."""
        self.breakpoints[number] |= {"verified": True}
        self.event("breakpoint", reason="changed", breakpoint=dict(self.breakpoints[number]))

    def _stackTrace(self, _):  # noqa: N802 - as above
        source = {"path": FILE}
        return {"stackFrames": [{"id": 5, "name": "main", "line": self.line, "source": source}], "totalFrames": 1}

    def _scopes(self, _):
        return {"scopes": [{"name": "Locals", "variablesReference": 6}]}

    def _variables(self, _):
        return {"variables": [{"name": "rank", "value": str(self.rank), "variablesReference": 0}]}

    def _evaluate(self, arguments):
        return {"result": f"{arguments['expression']} of {self.rank}", "variablesReference": 0}


class Stage:
    """A conversation, its simulated ranks, and what the editor was told; `due` lets the time pass."""

    def __init__(self, conversation, ranks) -> None:
        self.conversation = conversation
        self.ranks = {rank: SimulatedRank(rank, partial(self._said, rank)) for rank in ranks}
        self.told = []
        self.puts_off = 0
        self.end = None
        self.fetched = []
        self._numbers = itertools.count(1)

    def _said(self, rank, message) -> None:
        self.do(self.conversation.rank_said(rank, message))

    def do(self, effects) -> None:
        for effect in effects:
            match effect:
                case ToEditor(message):
                    self.told.append(message)
                case ToRank(rank, message):
                    self.ranks[rank].take(message)
                case Later():
                    self.puts_off += 1
                case Source():
                    self.fetched.append(effect)
                case End(why):
                    self.end = why

    def due(self) -> None:
        self.puts_off -= 1
        self.do(self.conversation.due())

    def ask(self, command, **arguments):
        """Ask as the editor and return the answer, which has come at once."""
        seq = next(self._numbers)
        self.do(
            self.conversation.editor_said({"type": "request", "seq": seq, "command": command, "arguments": arguments})
        )
        answers = [one for one in self.told if one["type"] == "response" and one["request_seq"] == seq]
        return answers[0] if answers else None

    def body(self, command, **arguments):
        answer = self.ask(command, **arguments)
        assert answer["success"], answer
        return answer["body"]

    def events(self, name):
        """Return the bodies of the events of a name, and forget them."""
        found = [one["body"] for one in self.told if one.get("event") == name]
        self.told = [one for one in self.told if one.get("event") != name]
        return found

    def begin(self, lines=(88,)):
        """Do what an editor does first."""
        self.body("initialize")
        self.body("attach")
        assert len(self.events("initialized")) == 1
        found = self.body("setBreakpoints", source={"path": FILE}, breakpoints=[{"line": line} for line in lines])
        self.body("configurationDone")
        return found["breakpoints"]
