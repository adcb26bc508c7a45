"""From a cluster to the terminal on it, and back."""

from __future__ import annotations

import os
import sys
from typing import Protocol

from IPython.terminal.ipapp import TerminalIPythonApp
from prompt_toolkit.application.current import get_app_session

from pxshell.protocol.message import Message
from pxshell.render import renderer_for
from pxshell.render.graphics import Graphics, graphics_of
from pxshell.session import Session
from pxshell.session.ports import ClientPort
from pxshell.terminal.display import TerminalDisplay
from pxshell.terminal.leaving import Leaving
from pxshell.terminal.screen import Screen
from pxshell.terminal.shell import Face, TerminalShell

__all__ = ["ClusterPort", "run_terminal"]

#: Seconds that one thread of this process may keep the others waiting.
_SWITCH_S = 0.0005


class ClusterPort(Protocol):
    """What the terminal needs of a cluster."""

    def client(self) -> ClientPort:
        """Return the connection."""

    def stop(self) -> None:
        """End it."""

    def disconnect(self) -> None:
        """Leave it running."""


class _IPython(TerminalIPythonApp):
    """IPython with the user's profile and no banner; `name` stays, for that is where the configuration is."""

    interactive_shell_class = TerminalShell
    display_banner = False


def run_terminal(cluster: ClusterPort, *, was_started: bool) -> int:
    """Open the terminal and return when its user has left; 0.

    Args:
        cluster: It is stopped or left, as the user says.
        was_started: This command started it, so user code waits for us, and leaving asks whether to stop it.
    """
    client = cluster.client()
    screen = Screen(get_app_session().output)
    display = TerminalDisplay(screen, renderer_for(sys.stdout), lambda: client.ranks, _graphics())
    unsubscribe = client.subscribe(lambda message: _refresh(screen, message))
    # A key waits at most so long for the thread that receives, in which text is drawn.
    sys.setswitchinterval(_SWITCH_S)
    try:
        with Session(client, display) as session:
            shell = _make_shell()
            leaving = Leaving(session, screen, was_started, cluster.stop, asks=not shell.simple_prompt)
            shell.take_face(Face(session, screen, display, leaving))
            if client.snapshot.script:
                session.hold(on=True)
            if was_started and client.snapshot.script:
                client.request("px_start_request", {}, client.ranks)
            elif not client.snapshot.script:
                screen.write(_first_words(client))
            session.watch()
            shell.mainloop()
    finally:
        unsubscribe()
        screen.close()
        cluster.disconnect()
        TerminalShell.clear_instance()
        _IPython.clear_instance()
    return 0


def _graphics() -> Graphics:
    return graphics_of(os.environ, is_terminal=sys.stdout.isatty())


def _make_shell() -> TerminalShell:
    app = _IPython.instance()
    app.initialize([])
    assert isinstance(app.shell, TerminalShell)
    return app.shell


def _refresh(screen: Screen, message: Message) -> None:
    """Draw prompt and toolbar anew when a state has changed; in the client's io thread."""
    if message.type == "px_state":
        screen.refresh()


def _first_words(client: ClientPort) -> str:
    count = len(client.ranks)
    where = f"all {count}" if count > 1 else "rank 0"
    return f"What you type runs on {where}.  %pxfocus RANKS: on some.  %local: here.  ?px: help.  Ctrl-D: leave.\n"
