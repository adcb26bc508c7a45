"""The display of plain IPython and of notebooks: plain text, printed."""

from __future__ import annotations

import base64
import getpass
import shutil
import time
from collections.abc import Callable
from typing import Any

from IPython.core.display_functions import publish_display_data
from IPython.core.getipython import get_ipython

from pxshell.ranks import RankSet
from pxshell.render import Event, Plot, Progress, to_plain
from pxshell.render.layout import progress_text

__all__ = ["PlainDisplay"]

# A printed line stays, so it is not printed each second.
_PROGRESS_EVERY_S = 10.0
# Columns of the text beside a figure.
_WIDTH = 80


class PlainDisplay:
    """Prints events; `world` gives the ranks of the cluster at that moment."""

    def __init__(self, world: Callable[[], RankSet]) -> None:
        self._world = world
        self._next_progress = 0.0

    @property
    def shows_images(self) -> bool:
        """Whether this is a notebook's kernel, whose front end shows figures."""
        return getattr(get_ipython(), "kernel", None) is not None

    def show(self, event: Event) -> None:
        """Print an event; a plot with an image is a figure of the notebook."""
        if isinstance(event, Plot) and event.png:
            text = to_plain(event, self._world(), _WIDTH)
            publish: Any = publish_display_data  # without annotations
            publish({"image/png": base64.b64encode(event.png).decode(), "text/plain": text})
            return
        print(to_plain(event, self._world(), shutil.get_terminal_size().columns), end="", flush=True)

    def progress(self, progress: Progress | None) -> None:
        """Print who is waited for, now and then."""
        if progress is None or time.monotonic() < self._next_progress:
            return
        self._next_progress = time.monotonic() + _PROGRESS_EVERY_S
        print(progress_text(progress), flush=True)

    def ask(self, prompt: str, *, password: bool = False) -> str:
        """Ask as IPython does: in the terminal, or by the notebook."""
        return getpass.getpass(prompt) if password else input(prompt)
