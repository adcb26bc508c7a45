"""The face's side of a session: where events go and questions are asked."""

from __future__ import annotations

from typing import Protocol

from pxshell.render.events import Event, Progress

__all__ = ["Display"]


class Display(Protocol):
    """What a terminal, a notebook or a script implements.

    `show` and `progress` are called from the caller's thread of a session and from the client's io thread, one call
    at a time; they must not block and not call the session.
    """

    @property
    def shows_images(self) -> bool:
        """Whether a plot is to come with its image; without it, or as well, it is shown as text."""

    def show(self, event: Event) -> None:
        """Show an event, for good."""

    def progress(self, progress: Progress | None) -> None:
        """Show what is waited for, in place of the last such line; None takes the line away."""

    def ask(self, prompt: str, *, password: bool = False) -> str:
        """Ask the user for a line, for `input()` on a rank; only called in the thread that called the session.

        Raises:
            KeyboardInterrupt: the user does not answer; the rank is interrupted.
            EOFError: there is nobody to ask; `input()` raises EOFError too.
        """
