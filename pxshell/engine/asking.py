"""`input()` and `getpass()` of cells: a question to the front end, and the wait for its answer."""

from __future__ import annotations

import builtins
import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TextIO

__all__ = ["Questions"]

_END_OF_FILE = "\x04"


class Questions:
    """The main thread asks and waits; control hands the answer over.

    Args:
        say: Sends the question: (prompt, is it a password).
    """

    def __init__(self, say: Callable[[str, bool], None]) -> None:
        self._say = say
        # A SimpleQueue, for the wait in its `get` ends when a signal handler raises.
        self._answers: SimpleQueue[str] = SimpleQueue()
        self._is_waiting = False

    def ask(self, prompt: str, is_password: bool) -> str:
        """Ask and wait; main thread."""
        while not self._answers.empty():
            self._answers.get()  # the answer to a question that was interrupted
        self._is_waiting = True
        try:
            self._say(prompt, is_password)
            answer = self._answers.get()
        finally:
            self._is_waiting = False
        if answer == _END_OF_FILE:
            raise EOFError
        return answer

    def answer(self, value: str) -> None:
        """Hand the answer over; control thread. Without a question it is dropped."""
        if self._is_waiting:
            self._answers.put(value)

    @contextmanager
    def allowed(self, *, is_allowed: bool) -> Iterator[None]:
        """Let `input` and `getpass` ask the front end inside; main thread.

        Without somebody who can answer they raise, rather than read the stdin of the job.
        """
        saved = (builtins.input, getpass.getpass)
        ask: Callable[[str, bool], str] = self.ask if is_allowed else _refuse

        def ask_input(prompt: Any = "", /) -> str:
            """Ask the front end."""
            return ask(str(prompt), False)

        def ask_password(prompt: str = "Password: ", stream: TextIO | None = None, **_options: Any) -> str:
            """Ask the front end, which does not show what is typed; `stream` is for terminals."""
            del stream
            return ask(prompt, True)

        builtins.input, getpass.getpass = ask_input, ask_password
        try:
            yield
        finally:
            builtins.input, getpass.getpass = saved


def _refuse(_prompt: str, _is_password: bool) -> str:
    from IPython.core.error import StdinNotImplementedError

    raise StdinNotImplementedError("input was called, but nobody is there who could answer")
