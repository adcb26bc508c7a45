"""Adopting a program that nobody started for us: its engines' sockets, looked for until all engines have come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pxshell.node.node import Node
from pxshell.ranks import RankSet
from pxshell.rendezvous.worlds import World, list_worlds
from pxshell.transport.unix import UnixServer

__all__ = ["Adoption"]

#: Seconds between two looks for engines that have not come yet.
_LOOK_AGAIN = 0.5
#: Looks after which an engine that was connected to and says nothing is told of.
_PATIENCE = 6


class Adoption:
    """Connects to the engines of a world, those that come later too; in the loop's thread.

    Args:
        world: The directory of their sockets.
        worlds: Lists the worlds of this machine.
    """

    def __init__(
        self, node: Node, server: UnixServer, world: Path, worlds: Callable[[], list[World]] = list_worlds
    ) -> None:
        self._node = node
        self._server = server
        self._world = world
        self._worlds = worlds
        #: For each socket that was connected to, how many looks ago that was.
        self._known: dict[Path, int] = {}

    def look(self) -> None:
        """Connect to what is new, and look again while engines are missing."""
        engines = [engine for entry in self._worlds() if entry.directory == self._world for engine in entry.engines]
        for engine in engines:
            if engine.path not in self._known:
                self._known[engine.path] = 0
                self._server.adopt(engine.path)
                continue
            self._known[engine.path] += 1
            if self._known[engine.path] == _PATIENCE and self._node.engines.of(engine.rank) is None:
                self._tell(engine.rank, engine.pid)
        if len(self._node.engines) < self._node.file.size:
            self._node.loop.call_later(_LOOK_AGAIN, self.look)

    def _tell(self, rank: int, pid: int) -> None:
        """The kernel takes connections for a process that cannot: it is there, and runs no Python."""
        why = f"it has not joined: process {pid} does not answer, it may be stopped or hold the GIL"
        self._node.notice(f"{rank}: {why}.  Where it stands: pxshell stacks --pid {pid}", "warning", RankSet.of(rank))
