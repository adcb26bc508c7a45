"""A display for commands without a prompt: text of ranks to stdout and stderr, or JSON."""

from __future__ import annotations

import shutil
import sys

from pxshell.ranks import RankSet
from pxshell.render import Event, Notice, Progress, Text, renderer_for, to_json

__all__ = ["StreamDisplay"]


class StreamDisplay:
    """Shows events on this process's stdout, and what is stderr's, or about pxshell itself, on stderr.

    Args:
        as_json: one object a line, all on stdout.
    """

    #: Text goes to files and pipes.
    shows_images = False

    def __init__(self, *, as_json: bool = False) -> None:
        self.world = RankSet()
        self._as_json = as_json

    def show(self, event: Event) -> None:
        """Write an event."""
        if self._as_json:
            print(to_json(event), end="", flush=True)
            return
        is_aside = isinstance(event, Notice) or (isinstance(event, Text) and event.name == "stderr")
        stream = sys.stderr if is_aside else sys.stdout
        text = renderer_for(stream)(event, self.world, shutil.get_terminal_size().columns)
        print(text, end="", file=stream, flush=True)

    def progress(self, progress: Progress | None) -> None:
        """Say nothing: there is no line that could be taken back."""

    def ask(self, prompt: str, *, password: bool = False) -> str:
        """Answer for nobody: a rank that asks finds the end of its input."""
        raise EOFError(f"nobody answers {prompt!r}")
