"""Which names the source of a program mentions, and when a name is known to be none of them."""

from __future__ import annotations

import sys
import types

import pytest

from pxshell.engine import mentions
from pxshell.engine.mentions import Unknown, mentions_in, unknown_name


def lines(text):
    return text.splitlines(keepends=True)


def test_names_and_texts_count_as_mentioned_and_comments_do_not():
    """`setattr(self, "step", 0)` mentions step."""
    found = mentions_in(lines("x = f(y)  # z\nsetattr(s, 'step', 0)\nprint('two words')\n"))
    assert {"x", "f", "y", "s", "step"} <= found.names
    assert not {"z", "two", "words", "two words"} & found.names


def test_what_is_assigned_or_counts_in_a_loop_is_offered_as_a_hint():
    """Nobody synchronises on a function."""
    found = mentions_in(lines("step += 1\nfor i, (a, b) in pairs(c):\n    if (n := a) == b: pass\n"))
    assert found.counted == {"step", "i", "a", "b", "n"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a.b as c, d\n", {(0, "a.b", ()), (0, "d", ())}),
        ("from ..x import y as z, (w)\n", {(2, "x", ("y", "w"))}),
        ("from . import part; import q\n", {(1, "", ("part",)), (0, "q", ())}),
        ("from m import *\n", {(0, "m", ())}),
        ("from m import (\n    a,\n    b,\n)\n", {(0, "m", ("a", "b"))}),
        ("def f():\n    yield from g\n    raise E from error\n", set()),
        ("if x: import a\n", {(0, "a", ())}),
    ],
)
def test_imports_are_found_wherever_they_stand(text, expected):
    """An import that has not run yet may bring the name."""
    found = {(dots, module, tuple(n for n in taken if n)) for dots, module, taken in mentions_in(lines(text)).imports}
    assert found == expected


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Give a way to make `__main__` and modules that are loaded from files."""
    kept = {name: module for name, module in sys.modules.items() if not mentions._is_users(module)}
    monkeypatch.setattr(sys, "modules", kept)

    def load(text, name="__main__"):
        path = tmp_path / f"{name.strip('_')}.py"
        path.write_text(text)
        module = types.ModuleType(name)
        module.__file__ = str(path)
        kept[name] = module
        return module

    return load


def test_a_name_that_no_code_mentions_is_known_to_be_unknown(program):
    """P10: said at once, with the nearest name that counts something."""
    program("import helper\nfor step in range(3): pass\n")
    program("limit = 1\n", "helper")
    assert unknown_name(["stpe"], None) == Unknown("stpe", "step")
    assert unknown_name(["zzz"], None) == Unknown("zzz", "")
    assert unknown_name(["step", "limit", "len"], None) is None


@pytest.mark.parametrize(
    "text",
    [
        "exec('later = 1')\n",
        "def f():\n    import mine\n",
        "def f():\n    from helper import part\n",
        "def f():\n    from .mine import x\n",
        "x = (\n",
    ],
)
def test_what_may_still_bring_the_name_keeps_it_open(program, tmp_path, monkeypatch, text):
    """Code made of text, a module of the user's that is not loaded, a file that cannot be read as Python."""
    (tmp_path / "mine.py").write_text("later = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    program(text)
    program("", "helper")
    assert unknown_name(["later"], None) is None


@pytest.mark.parametrize("text", ["import numpy.none\n", "import wave\n", "import surely_not_installed\n"])
def test_libraries_that_are_not_loaded_keep_nothing_open(program, text):
    """A plot function that imports its library when it is called is in many programs."""
    program(f"def plot():\n    {text}")
    assert unknown_name(["later"], None) == Unknown("later", "")


def test_a_name_that_somebody_has_put_into_main_is_known(program):
    """By a cell, say."""
    program("x = 1\n").later = 1
    assert unknown_name(["later"], None) is None


def test_without_a_script_nothing_is_known(program):
    """A REPL's cells are not in files."""
    sys.modules["__main__"] = types.ModuleType("__main__")
    assert unknown_name(["later"], None) is None


def test_a_frame_that_is_in_no_file_keeps_it_open(program):
    """A cell that runs may assign it."""
    program("x = 1\n")
    assert unknown_name(["later"], sys._getframe()) is None
