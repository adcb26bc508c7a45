"""What is typed while ranks work: kept for the next prompt, and not echoed among their output."""

from __future__ import annotations

import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["typing_ahead"]


@contextmanager
def typing_ahead() -> Iterator[None]:
    """Keep keys as they are until the prompt reads them; Ctrl-C still is a signal.

    In the terminal's own mode Ctrl-D would be an end of file, which is lost, and Return another key. Ranks do not read
    this terminal: what they ask comes by ``Display.ask``.
    """
    try:
        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)
    except (OSError, ValueError, termios.error):  # no terminal: there are no keys
        yield
        return
    now = [*before]
    now[0] &= ~termios.ICRNL
    now[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(fd, termios.TCSADRAIN, now)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
