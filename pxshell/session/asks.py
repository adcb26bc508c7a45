"""Questions of ranks: `input()` there is answered here."""

from __future__ import annotations

from pxshell.protocol.message import Message
from pxshell.session.answers import clean
from pxshell.session.desk import Desk
from pxshell.session.questions import Questions

__all__ = ["Asks"]

# Ranks that ask in a loop without an answer: the oldest questions are given up, their ranks still wait.
_LIMIT = 1000
# What Jupyter sends for Ctrl-D: `input()` raises EOFError.
_END_OF_FILE = "\x04"


class Asks:
    """Questions that nobody waits for in the foreground; `add` is for the io thread, the rest for the face's."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting = Questions()

    def add(self, message: Message) -> None:
        """Keep a question until the next prompt, and say so."""
        if len(self._waiting) >= _LIMIT:
            self._waiting.drop_oldest()
        self._waiting.add(message)
        question = clean(str(message.data().get("prompt", ""))).strip()
        self._desk.say(f"{message.ranks} asks: {question}  (answer it before the next prompt)", ranks=message.ranks)

    def answer_all(self) -> None:
        """Ask the user every question that waits, by rank."""
        while (message := self._waiting.take()) is not None:
            self.answer(message)

    def answer(self, message: Message) -> None:
        """Ask the user, and send the answer to the rank.

        Raises:
            KeyboardInterrupt: the user does not want to answer.
        """
        content = message.data()
        self._desk.progress(None)
        prompt = f"[{message.ranks}] {clean(str(content.get('prompt', '')))}"
        self._desk.is_asking = True
        try:
            text = self._desk.display.ask(prompt, password=bool(content.get("password")))
        except EOFError:
            text = _END_OF_FILE
        finally:
            self._desk.is_asking = False
        self._desk.client.tell("input_reply", {"value": text}, message.ranks)
