"""The package is lazy: importing it loads nothing, and each public name is imported with its first use."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pxshell
from pxshell import errors, ranks


def test_import_loads_no_submodule_but_the_version() -> None:
    """A rank of somebody's program pays nothing for the import."""
    code = "import sys, pxshell; print(sorted(m for m in sys.modules if m.startswith('pxshell')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['pxshell', 'pxshell.version']"


def test_names_come_from_their_homes() -> None:
    """The public names are the very objects of the modules that define them."""
    assert pxshell.RankSet is ranks.RankSet
    assert all(getattr(pxshell, name) is getattr(errors, name) for name in errors.__all__)


def test_every_public_name_is_there_and_listed() -> None:
    """What ``__all__`` promises can be had, and completion shows it."""
    for name in pxshell.__all__:
        assert getattr(pxshell, name) is not None
    assert set(pxshell.__all__) <= set(dir(pxshell))


def test_unknown_names_are_attribute_errors() -> None:
    """``hasattr`` works on the package."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pxshell.nothing
