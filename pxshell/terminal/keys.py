"""Keys of the terminal, beside IPython's: each types the magic that it stands for, to be read afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from prompt_toolkit.application.current import get_app
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

__all__ = ["Submitter", "add_keys"]


#: A magic, and the keys that type it. Terminals send Shift-F11 as F23.
_DEBUGGER = (
    ("%pxsignal resume", ("f5",), ("escape", "r")),
    ("%pxdebug next", ("f10",), ("escape", "n")),
    ("%pxdebug step", ("f11",), ("escape", "s")),
    ("%pxdebug finish", ("f23",), ("escape", "o")),
)


class Submitter(Protocol):
    """What the keys need of the shell."""

    def begin_next_with(self, text: str) -> None:
        """Give the text that the next prompt begins with."""

    def is_script_running(self) -> bool:
        """Whether Ctrl-C has a script to pause."""


def add_keys(bindings: KeyBindings, shell: Submitter) -> None:
    """Add Ctrl-C on an empty line, which pauses a running script, and the keys of the debugger.

    F5 (Alt-r) resumes; F10 (Alt-n) is next, F11 (Alt-s) step, Shift-F11 (Alt-o) finish, for terminals that keep some
    of these for themselves.
    """

    def submit(event: KeyPressEvent, command: str) -> None:
        # What was being typed comes back with the next prompt.
        buffer = event.current_buffer
        shell.begin_next_with(buffer.text)
        buffer.text = command
        buffer.validate_and_handle()

    def pause(event: KeyPressEvent) -> None:
        submit(event, "%pxsignal pause")

    def types(command: str) -> Callable[[KeyPressEvent], None]:
        return lambda event: submit(event, command)

    is_line_focused = has_focus(DEFAULT_BUFFER)
    has_nothing_typed = Condition(lambda: not get_app().current_buffer.text)
    can_pause = is_line_focused & has_nothing_typed & Condition(shell.is_script_running)
    bindings.add("c-c", filter=can_pause)(pause)
    for command, *keys in _DEBUGGER:
        for key in keys:
            bindings.add(*key, filter=is_line_focused)(types(command))
