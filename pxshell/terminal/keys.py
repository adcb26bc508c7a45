"""Keys of the terminal, beside IPython's: each types the magic that it stands for, to be read afterwards."""

from __future__ import annotations

from typing import Protocol

from prompt_toolkit.application.current import get_app
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

__all__ = ["Submitter", "add_keys"]


class Submitter(Protocol):
    """What the keys need of the shell."""

    def begin_next_with(self, text: str) -> None:
        """Give the text that the next prompt begins with."""

    def is_script_running(self) -> bool:
        """Whether Ctrl-C has a script to pause."""


def add_keys(bindings: KeyBindings, shell: Submitter) -> None:
    """Add F5 (Alt-r), which resumes, and Ctrl-C on an empty line, which pauses a running script."""

    def submit(event: KeyPressEvent, command: str) -> None:
        # What was being typed comes back with the next prompt.
        buffer = event.current_buffer
        shell.begin_next_with(buffer.text)
        buffer.text = command
        buffer.validate_and_handle()

    def pause(event: KeyPressEvent) -> None:
        submit(event, "%pxsignal pause")

    def resume(event: KeyPressEvent) -> None:
        submit(event, "%pxsignal resume")

    is_line_focused = has_focus(DEFAULT_BUFFER)
    has_nothing_typed = Condition(lambda: not get_app().current_buffer.text)
    can_pause = is_line_focused & has_nothing_typed & Condition(shell.is_script_running)
    bindings.add("c-c", filter=can_pause)(pause)
    bindings.add("f5", filter=is_line_focused)(resume)
    bindings.add("escape", "r", filter=is_line_focused)(resume)
