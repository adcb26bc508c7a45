"""Single expressions, evaluated from the side while the main thread runs, waits or is paused.

Runs in a side thread. An expression reads as the program itself would read: what a property or a called function
changes is changed, and a value that the main thread is just changing may be seen half done. It cannot be stopped: a
deadline gives the asker an answer and leaves the expression running in its thread.
"""

from __future__ import annotations

import ast
from types import FrameType
from typing import Any

from pxshell.engine.namespace import FrameNamespace
from pxshell.errors import UsageError

__all__ = ["check_single_expression", "evaluate"]

_REFUSED: dict[type[ast.AST], str] = {
    ast.NamedExpr: ":= assigns",
    ast.Await: "await needs the event loop of the main thread",
    ast.Yield: "yield has no generator here",
    ast.YieldFrom: "yield has no generator here",
}


def check_single_expression(code: str) -> ast.Expression:
    """Return the syntax tree of a single expression without ``:=``, ``await`` and ``yield``; all else raises.

    Raises:
        UsageError: It is something else; the message says what, and what to type instead.
    """
    try:
        tree = ast.parse(code.strip(), "<peek>", "eval")
    except SyntaxError as error:
        raise UsageError(f"not run: only a single expression can be evaluated here ({error.msg})") from None
    except ValueError as error:  # a null byte
        raise UsageError(f"not run: {error}") from None
    for node in ast.walk(tree):
        is_async = isinstance(node, ast.comprehension) and node.is_async
        why = _REFUSED.get(ast.Await if is_async else type(node))
        if why:
            raise UsageError(f"not run: only a single expression can be evaluated here; {why}")
    return tree


def evaluate(expression: str, where: FrameType | FrameNamespace) -> Any:
    """Return the value of a single expression in a frame, which may be running, or in the namespace of a paused one.

    Whatever the expression raises is raised.
    """
    tree = check_single_expression(expression)
    namespace = where if isinstance(where, FrameNamespace) else FrameNamespace(where)
    return eval(compile(tree, "<peek>", "eval", dont_inherit=True), namespace.globals, namespace)  # noqa: S307
