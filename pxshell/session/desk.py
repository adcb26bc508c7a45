"""What the parts of a session share: client, display, settings, focus and the last answers."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from pxshell.errors import RefusedError, UsageError
from pxshell.protocol.state import Activity, RankState
from pxshell.protocol.types import RUN
from pxshell.ranks import EMPTY, RankSet
from pxshell.render.display import Display
from pxshell.render.events import Event, Level, Notice, Progress
from pxshell.session.answers import clean
from pxshell.session.config import Config
from pxshell.session.focus import Focus
from pxshell.session.ports import ClientPort, RequestPort
from pxshell.session.start import Start
from pxshell.session.told_pauses import ToldPauses

__all__ = ["Desk", "check_allowed", "is_running_script"]


_CELLS = 100


def is_running_script(state: RankState) -> bool:
    """Tell whether a rank is in its script, and not stopped there."""
    return state.is_alive and state.activity is Activity.BUSY and state.cell == RUN


def check_allowed(request: RequestPort) -> None:
    """Say what a controller denied, which no rank has seen.

    Raises:
        RefusedError: it did.
    """
    for message in request.messages:
        if message.type == "px_denied":
            raise RefusedError(clean(str(message.data().get("why", ""))))


class Desk:
    """The shared part. The display is called under one lock, from the face's thread and the client's io thread."""

    def __init__(self, client: ClientPort, display: Display, config: Config, *, holds_start: bool = False) -> None:
        self.client = client
        self.display = display
        self.config = config
        self.focus = Focus(client)
        self.start = Start(client, is_held=holds_start)
        #: The expression of the last synchronised pause, for the lines that teach it.
        self.sync_expression = "EXPR"
        #: The last cells, by the id of their request: code and targets.
        self.cells: OrderedDict[str, tuple[str, RankSet]] = OrderedDict()
        #: Which stops have been told, and which the face's thread waits for and will tell itself.
        self.told_pauses = ToldPauses()
        #: Whether the user is asked what a rank asks with `input()`: ranks that wait for that do not hang.
        self.is_asking = False
        #: Ranks that this session offers to editors, whose coming and going it tells with more words.
        self.offered = EMPTY
        #: Whether this session starts all ranks anew, and says so itself.
        self.is_restarting = False
        self._lock = threading.RLock()

    @property
    def script(self) -> str:
        """What people call the program."""
        return self.client.snapshot.script or "a script"

    def show(self, event: Event) -> None:
        """Show an event."""
        with self._lock:
            self.display.show(event)

    def say(self, text: str, level: Level = "info", ranks: RankSet | None = None) -> None:
        """Show one line."""
        self.show(Notice(level, text, ranks if ranks is not None else RankSet()))

    def remember(self, request: RequestPort, code: str) -> None:
        """Keep a cell, for lines that tell how to complete it."""
        self.cells[request.id] = (code, request.targets)
        if len(self.cells) > _CELLS:
            self.cells.popitem(last=False)

    def progress(self, progress: Progress | None) -> None:
        """Show who is waited for."""
        with self._lock:
            self.display.progress(progress)

    def running(self) -> RankSet:
        """Return the ranks that are in their script."""
        return self.ranks_that(is_running_script)

    def ranks_that(self, holds: Callable[[RankState], bool]) -> RankSet:
        """Return the ranks whose state has a property."""
        found = RankSet()
        for ranks, state in self.client.states.groups():
            if holds(state):
                found |= ranks
        return found

    def control(self, type_: str, content: Mapping[str, Any], ranks: RankSet, deadline: float) -> RequestPort:
        """Send a control request and wait for its answers, at most `deadline` seconds.

        Raises:
            RefusedError: this client may not ask for that.
        """
        request = self.client.request(type_, content, ranks)
        request.wait(deadline)
        check_allowed(request)
        return request

    def name_ranks(self, text: str) -> RankSet:
        """Give a name to a rank set: `NAME RANKS`."""
        name, _, ranks = text.strip().partition(" ")
        if not ranks.strip():
            raise UsageError("a name needs ranks: %pxfocus --name left 0-3")
        named = self.focus.name(name, ranks)
        self.say(f"@{name}: {named}")
        return named
