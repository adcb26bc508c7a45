"""Leaving the terminal: stop the cluster, or detach from it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pxshell.errors import LinkLostError, PxshellError
from pxshell.protocol.state import Activity
from pxshell.protocol.types import RUN
from pxshell.session import Session
from pxshell.terminal.display import ask_line
from pxshell.terminal.screen import Screen

__all__ = ["Leaving"]


@dataclass(frozen=True, slots=True)
class Leaving:
    """What happens to the cluster when its user leaves.

    Attributes:
        started_here: This terminal started the cluster, so it may stop it.
        on_stop: Stops the cluster, and returns when it has ended.
        asks: There is somebody to ask; else the answer is the capital letter.
    """

    session: Session
    screen: Screen
    started_here: bool
    on_stop: Callable[[], None]
    asks: bool = True

    def leave(self) -> bool:
        """Ask where there is a choice, and do it; False when the user stays after all."""
        if not self._has_living():
            return True
        question = self._question()
        try:
            answer = self._answer(question) if question else "d"
        except KeyboardInterrupt:
            return False
        if answer == "s":
            return self._stop()
        if self._script_has_ended():
            return answer != "n"
        self._say(f"→ back: pxshell attach {self.session.client.name}")
        return True

    def _question(self) -> str:
        """Return what is asked, "" when there is no choice; the capital letter is what Return means."""
        client = self.session.client
        if script := [state for _, state in client.states.groups() if state.is_alive and state.cell == RUN]:
            name = client.snapshot.script or "a script"
            return f"{name} {_doing({state.activity for state in script})}. Detach, or stop it? [D/s] "
        if self._script_has_ended():
            return f"{client.snapshot.script} has ended, and its ranks end when you leave. Leave? [Y/n] "
        return f"Cluster {client.name} was started here. Stop it, or detach? [S/d] " if self.started_here else ""

    def _answer(self, question: str) -> str:
        """Return the first letter of the answer; Return takes the capital one."""
        choices = question[-5:].strip(" []").split("/")
        default = next(letter for letter in choices if letter.isupper()).lower()
        if not self.asks:
            return default
        while True:
            try:
                letter = (ask_line(self.screen, question).strip().lower() or default)[0]
            except EOFError:  # the terminal has gone, or Ctrl-D again: what can be undone
                return "d"
            if letter in [choice.lower() for choice in choices]:
                return letter
            self._say(f"{' or '.join(choices).lower()}; Ctrl-C stays")

    def _stop(self) -> bool:
        ranks, began = self.session.world, time.monotonic()
        try:
            self.on_stop()
        except PxshellError as error:
            self._say(str(error))
            return isinstance(error, LinkLostError)
        self._say(f"stopped: {ranks} {'has' if len(ranks) == 1 else 'have'} ended ({time.monotonic() - began:.1f} s)")
        return True

    def _script_has_ended(self) -> bool:
        """Its ranks are kept only while somebody is attached, so there is nothing to come back to."""
        client = self.session.client
        return bool(client.snapshot.script) and not any(state.cell == RUN for _, state in client.states.groups())

    def _has_living(self) -> bool:
        return bool(self.session.client.states.alive())

    def _say(self, line: str) -> None:
        self.screen.write(f"{line}\n")


def _doing(activities: set[Activity]) -> str:
    if Activity.FAILED in activities:
        return "has failed, and waits"
    return "is still running" if Activity.BUSY in activities else "is paused"
