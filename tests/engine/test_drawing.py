"""Tracebacks are drawn sooner and look the same."""

from __future__ import annotations

import inspect
import sys

import pytest
from IPython.core.ultratb import VerboseTB
from pygments import highlight, lexers
from pygments.formatters import Terminal256Formatter
from pygments.token import Name
from stack_data.utils import _pygmented_with_ranges

from pxshell.engine.drawing import quick_drawing

CODE = '''
async def f(x: int = 0x1F) -> str:
    """Text."""
    return f"{x!r:>8} \\n" if x else await g(b"1", *[None])  # why
'''


def drawn():
    try:
        exec(compile("def f(x):\n    return 1 / x\nf(0)", "<px cell 1>", "exec"), {})
    except ZeroDivisionError:
        return VerboseTB(theme_name="linux").structured_traceback(*sys.exc_info(), tb_offset=1)
    raise AssertionError("it did not fail")


def test_a_traceback_looks_the_same():
    theirs = drawn()
    with quick_drawing(["<px cell 1>"]):
        ours = drawn()
    assert ours == theirs
    assert any("\x1b[" in line for line in ours)


def test_code_is_coloured_the_same():
    """Every token, with and without a part that is marked."""
    formatter = Terminal256Formatter(style="monokai")
    plain, marked = (
        _pygmented_with_ranges(formatter, CODE, []),
        highlight(CODE, lexers.get_lexer_by_name("python3"), formatter),
    )
    with quick_drawing([]):
        assert _pygmented_with_ranges(formatter, CODE, []) == plain
        assert highlight(CODE, lexers.get_lexer_by_name("python3"), formatter) == marked


def test_nothing_is_left_behind_whatever_happens():
    """The modules are the user's too."""
    theirs, files = lexers.get_lexer_by_name, dict(inspect.modulesbyfile)
    with pytest.raises(RuntimeError), quick_drawing(["<px cell 7>", __file__]):
        assert inspect.modulesbyfile["<px cell 7>"] == "__main__"
        assert type(lexers.get_lexer_by_name("json")) is type(theirs("json"))
        raise RuntimeError
    assert lexers.get_lexer_by_name is theirs
    assert inspect.modulesbyfile == files


def test_a_lexer_with_rules_of_its_own_keeps_them():
    with quick_drawing([]):

        class Mine(type(lexers.get_lexer_by_name("python3"))):
            tokens = {"root": [(r".+\n", Name.Builtin)]}  # noqa: RUF012 - as pygments wants it

        assert list(Mine().get_tokens("if x\n")) == [(Name.Builtin, "if x\n")]
