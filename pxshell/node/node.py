"""One machine's node: what it knows, and how it speaks to its controller."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from pathlib import Path
from typing import Any

from pxshell.errors import UsageError
from pxshell.node.engines import EngineRecord, Engines
from pxshell.node.forks import ForkedProcess
from pxshell.node.lastlook import LastLook
from pxshell.node.launch import Launch, LaunchFile, StartedProcess
from pxshell.node.leavings import Leavings
from pxshell.node.outside import OutsideStacks
from pxshell.node.sent import SentSignals
from pxshell.node.turns import Turns
from pxshell.node.warm import WarmProcess
from pxshell.protocol.digest import with_digest
from pxshell.protocol.endings import status_text
from pxshell.protocol.message import Message
from pxshell.protocol.pending import PendingReplies
from pxshell.protocol.types import RUN
from pxshell.ranks import EMPTY, RankSet
from pxshell.rendezvous.descriptors import raise_limit
from pxshell.rendezvous.limits import SizeLimits
from pxshell.transport.base import Connector, Server
from pxshell.transport.paced import PacedOutlet
from pxshell.transport.upward import Upward

__all__ = ["DEFAULT_GRACE", "Node"]

#: Seconds that engines may take to leave before SIGTERM; SIGKILL follows a second later.
DEFAULT_GRACE = 5.0
#: Seconds that an engine that has come waits for others, to be announced with them.
_GATHERING = 0.005


class Node:
    """The node of one machine; all in the loop's thread.

    Its two handlers are `below.EngineHandler` (the server that engines connect to) and `above.OrderHandler` (the
    connector to
    the controller); `server` and `controller` are set by whoever wires them.
    """

    server: Server
    controller: Connector

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        directory: Path,
        warm: WarmProcess | None = None,
        limits: SizeLimits = SizeLimits(),  # noqa: B008 - a value
    ) -> None:
        self.loop = loop
        self.directory = directory
        self.limits = limits
        self.file = LaunchFile.read(directory / "launch.json")
        self.launch = Launch(loop, self.file, directory, self._process_ended, warm)
        self.engines = Engines()
        #: What ranks print; a flood of it.
        self.turns = Turns(loop)
        self.sent = SentSignals(loop.time)
        self.pending = PendingReplies()
        self.outlet = PacedOutlet(loop, self.send_up, self._log_names)
        self.up = Upward(loop, self.pending, self._deliver)
        #: For ranks that do not say where they stand.
        self.outside = OutsideStacks(self)
        self.last_look = LastLook(self)
        self._leavings = Leavings()
        #: Who has come and has not been announced yet.
        self._newcomers: list[EngineRecord] = []
        self.finished: asyncio.Future[None] = loop.create_future()
        #: The world of the present launch, once its first engine has come.
        self.world = ""
        self._serial = itertools.count(1)
        self._stopping = False
        self._restarting = False

    @property
    def is_owner(self) -> bool:
        """Whether pxshell started the ranks, so that it may give them pipes and end them."""
        return self.file.launcher != "none"

    @property
    def is_ending(self) -> bool:
        """Whether the ranks are to end, for good or to start anew."""
        return self._stopping or self._restarting

    @property
    def is_restarting(self) -> bool:
        """Whether the ranks are ended to start anew."""
        return self._restarting

    # -- processes -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start what launch.json lists; what cannot be is told to the controller."""
        try:
            raise_limit(self.launch.size if self.is_owner else self.file.size)
            self.launch.start()
        except UsageError as error:
            self.notice(str(error), "error")
        except OSError as error:
            self.notice(f"cannot start {error.filename}: {error.strerror}", "error")

    def stop(self, message: Message, grace: float) -> None:
        """End all ranks that we started, and then the node."""
        self._stopping = True
        self._note_leavings()
        for record in self.engines:
            if record.peer is not None and self.is_owner:
                self.server.send(record.peer, message)
            if record.state.cell == RUN and self.is_owner:
                # A script is ended as any program is; a rank without one leaves by itself.
                record.send_signal(signal.SIGTERM)
        self.loop.call_later(grace, self.kill, signal.SIGTERM)
        self.loop.call_later(grace + 1.0, self.kill, signal.SIGKILL)
        self.maybe_finish()

    def restart(self) -> None:
        """End all ranks at once and start them again, with the same numbers and the next epoch."""
        self._restarting = True
        self._note_leavings()
        self.kill(signal.SIGKILL)
        self.maybe_finish()

    def _note_leavings(self) -> None:
        if self.is_owner:
            self._leavings.note(record.pid for record in self.engines if record.is_alive)

    def kill(self, number: int) -> None:
        """Signal every process that we started and that is to end."""
        if not (self._stopping or self._restarting) or not self.is_owner:
            return
        for record in self.engines:
            if record.watch is not None:
                record.send_signal(number)
        self.launch.send_signal(number)

    def maybe_finish(self) -> None:
        """End, or start anew, once nothing of the present launch is left."""
        if self.is_owner and (self.launch.processes or self.engines.alive()):
            return
        if self.is_ending:
            self._leavings.remove()
        if self._restarting:
            self._restarting = False
            self.launch.epoch += 1
            self.world = ""
            self.start()
        elif self._stopping and not self.finished.done():
            self.up.flush()
            self.finished.set_result(None)

    def _process_ended(self, process: StartedProcess | ForkedProcess) -> None:
        """A process that we started has been reaped."""
        if self._restarting or self._stopping:
            self.maybe_finish()
            return
        if process.ends_together:
            self.last_look.launcher_ended(process.returncode, self.launch.log_tail())
        came = RankSet(record.rank for record in self.engines if record.epoch == self.launch.epoch)
        status = status_text(process.returncode)
        if missing := process.ranks - came:
            tail = self.launch.log_tail().strip().splitlines()
            last = f": {tail[-1]}" if tail else ""
            self.notice(f"{process.name} ended ({status}) before ranks {missing} were there{last}", "error")
        elif len(process.ranks) > 1 and process.returncode and not self.last_look.has_happened:
            self.notice(f"{process.name} has ended: {status}", "warning")

    # -- up ------------------------------------------------------------------------------------------------------------

    def announce_all(self) -> None:
        """Tell a controller that is new, or was restarted, all that it cannot know."""
        self.announce(list(self.engines))
        for record in self.engines:
            self.report(record)

    def welcome(self, record: EngineRecord) -> None:
        """Announce a new process, with others that come in the same moment, and before anything that it says."""
        if not self._newcomers:
            self.loop.call_later(_GATHERING, self._announce_newcomers)
        self._newcomers.append(record)
        self.report(record)

    def _announce_newcomers(self) -> None:
        if self._newcomers:
            newcomers, self._newcomers = self._newcomers, []
            self.announce(newcomers)

    def _deliver(self, message: Message) -> None:
        self._announce_newcomers()
        self.outlet.deliver(message)

    def announce(self, records: list[EngineRecord]) -> None:
        """Tell which processes are which ranks."""
        ranks = RankSet(record.rank for record in records)
        self.send_up(self.message("px_ranks", {"ranks": [record.description for record in records]}, ranks))

    def report(self, record: EngineRecord, **changes: Any) -> None:
        """Change a rank's state and say it on both lanes: at once on control, in order on work."""
        content = record.update(**changes).to_content() | {"counter": 0}
        for kind in ("px_state", "px_place"):
            self.up.add(with_digest(self.message(kind, content, RankSet.of(record.rank), epoch=record.epoch)))

    def answer(self, request: Message, kind: str, content: dict[str, Any], ranks: RankSet) -> None:
        """Reply to an order in the name of these ranks."""
        self.up.add(with_digest(self.message(kind, content, ranks, parent=request.id, origin=request.header.origin)))

    def settle(self, record: EngineRecord, why: str) -> None:
        """Account for all that a rank owes and will never say (P3)."""
        content = {"why": why, "state": "dead"}
        for owed in self.pending.gone(RankSet.of(record.rank)):
            fields = {"parent": owed.request, "origin": owed.origin}
            self.up.add(with_digest(self.message("px_missing", content, owed.ranks, **fields)))
        self.up.settle()

    def notice(self, text: str, level: str, ranks: RankSet = EMPTY) -> None:
        """Say one line to people; `ranks` are those that it is about."""
        self.send_up(self.message("px_notice", {"text": text, "level": level}, ranks))

    def message(self, kind: str, content: dict[str, Any], ranks: RankSet, **fields: Any) -> Message:
        """Build a message of the node's own."""
        return Message.make(kind, self.next_id(), content, ranks=ranks, **fields)

    def next_id(self) -> str:
        """Return an id for a message of the node's own."""
        return f"n{os.getpid()}-{next(self._serial)}"

    def send_up(self, message: Message) -> bool:
        """Queue a message to the controller."""
        return self.controller.send(message)

    def _log_names(self, ranks: RankSet) -> str:
        name = f"rank-{ranks.first}.log" if len(ranks) == 1 else "rank-N.log"
        return str(self.directory / "logs" / name)
