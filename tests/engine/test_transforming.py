"""Cells are transformed as IPython transforms them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from pxshell.engine.transforming import RankTransformer

CELLS = [
    "1+1",
    "x = 5 % 3",
    "%time x",
    "  %time x",
    "a = %time x",
    "a = !ls",
    "!ls -l",
    "!!ls",
    "x?",
    "x.y??",
    "?x",
    ",f a b",
    ";f a b",
    "/f 1 2",
    "if x:\n    !ls\n    y = 1",
    "if x:\n    ,f a b",
    "f(a\n,b)",
    "a = (1\n/2)",
    "s = 'what? 100 %!'",
    ">>> 1 + 1\n2",
    "In [1]: x",
    "%%time\nx",
    "    x = 1\n    y = 2",
    "\n\nx",
    "x = '''\n%no\n'''",
    "def f(:",
    "if x:\n     if x:\n    = 1",
    "if x:\n     !ls\n    = 1",
    "",
]
PIECES = st.sampled_from([*"%!?,;/ \n=()ax1'", "if x:\n    ", "ls ", "%%", "f(", "\\\n"])


def check(cell):
    """What IPython cannot take to tokens, Python cannot compile: it may as well come from us as it is."""
    ours = transformed(RankTransformer(), cell)
    theirs = transformed(TransformerManager(), cell)
    if isinstance(theirs, SyntaxError) and isinstance(ours, str):
        with pytest.raises(SyntaxError):
            compile(ours, "cell", "exec")
    else:
        assert (type(ours), str(ours)) == (type(theirs), str(theirs))


def transformed(manager, cell):
    try:
        return manager.transform_cell(cell)
    except Exception as error:  # IPython stumbles over some, such as "=%\\\n", and shows that as the cell's error
        return error


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_becomes_what_ipython_makes_of_it(cell):
    check(cell)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_whatever_the_cell(cell):
    """Commands at the beginning of lines, within brackets, after continued lines."""
    check(cell)


def test_a_transformer_of_somebody_else_sees_every_cell():
    ours, seen = RankTransformer(), []

    class Looks:
        @classmethod
        def find(cls, tokens):
            seen.append(tokens)

    ours.token_transformers.append(Looks)
    ours.transform_cell("1+1")
    assert seen
