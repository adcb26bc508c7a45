"""Plots on displays: an image where one can be shown, else text."""

import base64

import pytest
from pxshell.magics import plain_display

from pxshell.ranks import RankSet
from pxshell.render import Panel, Plot, to_plain
from pxshell.render.graphics import encoded
from pxshell.terminal.display import TerminalDisplay
from pxshell.values.picture import picture_of

WORLD = RankSet.span(0, 2)
PLOT = Plot("x on 0-1", (Panel(WORLD, picture_of(3, 9)),))
IMAGE = Plot(PLOT.title, PLOT.panels, b"an image")


class Paper:
    """What is written to a screen."""

    columns = 60

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


@pytest.mark.parametrize("graphics", ["kitty", "iterm2"])
def test_a_terminal_is_sent_the_image(graphics):
    paper = Paper()
    display = TerminalDisplay(paper, to_plain, lambda: WORLD, graphics)
    assert display.shows_images
    display.show(IMAGE)
    assert paper.text == encoded(b"an image", graphics)


def test_a_terminal_without_images_gets_text():
    paper = Paper()
    display = TerminalDisplay(paper, to_plain, lambda: WORLD)
    assert not display.shows_images
    display.show(PLOT)
    assert paper.text.startswith("x on 0-1\n[0-1]  █")


def test_a_notebook_gets_a_figure(monkeypatch, capsys):
    """As display_data, with the text beside it."""
    published = []
    display = plain_display.PlainDisplay(lambda: WORLD)
    assert not display.shows_images
    monkeypatch.setattr(plain_display, "get_ipython", lambda: type("Shell", (), {"kernel": object()}))
    monkeypatch.setattr(plain_display, "publish_display_data", published.append)
    assert display.shows_images
    display.show(IMAGE)
    (data,) = published
    assert base64.b64decode(data["image/png"]) == b"an image"
    assert data["text/plain"].startswith("x on 0-1\n")
    display.show(PLOT)
    assert capsys.readouterr().out.startswith("x on 0-1\n")
