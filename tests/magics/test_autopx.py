"""`%autopx` sends each line where pxshell's terminal sends it: one table for both."""

import pytest
from pxshell.magics.autopx import routed
from routes import FOCUS, HERE


@pytest.mark.parametrize("line", HERE)
def test_what_belongs_to_the_shell_is_left_alone(line):
    assert routed([f"{line}\n"]) == [f"{line}\n"]


@pytest.mark.parametrize("line", FOCUS)
def test_all_else_is_put_under_px(line):
    assert routed([f"{line}\n"]) == ["%%px --\n", f"{line}\n"]


def test_a_cell_that_changes_sides_is_cut_there():
    """As in the terminal: a focus set in the middle of a cell holds for what is below it."""
    assert routed(["x = 'a'\n", "%pxfocus 3\n", "x\n", "y\n"]) == [
        "get_ipython().run_cell_magic('px', '--', \"x = 'a'\")\n",
        "%pxfocus 3\n",
        "get_ipython().run_cell_magic('px', '--', 'x\\ny')\n",
    ]


def test_an_empty_cell_is_left_alone():
    assert routed(["\n"]) == ["\n"]
