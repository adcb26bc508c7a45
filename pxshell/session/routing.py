"""Where input goes: to the focus, but for what is listed in one table."""

from __future__ import annotations

import re
import tokenize
from dataclasses import dataclass
from io import StringIO

__all__ = ["HERE", "Piece", "runs_here", "split_cell", "without_local"]

#: The magics that run in this process, beside pxshell's own; `?px` lists them for people.
HERE = frozenset("autopx local history rerun save edit paste config colors lsmagic".split())  # noqa: SIM905 - a list to read

_WORDS = frozenset({"exit", "quit", "exit()", "quit()", "?px", "px?"})
_MAGIC = re.compile(r"(?:[A-Za-z_]\w*\s*=\s*)?(%{1,2})(\w+)|\?+%{1,2}(\w+)")
_LOCAL = re.compile(r"\A(?:%local\b[ \t]*|%%local[^\n]*\n?)")


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive lines of a cell that go to one place: ``is_here``, or the focus."""

    text: str
    is_here: bool


def runs_here(line: str) -> bool:
    """Tell whether a line that begins a statement runs in this process."""
    if line.rstrip(" ;") in _WORDS:
        return True
    found = _MAGIC.match(line)
    return found is not None and _is_ours(found[2] or found[3])


def split_cell(text: str) -> list[Piece]:
    """Cut a cell where its lines change sides, so that ``%pxfocus 3`` and the code below it go where each belongs.

    A cell magic (``%%px``, ``%%time``) takes all of the cell.
    """
    lines = text.strip("\n").splitlines(keepends=True)
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%"):
        return [Piece(text.strip("\n"), runs_here(first))]
    pieces: list[tuple[list[str], bool]] = []
    for line in lines:
        is_ours = runs_here(line) and not _is_inside("".join(pieces[-1][0] if pieces else ()))
        if not pieces or is_ours != pieces[-1][1]:
            pieces.append(([], is_ours))
        pieces[-1][0].append(line)
    return [Piece(joined, here) for own, here in pieces if (joined := "".join(own).rstrip()).strip()]


def without_local(text: str) -> str:
    """Return a piece without `%local` or the line of `%%local`: the code itself."""
    return _LOCAL.sub("", text, count=1)


def _is_ours(name: str) -> bool:
    return name in HERE or name.startswith("px")


def _is_inside(code: str) -> bool:
    """Tell whether code ends within brackets, a string of several lines, or a continued line."""
    if code.rstrip("\n").endswith("\\"):
        return True
    try:
        for _ in tokenize.generate_tokens(StringIO(code).readline):
            pass
    except tokenize.TokenError as error:
        return "EOF in multi-line" in str(error)
    except SyntaxError:  # indentation; a fault that the ranks will name
        return False
    return False
