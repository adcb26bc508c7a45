"""What ranks say stands above the prompt, whole and in order, and typing goes on."""

import threading
import time

import pytest
from prompt_toolkit import PromptSession

from pxshell.terminal import screen as module
from pxshell.terminal.screen import Screen, rows_of
from pxshell.testing.waiting import wait_until


@pytest.fixture
def screen(painted):
    screen = Screen(painted.output)
    yield screen
    screen.close()


def ask(screen, prompts=None):
    prompts = prompts or PromptSession(bottom_toolbar="the toolbar")
    try:
        return prompts.prompt("px> ", pre_run=lambda: screen.prompt_begins(prompts.app))
    finally:
        screen.prompt_ends()


def test_text_goes_out_at_once_without_a_prompt(screen, painted):
    screen.write("one\n")
    screen.write("two")
    screen.write(" three\n")
    assert painted.lines()[:2] == ["one", "two three"]


def test_a_prompt_begins_on_a_line_of_its_own(screen, painted, typist):
    def steps():
        painted.wait_for("no newline\npx>")
        painted.type("\r")

    screen.write("no newline")
    typist(steps)
    ask(screen)


def test_text_stands_above_the_prompt_and_what_is_typed_stays(screen, painted, typist):
    def steps():
        painted.wait_for(["px>", "the toolbar"])
        painted.type("half")
        painted.wait_for("px> half")
        screen.write("\x1b[31mfirst\x1b[0m\nsecond\n")
        painted.wait_for("second\npx> half")
        painted.type(" whole\r")

    typist(steps)
    assert ask(screen) == "half whole"
    assert painted.lines()[:3] == ["first", "second", "px> half whole"]


def test_the_toolbar_stays_while_text_flows(screen, painted, typist):
    """The place of the prompt is computed, not asked for: with the question the toolbar would flicker."""

    def steps():
        painted.wait_for(["px>", "the toolbar"])
        asked = painted.raw.count("\x1b[6n")
        for number in range(40):
            screen.write(f"line {number}\n" if number % 7 else f"long {'=' * 250} {number}\n")
            painted.wait_for(f" {number}\npx>")
            painted.wait_for("the toolbar")
        assert painted.raw.count("\x1b[6n") == asked
        painted.type("\r")

    typist(steps)
    ask(screen)
    seen = [line for line in painted.lines() if line.startswith("line")]
    assert seen == [f"line {number}" for number in range(40) if number % 7]


def test_a_partial_line_is_ended_above_the_prompt(screen, painted, typist):
    def steps():
        painted.wait_for("the toolbar")
        screen.write("no newline")
        painted.wait_for("no newline\npx>")
        painted.type("\r")

    typist(steps)
    ask(screen)


def test_what_waits_when_the_prompt_ends_goes_out_before_the_next(screen, painted, typist):
    """P2: nothing is lost between two prompts."""

    def steps():
        painted.wait_for("the toolbar")
        for number in range(500):
            screen.write(f"n{number}\n")
        painted.type("\r")

    typist(steps)
    ask(screen)
    assert [line for line in painted.lines() if line.startswith("n")] == [f"n{number}" for number in range(500)]


def test_a_flood_is_cut_with_an_announcement(screen, painted, typist, monkeypatch):
    """P2, P7: what the terminal cannot take is cut, the newest stays, and a line says how much."""
    monkeypatch.setattr(module, "LIMIT", 4000)
    monkeypatch.setattr(module, "BATCH", 1000)

    def steps():
        painted.wait_for("the toolbar")
        for number in range(2000):
            screen.write(f"n{number}\n")
        painted.wait_for("n1999\npx>")
        painted.type("\r")

    typist(steps)
    ask(screen)
    shown = [line for line in painted.lines() if line.startswith("n")]
    cut = [int(line.split()[1]) for line in painted.lines() if line.startswith("…")]
    assert shown[-1] == "n1999"
    assert len(shown) + sum(cut) == 2000


def test_keys_are_echoed_soon_while_text_floods(screen, painted, typist):
    """Keystroke echo while ranks flood, which they do until it is there; how soon, the benchmark measures."""
    stop = threading.Event()

    def flood():
        number = 0
        while not stop.wait(0.001):
            screen.write("".join(f"[{rank}]    step {number}\n" for rank in range(4)))
            number += 1

    def steps():
        painted.wait_for("the toolbar")
        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            for count in range(1, 11):
                painted.type("x")
                wait_until(lambda count=count: f"px> {'x' * count}" in painted.drawn_prompt(), 30, "the echo")
        finally:
            stop.set()
            flooding.join()
        painted.type("\r")

    painted.drawn_prompt = lambda: "\n".join(painted.lines()[-24:])
    typist(steps)
    assert ask(screen) == "x" * 10


def test_redraws_are_at_most_twenty_a_second(screen, painted, typist):
    drawn = []

    def steps():
        painted.wait_for("the toolbar")
        started, before = time.monotonic(), painted.raw.count("\x1b[J")
        while time.monotonic() - started < 0.5 or painted.raw.count("\x1b[J") == before:
            screen.write("flood\n")
        drawn.append(painted.raw.count("\x1b[J") - before)
        # One redraw erases the prompt and then what is below it.
        drawn.append(2 * ((time.monotonic() - started) / module.REDRAW_S + 2))
        painted.type("\r")

    typist(steps)
    ask(screen)
    assert 1 <= drawn[0] <= drawn[1]


def test_a_slow_terminal_gets_little_at_once_and_a_fast_one_much(screen):
    """Keys wait for a batch: it is what the terminal takes in some milliseconds."""
    for _ in range(8):
        screen._measure(screen._batch, 0.0)
    assert screen._batch == module.BATCH
    screen._measure(module.BATCH, 0.1)
    assert screen._batch == module.BATCH // 2
    for _ in range(8):
        screen._measure(screen._batch, 0.1)
    assert screen._batch == module.SMALL_BATCH
    screen._measure(100, 0.0)
    assert screen._batch == module.SMALL_BATCH


def test_progress_is_one_line_that_text_erases(screen, painted):
    screen.progress("0-2 done, 3 not")
    painted.wait_for("0-2 done, 3 not")
    screen.progress("x" * 300)
    painted.wait_for(f"{'x' * 98}…")
    screen.write("[0]    1\n")
    assert painted.lines()[:2] == ["[0]    1", f"{'x' * 98}…"]
    screen.progress("")
    screen.write("[1]    2\n")
    assert painted.lines()[:3] == ["[0]    1", "[1]    2", ""]


def test_progress_leaves_a_partial_line_alone(screen, painted):
    screen.write("password: ")
    screen.progress("waiting")
    screen.write("x")
    assert painted.lines()[0] == "password: x"


def test_a_terminal_that_takes_nothing_blocks_no_other_thread(screen, painted, monkeypatch):
    """P7: the client's thread goes on while the user has stopped the terminal with Ctrl-S."""
    goes_on = threading.Event()
    taken = painted.write
    monkeypatch.setattr(painted, "write", lambda text: goes_on.wait(30) and taken(text))
    writing = threading.Thread(target=lambda: [screen.write(f"n{number}\n") for number in range(1000)])
    writing.start()
    writing.join(30)
    assert not writing.is_alive()
    goes_on.set()
    painted.wait_for("n999")


def test_rows_are_counted_as_the_terminal_wraps_them():
    assert rows_of("a\n\nb\n", 10) == 3
    assert rows_of("\x1b[1;31m" + "x" * 10 + "\x1b[0m\n" + "x" * 11 + "\n", 10) == 3
    assert rows_of("漢字漢字漢字\n", 10) == 2
