"""The debugger's tunnels that go through a controller: whose they are, so that one end learns when the other is cut."""

from __future__ import annotations

from typing import NamedTuple

from pxshell.protocol.message import Message
from pxshell.ranks import RankSet

__all__ = ["Tunnel", "Tunnels"]


class Tunnel(NamedTuple):
    """One tunnel, by its id in the header's `key`."""

    key: str
    client: str
    ranks: RankSet


class Tunnels:
    """Those that are open. Told every message of a debugger; decides nothing about them."""

    def __init__(self) -> None:
        self._open: dict[str, Tunnel] = {}

    @property
    def clients(self) -> frozenset[str]:
        """Those at one end of the open ones."""
        return frozenset(one.client for one in self._open.values())

    @property
    def ranks(self) -> RankSet:
        """Those at the other end."""
        return RankSet(rank for one in self._open.values() for rank in one.ranks)

    def asked(self, client: str, message: Message) -> bool:
        """Take what a client has sent; return whether a tunnel has begun or ended with it."""
        if message.type == "px_debug_open_request":
            self._open[message.header.key] = Tunnel(message.header.key, client, message.ranks)
            return True
        return self.said(message)

    def said(self, message: Message) -> bool:
        """Take what has passed, in either direction; return whether a tunnel has ended with it."""
        return message.type == "px_debug_close" and self._open.pop(message.header.key, None) is not None

    def cut_from_client(self, client: str) -> list[Tunnel]:
        """Return, and forget, the tunnels of a client that is gone or gives no sign of life."""
        return self._take([one for one in self._open.values() if one.client == client])

    def cut_from_ranks(self, ranks: RankSet) -> list[Tunnel]:
        """Return, and forget, the tunnels to these ranks, which cannot be reached."""
        return self._take([one for one in self._open.values() if one.ranks & ranks])

    def _take(self, tunnels: list[Tunnel]) -> list[Tunnel]:
        for one in tunnels:
            del self._open[one.key]
        return tunnels
