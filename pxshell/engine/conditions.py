"""Conditions of breakpoints and watches: an expression of the user's, true or not in a frame that stands at a line."""

from __future__ import annotations

import ast
from types import CodeType, FrameType
from typing import Any

from pxshell.engine.error_text import text_of
from pxshell.engine.namespace import FrameNamespace
from pxshell.engine.peek import check_single_expression

__all__ = ["Condition"]

_NESTED = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class _Names(dict[str, Any]):
    """The locals of a frame, then its globals, then `rank`."""

    __slots__ = ("_frame", "_rank")

    def __init__(self, frame: FrameType, rank: int) -> None:
        super().__init__(frame.f_locals)
        self._frame = frame
        self._rank = rank

    def __missing__(self, name: str) -> Any:
        if name == "rank" and name not in self._frame.f_globals:
            return self._rank
        raise KeyError(name)


class Condition:
    """One expression, compiled.

    Args:
        expression: Sees the frame's names, and `rank` unless the program has one.
        rank: The value of that.

    Raises:
        UsageError: it is no single expression.
    """

    def __init__(self, expression: str, rank: int) -> None:
        tree = check_single_expression(expression)
        self.expression = expression.strip()
        self._rank = rank
        self._has_scopes = any(isinstance(node, _NESTED) for node in ast.walk(tree))
        self._code: CodeType = compile(tree, "<condition>", "eval", dont_inherit=True)

    def value_in(self, frame: FrameType) -> Any:
        """Return the value of the expression in a frame; what it raises is raised."""
        if self._has_scopes:  # functions and comprehensions see the frame's names through globals alone
            namespace = FrameNamespace(frame)
            if "rank" not in namespace:
                dict.__setitem__(namespace, "rank", self._rank)
            return eval(self._code, namespace.globals, namespace)  # noqa: S307 - the operator's own expression
        return eval(self._code, frame.f_globals, _Names(frame, self._rank))  # noqa: S307 - as above

    def holds_in(self, frame: FrameType) -> tuple[bool, str]:
        """Tell whether it is true in a frame; or why that cannot be told."""
        try:
            return bool(self.value_in(frame)), ""
        except Exception as error:  # noqa: BLE001 - the user's expression may raise anything
            return False, f"{self.expression} raises {type(error).__name__}: {text_of(error)}"
