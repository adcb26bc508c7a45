"""What a session needs of a client, as types: the real client and the scripted one of the tests both have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pxshell.protocol.account import Account
from pxshell.protocol.message import Buffer, Message
from pxshell.protocol.state import StateTable
from pxshell.ranks import RankSet

__all__ = ["ClientPort", "OnMessage", "RequestPort", "SnapshotPort"]

OnMessage = Callable[[Message], None]


class SnapshotPort(Protocol):
    """What a cluster told when the client joined it."""

    @property
    def name(self) -> str:
        """The cluster's name."""

    @property
    def size(self) -> int:
        """Number of ranks."""

    @property
    def launcher(self) -> str:
        """Name of its launcher."""

    @property
    def mpi(self) -> str:
        """Make and version of its MPI, as `MPICH 5.0.2`; "" without one."""

    @property
    def script(self) -> str:
        """The user's script as people call it; "" for bare engines."""

    @property
    def started(self) -> float:
        """When it was started, in seconds since the epoch of Unix."""

    @property
    def mesh(self) -> str:
        """The axes along which the ranks are arranged, as `dp=2,tp=4`; "" for none."""

    @property
    def hosts(self) -> Mapping[str, RankSet]:
        """The ranks on each machine."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines for people that were said before this client came."""


class RequestPort(Protocol):
    """One request in flight, or answered."""

    @property
    def id(self) -> str:
        """Its id, which is the `parent` of what answers it."""

    @property
    def targets(self) -> RankSet:
        """The ranks asked."""

    @property
    def messages(self) -> list[Message]:
        """What came for it, in order of arrival."""

    @property
    def done(self) -> bool:
        """Whether every target is accounted for."""

    @property
    def account(self) -> Account:
        """Who has answered and who never will; it counts a message before `on_message` is called with it."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is done; False after `timeout` seconds."""

    def replies(self) -> list[tuple[RankSet, dict[str, Any]]]:
        """Contents of the replies, folded, majority first."""

    def forget(self) -> None:
        """Let go of it: what still comes is for `subscribe`."""


class ClientPort(Protocol):
    """A connection to one cluster."""

    @property
    def name(self) -> str:
        """The cluster's name."""

    @property
    def id(self) -> str:
        """This client's id."""

    @property
    def role(self) -> str:
        """What its key is good for: `operator` or `observer`."""

    @property
    def trouble(self) -> str:
        """Why nothing gets through, for the moment or for good; "" when all is well."""

    @property
    def snapshot(self) -> SnapshotPort:
        """The cluster as it was when this client joined it."""

    @property
    def ranks(self) -> RankSet:
        """All ranks of the world."""

    @property
    def states(self) -> StateTable:
        """The states of all ranks, now."""

    def request(
        self,
        type: str,  # noqa: A002 - Jupyter's name of the field
        content: Mapping[str, Any],
        ranks: RankSet,
        *,
        buffers: Sequence[Buffer] = (),
        key: str = "",
        on_message: OnMessage | None = None,
    ) -> RequestPort:
        """Send a request; `on_message` is called in the client's io thread."""

    def tell(
        self,
        type: str,  # noqa: A002 - as above
        content: Mapping[str, Any],
        ranks: RankSet,
        *,
        buffers: Sequence[Buffer] = (),
        key: str = "",
    ) -> None:
        """Send what is not answered."""

    def subscribe(self, callback: OnMessage) -> Callable[[], None]:
        """Call back, in the io thread, with what no request takes; the function returned ends it."""
