"""The engines of one node: who is connected, who they were before, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pxshell.node.logs import RankLog
from pxshell.node.output import RankOutput
from pxshell.node.watch import ProcessWatch
from pxshell.protocol.state import RankState
from pxshell.ranks import RankSet
from pxshell.transport.base import Peer

__all__ = ["EngineRecord", "Engines"]


@dataclass(slots=True)
class EngineRecord:
    """One process of one rank."""

    rank: int
    epoch: int
    pid: int
    log: RankLog
    state: RankState
    description: dict[str, Any]
    peer: Peer | None = None
    output: RankOutput | None = None
    watch: ProcessWatch | None = None
    #: Exit status as the kernel told it at the end; None while unknown.
    remains: int | None = None
    #: What the engine has said of itself last.
    said: RankState = RankState()  # noqa: RUF009 - an immutable value

    @property
    def is_alive(self) -> bool:
        """Whether the process runs, as far as the kernel has told."""
        return self.watch is not None

    def update(self, **changes: Any) -> RankState:
        """Change fields of the state and return it."""
        self.state = replace(self.state, **changes)
        return self.state

    def learn(self, said: RankState) -> None:
        """Take what the engine says of itself; its liveness is what we see of it."""
        self.said = said
        self.state = replace(said, liveness=self.state.liveness)

    def send_signal(self, number: int) -> str:
        """Send a signal to exactly this process; return what became of it."""
        if self.watch is None:
            return "not sent: the process has ended"
        try:
            self.watch.send_signal(number, self.pid)
        except ProcessLookupError:
            return "not sent: the process has ended"
        except PermissionError:
            return "not sent: the process belongs to another user"
        return "sent"


class Engines:
    """The newest process of each rank."""

    def __init__(self) -> None:
        self._of_rank: dict[int, EngineRecord] = {}
        self._of_peer: dict[str, EngineRecord] = {}

    def add(self, record: EngineRecord) -> None:
        """Take a rank's new process."""
        self._of_rank[record.rank] = record
        if record.peer is not None:
            self._of_peer[record.peer.id] = record

    def of(self, rank: int) -> EngineRecord | None:
        """Return a rank's newest process."""
        return self._of_rank.get(rank)

    def of_peer(self, peer: Peer) -> EngineRecord | None:
        """Return the process at the other end of a link."""
        return self._of_peer.get(peer.id)

    def forget_peer(self, peer: Peer) -> EngineRecord | None:
        """The link has ended; return its record."""
        record = self._of_peer.pop(peer.id, None)
        if record is not None:
            record.peer = None
        return record

    def alive(self) -> RankSet:
        """Return the ranks whose process runs."""
        return RankSet(record.rank for record in self if record.is_alive)

    def connected(self) -> RankSet:
        """Return the ranks that a message can be handed to."""
        return RankSet(record.rank for record in self if record.peer is not None)

    def __iter__(self) -> Iterator[EngineRecord]:
        return iter(list(self._of_rank.values()))

    def __len__(self) -> int:
        return len(self._of_rank)
