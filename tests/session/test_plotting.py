"""`%pxplot` of a session: what is asked of ranks, how it is put together, where it goes."""

import numpy as np
import pytest

from pxshell.errors import UsageError
from pxshell.render import Plot


@pytest.fixture
def blocks(stage):
    """Give each rank one block of a field, and names that say where."""
    whole = np.arange(64.0).reshape(8, 8)
    parts = [(slice(4 * (r // 2), 4 * (r // 2) + 4), slice(4 * (r % 2), 4 * (r % 2) + 4)) for r in range(4)]
    stage.on_values(*[{"u": whole[part], "block": part, "at": (r // 2, r % 2)} for r, part in enumerate(parts)])
    return stage


def test_numbers_are_bars(stage):
    stage.on_values(*[{"x": float(x)} for x in (0, 1, 2, 4)])
    stage.session.plot("x")
    lines = stage.shown(40).splitlines()
    assert lines[0] == "x on 0-3"
    assert [line.count("█") for line in lines[1:]] == sorted(line.count("█") for line in lines[1:])
    assert [line.rsplit(" ", 1)[-1] for line in lines[1:]] == ["0", "1", "2", "4"]


def test_equal_values_are_drawn_once(stage):
    stage.on_values(*[{"x": np.arange(5)}] * 4)
    plot = stage.session.plot("x")
    assert [str(panel.ranks) for panel in plot.panels] == ["0-3"]


@pytest.mark.parametrize("where", [{"grid": "2x2"}, {"at": "block"}, {"at": "at"}])
def test_blocks_of_a_field_are_one_field(blocks, where):
    plot = blocks.session.plot("u", **where)
    assert [panel.place for panel in plot.panels] == [
        ((0, 4), (0, 4)),
        ((0, 4), (4, 8)),
        ((4, 8), (0, 4)),
        ((4, 8), (4, 8)),
    ]


def test_the_program_may_say_how_its_fields_are_cut(stage):
    names = {"__pxplot__": {"u": "at"}, "u": np.zeros((4, 4))}
    stage.on_values(*[{**names, "at": (0, rank)} for rank in range(4)])
    assert [panel.place[1] for panel in stage.session.plot("u").panels] == [(0, 4), (4, 8), (8, 12), (12, 16)]


def test_blocks_of_different_sizes_fit(stage):
    stage.on_values(*[{"u": np.zeros((2 + r // 2, 3 + r % 2))} for r in range(4)])
    plot = stage.session.plot("u", grid="2x2")
    assert [panel.place for panel in plot.panels] == [
        ((0, 2), (0, 3)),
        ((0, 2), (3, 7)),
        ((2, 5), (0, 3)),
        ((2, 5), (3, 7)),
    ]


def test_large_arrays_are_made_small_on_the_ranks(stage):
    """100 MB do not travel for a plot."""
    stage.on_values(*[{"u": np.random.default_rng(rank).random((1000, 1000))} for rank in range(4)])
    plot = stage.session.plot("u", grid="2x2")
    assert all(panel.picture.shape == (1000, 1000) for panel in plot.panels)
    assert all(len(panel.picture.rows) <= 256 for panel in plot.panels)


def test_ranks_of_another_kind_are_named(stage):
    stage.on_values({"x": 1}, {"x": 2}, {"x": 3}, {"x": np.zeros(4)})
    stage.session.plot("x")
    assert "[3]    not drawn: float64 (4,), unlike most" in stage.shown()


def test_what_cannot_be_drawn_is_said(stage):
    stage.on_values(*[{"x": "text"}] * 4)
    assert stage.session.plot("x") is None
    assert "[0-3]  ValueError: a str cannot be plotted" in stage.shown(100)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"grid": "3x2"}, "a grid of 3x2 has 6 ranks, and 0-3 are 4"),
        ({"grid": "square"}, "'square' is no grid: --grid 2x2"),
        ({"at": "x = 1"}, "is no expression"),
    ],
)
def test_a_plot_that_cannot_be_is_refused_and_asks_nobody(stage, options, why):
    """P10."""
    with pytest.raises(UsageError, match=why):
        stage.session.plot("u", **options)
    assert stage.client.asked_for("px_survey_request") == []


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_a_figure_is_written_to_a_file(blocks, tmp_path, suffix, magic):
    pytest.importorskip("matplotlib")
    file = tmp_path / f"field.{suffix}"
    blocks.session.plot("u", grid="2x2", save=file)
    assert file.read_bytes().startswith(magic)
    assert blocks.shown() == f"u on 0-3: {file}\n"


def test_a_file_that_cannot_be_written_is_said(blocks, tmp_path):
    """P10."""
    pytest.importorskip("matplotlib")
    with pytest.raises(UsageError, match="cannot be written"):
        blocks.session.plot("u", save=tmp_path / "no" / "file.png")
    with pytest.raises(UsageError, match="of no known format"):
        blocks.session.plot("u", save=tmp_path / "file.txt")


def test_a_display_that_shows_images_gets_one(blocks):
    pytest.importorskip("matplotlib")
    blocks.display.shows_images = True
    blocks.session.plot("u", grid="2x2")
    blocks.session.plot("u", is_text=True)
    image, text = (event for event in blocks.display.events if isinstance(event, Plot))
    assert image.png.startswith(b"\x89PNG")
    assert text.png == b""


def test_without_matplotlib_it_is_drawn_as_text(blocks, monkeypatch):
    blocks.display.shows_images = True
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    blocks.session.plot("u")
    assert blocks.shown().startswith(
        'a figure needs matplotlib here: pip install "pxshell[plot]"; as text:\nu on 0-3\n'
    )
