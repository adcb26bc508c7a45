"""A wire: one connection of one lane as a driver provides it; what the logic of links needs of it and tells it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from pxshell.protocol.message import Buffer
from pxshell.transport.base import Proof

__all__ = ["Wire", "WireUser"]


class WireUser(Protocol):
    """Who uses a wire: a server or a connector."""

    def frames_received(self, wire: Wire, frames: Sequence[Buffer], fds: tuple[int, ...]) -> None:
        """Take a frame list, and its descriptors."""

    def wire_ready(self, wire: Wire) -> None:
        """Learn that the wire takes more."""

    def wire_closed(self, wire: Wire, why: str) -> None:
        """Learn that the other end, or the way to it, is gone; not called for a wire that we closed."""


class Wire(ABC):
    """One connection of one lane. Frame lists arrive whole, once and in order, until it is cut."""

    def __init__(self, user: WireUser, proof: Proof) -> None:
        self.user = user
        self.proof = proof
        self.is_closed = False

    @abstractmethod
    def takes_more(self) -> bool:
        """Tell whether `write` would pass on what it takes, and not pile it up."""

    @abstractmethod
    def write(self, frames: Sequence[Buffer], fds: tuple[int, ...] = ()) -> None:
        """Take a frame list; `flush` sends it. Nothing happens on a closed wire."""

    @abstractmethod
    def flush(self) -> None:
        """Send what was written, as far as it goes without blocking; the rest follows by itself."""

    @abstractmethod
    def close(self) -> None:
        """Release it, after one attempt to send what was written; again does nothing."""

    @abstractmethod
    def trust(self) -> None:
        """Accept records of any allowed size from now on: the other end has said a hello that was accepted."""

    @abstractmethod
    def read_rest(self) -> None:
        """Deliver what has arrived already, as far as the driver can know it: the peer's last words."""

    def abandon(self) -> None:
        """Close descriptors and nothing else."""
        self.close()
