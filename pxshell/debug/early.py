"""What ranks say at the wrong time: VS Code forgets stops that it is told of then.

Before it has said `configurationDone`, and when a thread begins that has stopped already: debugpy lists its threads
after it has been told that all is configured, and a paused rank stands by then.


https://microsoft.github.io/debug-adapter-protocol/specification#Requests_ConfigurationDone ends its setting up.
"""

from __future__ import annotations

from pxshell.debug.conversation import Json

__all__ = ["Early"]

_FOR_LATER = frozenset({"stopped", "continued", "thread"})


class Early:
    """Events of one session, kept until the editor is ready for them, or for good."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, Json]] = []
        self._stopped: set[tuple[int, object]] = set()
        self._is_over = False

    def keep(self, rank: int, message: Json) -> bool:
        """Return whether this is not to be told now, and keep what is to be told later."""
        event = message.get("event")
        if event not in _FOR_LATER:
            return False
        if not self._is_over:
            self._kept.append((rank, message))
            return True
        return self._is_late(rank, str(event), message.get("body") or {})

    def _is_late(self, rank: int, event: str, body: Json) -> bool:
        """Tell whether it is the beginning of a thread that stands."""
        thread = rank, body.get("threadId")
        if event == "stopped":
            self._stopped.add(thread)
        elif event == "continued":
            everybody = body.get("allThreadsContinued")
            self._stopped = {one for one in self._stopped if one[0] != rank} if everybody else self._stopped - {thread}
        return event == "thread" and body.get("reason") == "started" and thread in self._stopped

    def release(self) -> list[tuple[int, Json]]:
        """Return what was kept, in order, to be told anew: the editor has said `configurationDone`."""
        kept, self._kept, self._is_over = self._kept, [], True
        return kept
