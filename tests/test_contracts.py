"""The floors of the package hold, and a planted violation is found.

Checked on a copy as installed: there the folder magics/ is pxshell.magics.
"""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BROKEN_FLOORS = "floors: a package imports from the floors below it only BROKEN"
BROKEN_PROTOCOL = "protocol: no I/O, no threads, no clock BROKEN"


@pytest.fixture
def house(tmp_path):
    """Return the package as it is when installed."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pxshell", tmp_path / "pxshell", ignore=ignore)
    shutil.copytree(ROOT / "magics", tmp_path / "pxshell" / "magics", ignore=ignore)
    return tmp_path


def lint(house):
    """Check the contracts of pyproject.toml on a copy; return whether they hold, and the output."""
    program = Path(sys.executable).parent / "lint-imports"
    command = [program, "--config", ROOT / "pyproject.toml", "--no-cache"]
    run = subprocess.run(command, cwd=house, capture_output=True, text=True, timeout=100)
    return run.returncode == 0, run.stdout + run.stderr


def test_the_package_keeps_its_contracts(house):
    holds, output = lint(house)
    assert holds, output


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("protocol/planted.py", "import pxshell.session", BROKEN_FLOORS),
        ("engine/planted.py", "def late():\n    from pxshell.client import anything", BROKEN_FLOORS),
        ("client/planted.py", "import pxshell.magics", BROKEN_FLOORS),
        ("magics/planted.py", "import pxshell.terminal", BROKEN_FLOORS),
        ("planted/__init__.py", "", BROKEN_FLOORS),
        ("protocol/planted.py", "import asyncio", BROKEN_PROTOCOL),
        ("protocol/planted.py", "from time import monotonic", BROKEN_PROTOCOL),
    ],
)
def test_a_planted_violation_fails(house, module, line, broken):
    """Upwards, sideways from inside a function, into and in the mapped folder, without a floor, a clock in protocol."""
    path = house / "pxshell" / module
    path.parent.mkdir(exist_ok=True)
    path.write_text(line + "\n")
    holds, output = lint(house)
    assert not holds
    assert broken in output or "planted" in output, output


def test_every_package_is_installed():
    """A package that pyproject.toml does not list would be missing from the wheel only, long after the tests."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {
        ".".join([name, *path.parent.relative_to(ROOT / folder).parts])
        for name, folder in setuptools["package-dir"].items()
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert sorted(found) == setuptools["packages"]
