"""Single expressions, evaluated from the side while the main thread runs, waits or is paused.

Runs in a side thread. An expression reads as the program itself would read: what a property or a called function
changes is changed, and a value that the main thread is just changing may be seen half done. It cannot be stopped: a
deadline gives the asker an answer and leaves the expression running in its thread.
"""

from __future__ import annotations

import ast
from types import FrameType
from typing import Any

from pxshell.engine.frames import innermost_user_frame, user_frames
from pxshell.engine.namespace import FrameNamespace
from pxshell.errors import UsageError

__all__ = ["check_single_expression", "evaluate", "frame_that_knows", "names_in"]

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


def names_in(expression: str) -> frozenset[str]:
    """Return the names that an expression reads and does not bind itself; none when it is no expression."""
    try:
        tree = check_single_expression(expression)
    except UsageError:
        return frozenset()
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return frozenset(node.id for node in names) - bound


def frame_that_knows(names: frozenset[str], frame: FrameType | None) -> FrameType | None:
    """Return the innermost user frame that knows all these names; the innermost one when none does."""
    return next((one for one in user_frames(frame) if _knows(one, names)), innermost_user_frame(frame))


def _knows(frame: FrameType, names: frozenset[str]) -> bool:
    code = frame.f_code
    others = names - {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
    unknown = {name for name in others if name not in frame.f_globals and name not in frame.f_builtins}
    # A class body has names that its code object does not list.
    return not unknown or all(name in frame.f_locals for name in unknown)


def evaluate(expression: str, where: FrameType | FrameNamespace) -> Any:
    """Return the value of a single expression in a frame, which may be running, or in the namespace of a paused one.

    Whatever the expression raises is raised.
    """
    tree = check_single_expression(expression)
    namespace = where if isinstance(where, FrameNamespace) else FrameNamespace(where)
    return eval(compile(tree, "<peek>", "eval", dont_inherit=True), namespace.globals, namespace)  # noqa: S307
