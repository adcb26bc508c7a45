"""The documentation agrees with the program; the check of it finds what it should."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def check():
    """Return docs/check.py as a module."""
    spec = importlib.util.spec_from_file_location("docs_check", ROOT / "docs" / "check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_documentation_has_no_findings(check, capsys):
    assert check.main([]) == 0, capsys.readouterr().out


def test_the_check_finds_broken_links_unreadable_python_and_unmatched_errors(check, capsys, tmp_path):
    for folder in ("pxshell", "docs", "examples/one"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pxshell" / "errors.py").write_text(
        'class A:\n    slug: ClassVar[str] = "error"\nclass B(A):\n    slug = "launch"\n'
    )
    (tmp_path / "docs" / "messages.md").write_text("# Messages\n\n## error\n\n## old\n")
    (tmp_path / "examples" / "one" / "README.md").write_text(
        "[up](../../README.md#what-it-is), [web](https://x.org/y)\n"
    )
    (tmp_path / "README.md").write_text(
        "# What it is?\n[here](docs/messages.md#error) [a](docs/absent.md)\n"
        "![b](docs/messages.md#absent) [c](#what-it-is)\n"
        "```python\nx = [1](2)\ny = = 3\n```\n```console\n$ y = = 3\n```\n"
    )
    assert check.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "README.md: no file docs/absent.md",
        "README.md: no heading docs/messages.md#absent",
        "README.md: no Python: 'y = = 3' (invalid syntax)",
        "docs/messages.md: no section for launch",
        "docs/messages.md: no error has the slug old",
    ]
