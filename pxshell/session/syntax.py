"""What can be known of a cell before it is sent: whether it is Python at all, and whether it only looks."""

from __future__ import annotations

import ast
import re
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.inputtransformer2 import TransformerManager

__all__ = ["is_single_expression", "syntax_fault"]

# `cd ..`, `ls -l`: IPython on the ranks takes such a line for a magic without its percent sign.
_AUTOMAGIC = re.compile(r"\s*[A-Za-z_]\w*\s+[\w./~'\"$*-][^=]*")
_CHANGES = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)


def syntax_fault(code: str) -> str | None:
    """Return what is wrong with a cell, in one line; None for a good one, with IPython's magics and top-level await.

    What another IPython may still understand passes: the ranks have the last word.
    """
    if _AUTOMAGIC.fullmatch(code.strip()):
        return None
    try:
        with warnings.catch_warnings():
            # The ranks say the warnings of a cell when they compile it.
            warnings.simplefilter("ignore")
            # Most cells are plain Python, and taking one apart for IPython's additions costs three times as much.
            if not _compiles(code):
                _compile(_transformer().transform_cell(code))
    except SyntaxError as error:
        source = f":  {error.text.strip()}" if error.text and error.text.strip() else ""
        line = f", line {error.lineno}" if error.lineno else ""
        return f"{type(error).__name__}: {error.msg}{line}{source}"
    except ValueError as error:
        return f"SyntaxError: {error}"
    return None


def _compiles(code: str) -> bool:
    try:
        _compile(code)
    except (SyntaxError, ValueError):
        return False
    return True


def _compile(code: str) -> None:
    compile(code, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def is_single_expression(code: str) -> bool:
    """Tell whether code is one expression that neither assigns, nor awaits, nor yields."""
    try:
        tree = ast.parse(code.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return False
    return not any(isinstance(node, _CHANGES) for node in ast.walk(tree))


@lru_cache(maxsize=1)
def _transformer() -> TransformerManager:
    # IPython takes 0.1 s to import, which the first prompt need not wait for.
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager()  # type: ignore[no-untyped-call]  # IPython has no annotations there
