"""What is user code, and the innermost user frame of a stack."""

from __future__ import annotations

import json
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

from pxshell.engine import frames
from pxshell.engine.frames import Place, include_user_code, innermost_user_frame, is_user_code, is_users, place_of


@pytest.mark.parametrize(
    "name",
    ["<stdin>", "<cell 4>", "<ipython-input-3-abc>", "/home/me/sim.py", "sim.py", "/opt/code/run.py"],
)
def test_scripts_and_cells_are_user_code(name):
    """P5: a pause stops in the user's own lines."""
    assert is_user_code(name)


@pytest.mark.parametrize(
    "name",
    [
        json.__file__,
        "<frozen importlib._bootstrap>",
        frames.__file__,
        str(Path(sysconfig.get_paths()["purelib"]) / "numpy" / "core.py"),
        "/usr/lib/python3/dist-packages/x.py",
        "<attrs generated init a.B>",
        "src/mpi4py/MPI.src/Comm.pyx",
        "<string>",
    ],
)
def test_libraries_and_pxshell_are_not_user_code(name):
    """P5: no stop in library code, where its locks may be held."""
    assert not is_user_code(name)


def test_the_text_of_python_c_is_user_code(monkeypatch):
    """`python -c` is a program too; elsewhere `<string>` is what dataclasses generate."""
    is_user_code.cache_clear()
    monkeypatch.setattr(sys, "argv", ["-c"])
    assert is_user_code("<string>")
    is_user_code.cache_clear()


class Pair(NamedTuple):
    a: int


def test_what_is_generated_is_no_user_code_under_python_c_either(monkeypatch):
    """P6: a rank that stopped in there, in code of pxshell's own that holds a lock, did not answer any more."""
    is_user_code.cache_clear()
    monkeypatch.setattr(sys, "argv", ["-c"])
    assert is_users(compile("x = 1", "<string>", "exec"))
    for made in (Place.__init__, Place.__eq__, Pair.__new__):
        assert not is_users(made.__code__)
    is_user_code.cache_clear()


def test_an_installed_package_can_be_declared_user_code(tmp_path, monkeypatch):
    """A program started with `-m package` is the user's, wherever it is installed."""
    monkeypatch.setattr(frames, "_included", [])
    package = tmp_path / "site-packages" / "train"
    assert not is_user_code(str(package / "main.py"))
    include_user_code(str(package))
    assert is_user_code(str(package / "main.py"))
    assert not is_user_code(str(package.parent / "trainer" / "main.py"))
    monkeypatch.undo()
    is_user_code.cache_clear()


def test_the_innermost_user_frame_lies_below_library_frames():
    """P5: what a user is shown is their line, not the library's."""
    seen = []

    def default(_):
        frame = innermost_user_frame(sys._getframe(1))
        seen.append(place_of(frame))
        return 1

    def caller():
        json.JSONEncoder(default=default).encode(object())

    caller()
    assert seen == [Place(__file__, caller.__code__.co_firstlineno + 1, caller.__qualname__)]


def test_a_stack_without_user_code_has_no_user_frame():
    """The idle engine is no user code."""
    assert innermost_user_frame(None) is None
