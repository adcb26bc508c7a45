"""A debug adapter on stdin and stdout: one editor, one rank or many as one program, no port on any machine."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from pxshell.debug.bridge import Bridge
from pxshell.debug.conversation import Conversation
from pxshell.debug.doing import word_of
from pxshell.debug.loop import LoopThread
from pxshell.debug.relay import Relay
from pxshell.debug.stream import EditorStream
from pxshell.debug.together import Together
from pxshell.ranks import RankSet
from pxshell.render.events import Event, Notice, Progress
from pxshell.session.config import Config
from pxshell.session.desk import Desk
from pxshell.session.editors import check_debuggable, who_debugs
from pxshell.session.ports import ClientPort

__all__ = ["serve_stdio"]


def serve_stdio(
    client: ClientPort,
    ranks: RankSet,
    *,
    together: bool = False,
    lockstep: bool = False,
    source: int = 0,
    sink: int = 1,
) -> int:
    """Serve an editor on two descriptors until it leaves; return the exit status.

    Args:
        client: The connection to the cluster.
        ranks: One, or `together` any number.
        together: They are the threads of one program.
        lockstep: Continue, steps and pause act on all of them.
        source: What the editor writes to.
        sink: What it reads.

    Raises:
        UsageError: there is no such rank, or it cannot be debugged.
        PermissionDeniedError: this client only watches.
    """
    check_debuggable(Desk(client, _Stderr(), Config()), ranks)
    over = threading.Event()
    thread = LoopThread()
    for number in (source, sink):
        os.set_blocking(number, False)

    def open_stream(
        received: Callable[[bytes], None], drained: Callable[[], None], ended: Callable[[], None]
    ) -> EditorStream:
        return EditorStream(thread.loop, source, sink, over.set, received=received, drained=drained, ended=ended)

    conversation: Conversation
    doing = lambda rank: word_of(client.states.of(rank))  # noqa: E731
    if together:
        conversation = Together(ranks, client.name, _is_here, doing, lockstep=lockstep)
    else:
        conversation = Relay(ranks.first, client.name, _is_here, doing)
    thread.call(lambda: Bridge(thread.loop, client, ranks, who_debugs(), conversation, open_stream, lambda _: None))
    try:
        over.wait()
    finally:
        thread.close()
        for number in (source, sink):
            os.set_blocking(number, True)
    return 0


def _is_here(path: str) -> bool:
    return Path(path).exists()


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
