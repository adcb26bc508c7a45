"""Plots as text, as images, and as what terminals draw images from."""

import base64
import io
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxshell.errors import UsageError
from pxshell.ranks import RankSet
from pxshell.render import Compared, Comparison, Panel, Plot, to_ansi, to_json, to_plain
from pxshell.render.figures import draw
from pxshell.render.graphics import encoded, graphics_of
from pxshell.render.textplot import NAN_SHADE
from pxshell.render.widths import width_of
from pxshell.values.picture import picture_of

WORLD = RankSet.span(0, 4)


def plot(*values, places=None):
    panels = [
        Panel(RankSet.of(rank), picture_of(value, 64), places[rank] if places else ())
        for rank, value in enumerate(values)
    ]
    return Plot("u on 0-3", tuple(panels))


def hill(shift=0.0, shape=(16, 16)):
    rows, columns = np.indices(shape)
    return np.hypot(rows - shape[0] / 2, columns - shape[1] / 2) + shift


PLACES = [((0, 16), (0, 16)), ((0, 16), (16, 32)), ((16, 32), (0, 16)), ((16, 32), (16, 32))]


def test_bars_begin_at_zero():
    lines = to_plain(plot(-1.0, 0.0, 1.0, math.nan), WORLD, 40).splitlines()
    assert lines[0] == "u on 0-3"
    bars = [re.sub(r" [-\w]+$", "", line[5:]) for line in lines[1:]]
    zero = len(bars[0])
    assert set(bars[0]) == {"█"} and zero > 10
    assert bars[1] == " " * zero + "▏"
    assert re.fullmatch(f" {{{zero}}}█+", bars[2]) and abs(len(bars[2]) - 2 * zero) <= 1
    assert lines[4] == "[3]   nan"


def test_a_curve_shows_rise_and_gap():
    row = np.arange(64.0)
    row[30:40] = np.nan
    text = to_plain(plot(row), WORLD, 60)
    lines = text.splitlines()
    assert lines[1] == "[0]  float64 (64,)  NaN in it"
    assert lines[2].startswith("63 ┤") and lines[-1].startswith(" 0 ┤")
    top, bottom = lines[2].split("┤")[1], lines[-1].split("┤")[1]
    assert top.rstrip("⠀") and bottom.strip("⠀")
    middle = len(top) * 35 // 64
    assert all(line.split("┤")[1][middle] == "⠀" for line in lines[2:])


def test_numbers_of_many_ranks_are_a_curve():
    values = [math.sin(rank / 9) for rank in range(128)]
    values[5] = math.nan
    lines = to_plain(plot(*values), WORLD, 80).splitlines()
    assert len(lines) == 10
    assert lines[-1].strip() == "ranks 0 to 127; 1 of them NaN"


def test_a_field_of_blocks_is_one_picture_with_its_nan():
    blocks = [hill(rank) for rank in range(4)]
    blocks[3][8, 8] = np.nan
    lines = to_plain(plot(*blocks, places=PLACES), WORLD, 80).splitlines()
    assert NAN_SHADE in "".join(lines[len(lines) // 2 : -1])
    assert NAN_SHADE not in "".join(lines[: len(lines) // 2])
    assert re.fullmatch(rf"0 +░+▒+▓+█+ \d+\.\d+   {NAN_SHADE} NaN", lines[-1])


def test_fields_stand_side_by_side_under_their_ranks():
    lines = to_plain(plot(*[hill()] * 4), WORLD, 60).splitlines()
    assert lines[1].split() == ["[0]", "[1]"]
    assert ["[2]", "[3]"] in [line.split() for line in lines]


def test_blocks_that_leave_room_leave_it_blank():
    text = to_plain(plot(hill(), hill(), places=[PLACES[0], PLACES[3]]), WORLD, 60)
    assert text.splitlines()[1].endswith(("█", "▓", "▒"))
    assert to_ansi(plot(hill(), hill(), places=[PLACES[0], PLACES[3]]), WORLD, 60).count("\x1b[0m ")


@pytest.mark.parametrize("columns", [20, 40, 79, 200])
@pytest.mark.parametrize(
    "values",
    [
        [1.0, 2.0],
        [np.arange(5000.0)],
        [hill()] * 4,
        [hill(shape=(3, 200))] * 3,
        [hill(shape=(200, 3))] * 3,
        [np.full((4, 4), np.nan)],
        [np.array([math.inf, 1.0, -math.inf])],
    ],
    ids=str,
)
def test_no_plot_is_wider_than_the_screen(values, columns):
    for line in to_plain(plot(*values), WORLD, columns).splitlines()[1:]:
        assert width_of(line) <= max(columns, 44), line


def test_what_is_too_much_is_counted():
    many = plot(*[hill()] * 40)
    assert "… 24 more; fewer ranks: -t RANKS, all: --save FILE" in to_plain(many, WORLD, 80)


@settings(max_examples=20)
@given(st.lists(st.lists(st.floats(-5, 5), min_size=6, max_size=6), min_size=6, max_size=6))
def test_colours_draw_what_the_shades_do(rows):
    """As many characters, each with the colours of both of its pixels."""
    one = plot(np.array(rows))
    bare = re.sub(r"\x1b\[[\d;]*m", "", to_ansi(one, WORLD, 60)).splitlines()
    shades = to_plain(one, WORLD, 60).splitlines()
    assert len(bare) == len(shades)
    assert all(set(line) <= set(" ▀▄█") for line in bare[2:-1])


def test_a_plot_and_a_comparison_are_json():
    """For programs: values, not drawings."""
    (line,) = to_json(plot(np.array([1.0, math.nan]))).splitlines()
    assert json.loads(line) == {
        "ranks": "0", "type": "px_plot", "text": "u on 0-3", "shape": [2], "place": [], "values": [[1.0, "nan"]]
    }  # fmt: skip
    groups = (Compared(RankSet.of(3), "a", "1", is_odd=True, details=("first at [0]",)),)
    group, note = map(json.loads, to_json(Comparison(groups, ("equal on all",))).splitlines())
    assert group == {
        "ranks": "3", "type": "px_compared", "text": "1", "letter": "a", "odd": True, "details": ["first at [0]"]
    }  # fmt: skip
    assert note["text"] == "equal on all"


# Images.


def pixels(image):
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    return np.rint(imread(io.BytesIO(image))[..., :3] * 255).astype(int)


@pytest.mark.parametrize(
    "one",
    [
        plot(1.0, math.nan, 3.0),
        plot(*map(float, range(100))),
        plot(np.arange(5.0), np.arange(300.0)),
        plot(*[hill()] * 3),
        plot(*[hill()] * 4, places=PLACES),
        plot(np.full((3, 3), np.nan)),
    ],
    ids=["bars", "curve", "rows", "panels", "field", "nan"],
)
def test_every_kind_of_plot_is_drawn(one):
    assert len(np.unique(pixels(draw(one)).reshape(-1, 3), axis=0)) > 2


def test_nan_is_red_in_figures():
    field = hill()
    assert not (pixels(draw(plot(field))) == [255, 0, 0]).all(-1).any()
    field[4:8, 4:8] = np.nan
    assert (pixels(draw(plot(field))) == [255, 0, 0]).all(-1).any()


# Terminals.


@pytest.mark.parametrize(
    ("environ", "graphics"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "xterm-256color"}, ""),
        ({"TERM_PROGRAM": "Apple_Terminal"}, ""),
        ({}, ""),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1", "TMUX": "/tmp/x"}, ""),
        ({"TERM": "screen", "TERM_PROGRAM": "iTerm.app"}, ""),
        ({"TERM": "xterm", "PXSHELL_GRAPHICS": "sixel"}, "sixel"),
        ({"TERM": "xterm-kitty", "PXSHELL_GRAPHICS": "text"}, ""),
    ],
)
def test_a_terminal_is_believed_what_it_says_of_itself(environ, graphics):
    assert graphics_of(environ, is_terminal=True) == graphics
    assert graphics_of(environ, is_terminal=False) == ""


def test_kitty_gets_the_image_in_pieces():
    image = bytes(range(256)) * 40
    text = encoded(image, "kitty")
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in pieces) + "\n" == text
    assert all(len(data) <= 4096 for _, data in pieces)
    assert [keys for keys, _ in pieces] == ["a=T,f=100,q=2,m=1", "m=1", "m=1", "m=0"]
    assert base64.b64decode("".join(data for _, data in pieces)) == image


def test_iterm2_gets_the_image_whole():
    found = re.fullmatch(
        r"\x1b\]1337;File=inline=1;size=5;preserveAspectRatio=1:(.*)\x07\n", encoded(b"image", "iterm2")
    )
    assert base64.b64decode(found[1]) == b"image"
    assert encoded(b"image", "") == ""


def test_sixel_draws_every_pixel_in_the_nearest_of_its_colours():
    """What a decoder reads is the image, but for the 6 levels of each colour."""
    image = pixels(draw(plot(*[hill()] * 4, places=PLACES)))
    drawn = sixel_of(encoded(draw(plot(*[hill()] * 4, places=PLACES)), "sixel"))
    assert drawn.shape == image.shape
    assert np.abs(drawn - image).max() <= 26


def sixel_of(text):
    """Decode as a VT340 does: colours, run lengths, `$` back to the start of the band, `-` to the next one."""
    head = re.match(r'\x1bP0;1q"1;1;(\d+);(\d+)', text)
    image = np.zeros((int(head[2]), int(head[1]), 3), int)
    colours, colour, x, top = {}, 0, 0, 0
    for number, definition, count, repeated, single, move in re.findall(
        r"#(\d+)(?:;2;([\d;]+))?|!(\d+)([?-~])|([?-~])|([$-])", text[head.end() : -3]
    ):
        if number:
            colour = int(number)
            if definition:
                colours[colour] = [round(int(share) * 2.55) for share in definition.split(";")]
        elif move:
            x, top = 0, top + 6 * (move == "-")
        else:
            bits, times = ord(repeated or single) - 63, int(count or 1)
            for down in range(6):
                if bits >> down & 1:
                    image[top + down, x : x + times] = colours[colour]
            x += times
    return image


@given(st.lists(st.sampled_from([math.inf, -math.inf, math.nan, 1e308, -1e308, 5e-324, 0.0]), min_size=1, max_size=30))
def test_numbers_at_the_ends_of_double_precision_are_drawn(values):
    """P1: whatever the numbers are, the front end lives."""
    row = np.array(values)
    for one in (plot(*values), plot(row, row), plot(row.reshape(1, -1)), plot(np.tile(row, (40, 40)))):
        assert to_plain(one, WORLD, 60)


@pytest.mark.parametrize("shape", [(4,), (2, 2)])
def test_numbers_too_far_apart_for_a_figure_are_refused_in_one_line(shape):
    pytest.importorskip("matplotlib")
    value = np.array([math.inf, -math.inf, 1e308, -1e308]).reshape(shape)
    with pytest.raises(UsageError, match=r"^numbers from -1e\+308 to 1e\+308 lie too far apart for a figure$"):
        draw(plot(value))


def test_the_mean_of_large_numbers_is_not_infinite():
    text = to_plain(plot(np.full((200, 200), 1e308)), WORLD, 60)
    assert text.splitlines()[-1].startswith("1e+308 ") and text.splitlines()[-1].endswith(" 1e+308")
