"""The terminal in a real pseudo-terminal: its modes, its questions to the terminal, typing while ranks flood."""

from pathlib import Path

import pytest
from pty_terminal import Pty

from pxshell.testing.waiting import wait_until

PROGRAM = Path(__file__).parent / "scripted_terminal.py"

pytestmark = pytest.mark.terminal


@pytest.fixture
def pty():
    opened = []

    def open_pty(*words):
        opened.append(Pty(str(PROGRAM), *map(str, words)))
        return opened[-1]

    yield open_pty
    for one in opened:
        one.end()


def test_a_session_from_prompt_to_end(pty):
    terminal = pty()
    terminal.wait_for("px[0-3]>")
    terminal.wait_for("0-3 idle")
    terminal.type("abc\r")
    terminal.wait_for("[0-3]  ABC\npx[0-3]>\n")
    terminal.type("\x04")
    terminal.wait_for("Stop it, or detach? [S/d]")
    terminal.type("s\r")
    terminal.wait_for("stopped: 0-3 have ended")
    wait_until(lambda: not terminal.process.isalive(), 30, "the program has ended")
    assert terminal.process.exitstatus == 0


def test_ctrl_c_interrupts_the_cell_in_flight(pty):
    """A line says who is waited for, goes away again, and each rank is reported."""
    terminal = pty()
    terminal.wait_for("px[0-3]>")
    terminal.type("never\r")
    terminal.wait_for("px[0-3]> never\nwaiting for 0-3")
    terminal.type("\x03")
    terminal.wait_for("[0-3]  KeyboardInterrupt")
    terminal.wait_for("px[0-3]>\n")
    assert "waiting for" not in "\n".join(terminal.lines())


def test_what_is_typed_ahead_is_for_the_next_prompt(pty, tmp_path):
    """It is not echoed among the output, and Return and Ctrl-D stay what they are."""
    terminal = pty(tmp_path / "answered")
    terminal.wait_for("px[0-3]>")
    terminal.type("slow\r")
    terminal.wait_for("waiting for 0-3")
    terminal.type("abc\r\x04")
    (tmp_path / "answered").touch()
    terminal.wait_for("px[0-3]> slow\npx[0-3]> abc\n[0-3]  ABC\npx[0-3]>\nCluster calm-fox was started here.")


def test_typing_holds_while_four_ranks_flood(pty):
    """Every key is echoed, in its place, while lines pass above; how fast is for benchmarks/ to say."""
    terminal = pty("flood")
    terminal.wait_for(" of rank 3\npx[0-3]>")
    for count in range(1, 31):
        terminal.type("x")
        wait_until(lambda count=count: any(f"> {'x' * count}" in line for line in terminal.lines()), 30, "the echo")
    terminal.type("\r")
    terminal.wait_for_passing("X" * 30)
