"""A debug adapter on stdin and stdout: one editor, one rank, no port on any machine."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from pxshell.debug.bridge import Bridge
from pxshell.debug.loop import LoopThread
from pxshell.debug.relay import Relay
from pxshell.debug.stream import EditorStream
from pxshell.ranks import RankSet
from pxshell.render.events import Event, Notice, Progress
from pxshell.session.config import Config
from pxshell.session.desk import Desk
from pxshell.session.editors import check_debuggable, who_debugs
from pxshell.session.ports import ClientPort

__all__ = ["serve_stdio"]


def serve_stdio(client: ClientPort, rank: int, source: int = 0, sink: int = 1) -> int:
    """Serve an editor on two descriptors until it leaves; return the exit status.

    Raises:
        UsageError: there is no such rank, or it cannot be debugged.
        PermissionDeniedError: this client only watches.
    """
    check_debuggable(Desk(client, _Stderr(), Config()), RankSet.of(rank))
    over = threading.Event()
    thread = LoopThread()
    for number in (source, sink):
        os.set_blocking(number, False)

    def open_stream(
        received: Callable[[bytes], None], drained: Callable[[], None], ended: Callable[[], None]
    ) -> EditorStream:
        return EditorStream(thread.loop, source, sink, over.set, received=received, drained=drained, ended=ended)

    relay = Relay(rank, client.name, lambda path: Path(path).exists())
    thread.call(lambda: Bridge(thread.loop, client, RankSet.of(rank), who_debugs(), relay, open_stream, lambda _: None))
    try:
        over.wait()
    finally:
        thread.close()
        for number in (source, sink):
            os.set_blocking(number, True)
    return 0


class _Stderr:
    """Where lines go while stdout is the editor's."""

    shows_images = False

    def show(self, event: Event) -> None:
        if isinstance(event, Notice):
            sys.stderr.write(f"pxshell: {event.text}\n")

    def progress(self, progress: Progress | None) -> None:
        """Show nothing."""

    def ask(self, prompt: str, *, password: bool = False) -> str:
        """Answer nothing."""
        raise EOFError
