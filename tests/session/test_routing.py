"""Where input goes: the focus, or this process."""

import pytest
from routes import FOCUS, HERE

from pxshell.session.routing import Piece, runs_here, split_cell, without_local


@pytest.mark.parametrize("line", HERE)
def test_what_belongs_to_the_shell_runs_here(line):
    assert runs_here(line)


@pytest.mark.parametrize("line", FOCUS)
def test_all_else_goes_to_the_focus(line):
    assert not runs_here(line)


def test_a_cell_that_changes_sides_is_cut_there():
    """A focus set in the middle of a cell holds for what is below it."""
    assert split_cell("x = 1\n%pxfocus 3\nx\ny\n") == [
        Piece("x = 1", False),
        Piece("%pxfocus 3", True),
        Piece("x\ny", False),
    ]


def test_a_cell_magic_takes_the_whole_cell():
    assert split_cell("%%px -t 0\nx\n%pxfocus 1") == [Piece("%%px -t 0\nx\n%pxfocus 1", True)]
    assert split_cell("%%time\n%pxfocus 1") == [Piece("%%time\n%pxfocus 1", False)]


@pytest.mark.parametrize("code", ['s = """\n%pxfocus 1\n"""', "f(3,\n%px\n)", "a = 7 \\\n%pxish"])
def test_a_line_within_a_string_or_brackets_is_no_magic(code):
    assert split_cell(code) == [Piece(code, False)]


def test_what_the_tokenizer_cannot_read_is_left_to_the_ranks():
    """`!echo it's` is no Python, and the magic below it still runs here."""
    assert [piece.is_here for piece in split_cell("!echo it's\n%pxstatus")] == [False, True]
    assert [piece.is_here for piece in split_cell("  x\n y\n%pxstatus")] == [False, True]


def test_nothing_typed_gives_no_piece():
    assert split_cell("\n  \n") == []


@pytest.mark.parametrize("text", ["%local x = '%local y'", "%%local\nx = '%local y'", "x = '%local y'"])
def test_local_is_taken_off_once(text):
    assert without_local(text) == "x = '%local y'"
