"""The display of a session on a terminal: events drawn above the prompt, one progress line, questions of ranks."""

from __future__ import annotations

from collections.abc import Callable

from prompt_toolkit import PromptSession

from pxshell.ranks import RankSet
from pxshell.render import Event, Plot, Progress
from pxshell.render.choice import Renderer
from pxshell.render.graphics import Graphics, encoded
from pxshell.render.layout import progress_text
from pxshell.terminal.screen import Screen

__all__ = ["TerminalDisplay", "ask_line"]


class TerminalDisplay:
    """Draws a session's events on a screen.

    Args:
        screen: The terminal.
        renderer: Events to text: with colours, or without.
        world: All ranks of the cluster, asked each time.
        graphics: How the terminal is sent images, "" when it shows none.
    """

    def __init__(
        self, screen: Screen, renderer: Renderer, world: Callable[[], RankSet], graphics: Graphics = ""
    ) -> None:
        self.graphics = graphics
        self._screen = screen
        self._renderer = renderer
        self._world = world

    @property
    def shows_images(self) -> bool:
        """Whether the terminal can."""
        return bool(self.graphics)

    def show(self, event: Event) -> None:
        """Draw an event."""
        if isinstance(event, Plot) and event.png:
            self._screen.write(encoded(event.png, self.graphics))
            return
        self._screen.write(self._renderer(event, self._world(), self._screen.columns))

    def progress(self, progress: Progress | None) -> None:
        """Draw who is waited for, in place of the last such line."""
        self._screen.progress(progress_text(progress) if progress else "")

    def ask(self, prompt: str, *, password: bool = False) -> str:
        """Ask the user for a line; what ranks say meanwhile goes above it."""
        return ask_line(self._screen, prompt, password=password)


def ask_line(screen: Screen, prompt: str, *, password: bool = False) -> str:
    """Ask for one line of text.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        EOFError: Ctrl-D, or the terminal is gone.
    """
    session: PromptSession[str] = PromptSession()
    try:
        return session.prompt(prompt, is_password=password, pre_run=lambda: screen.prompt_begins(session.app))
    finally:
        screen.prompt_ends()
