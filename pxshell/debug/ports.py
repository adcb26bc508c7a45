"""What the debugger needs of a client, as a type: the real client and the scripted one of the tests both have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pxshell.protocol.message import Buffer, Message
from pxshell.protocol.state import StateTable
from pxshell.ranks import RankSet

__all__ = ["ClientPort"]


class ClientPort(Protocol):
    """A connection to one cluster."""

    @property
    def name(self) -> str:
        """The cluster's name."""

    @property
    def trouble(self) -> str:
        """Why nothing gets through, for the moment or for good; "" when all is well."""

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
        on_message: Callable[[Message], None] | None = None,
    ) -> Any:
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

    def subscribe(self, callback: Callable[[Message], None]) -> Callable[[], None]:
        """Call back, in the io thread, with what no request takes; the function returned ends it."""
