"""The start of a script that waits for its front end: let go when something is first asked that needs it to run."""

from __future__ import annotations

from pxshell.session.ports import ClientPort

__all__ = ["Start"]

#: Seconds that ranks may take to say that they have begun.
_LIMIT_S = 10.0


class Start:
    """Whether the ranks wait for this session; for the face's thread.

    Args:
        client: The connection.
        is_held: They wait, until `let_go`.
    """

    def __init__(self, client: ClientPort, *, is_held: bool) -> None:
        self._client = client
        self.is_held = is_held

    def let_go(self) -> bool:
        """Let user code start on ranks that wait; returns whether they did. Others take no notice."""
        was_held, self.is_held = self.is_held, False
        if was_held:
            self._client.request("px_start_request", {}, self._client.ranks).wait(_LIMIT_S)
        return was_held
