"""The call that a frame is in, as its source has it, and what its arguments are, without running any code.

A C function has no frame: what it was called with is known from the instruction that its caller is at, which names a
piece of source (https://peps.python.org/pep-0657/). Names are looked up as the frame would; attributes only where that
calls nothing of the program's.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import itertools
import linecache
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import FrameType, MemberDescriptorType, ModuleType
from typing import Any

__all__ = ["UNKNOWN", "CallSite", "call_site"]

#: What cannot be known without running code of the program.
UNKNOWN: Any = object()

_LONGEST_CALL = 50  # lines
_OPERATORS: Mapping[type[ast.AST], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitXor: operator.xor,
}


class CallSite:
    """A call that a frame has begun. It keeps the frame: let it go soon.

    Attributes:
        call: The call as a syntax tree.
        name: Name of the function or method called.
    """

    def __init__(self, frame: FrameType, call: ast.Call, name: str) -> None:
        self._frame = frame
        self.call = call
        self.name = name

    @property
    def receiver(self) -> ast.expr | None:
        """What the method belongs to, as written; None for a plain function."""
        return self.call.func.value if isinstance(self.call.func, ast.Attribute) else None

    def value(self, node: ast.expr) -> Any:
        """Return what an expression is, or `UNKNOWN`."""
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._name(node.id)
            case ast.Attribute():
                return _attribute(self.value(node.value), node.attr)
            case ast.Subscript():
                return _item(self.value(node.value), self.value(node.slice))
            case ast.UnaryOp(op=ast.USub()):
                operand = self.value(node.operand)
                return -operand if type(operand) is int else UNKNOWN
            case ast.BinOp():
                return _arithmetic(node.op, self.value(node.left), self.value(node.right))
        return UNKNOWN

    def _name(self, name: str) -> Any:
        for scope in (self._frame.f_locals, self._frame.f_globals):
            if name in scope:
                return scope[name]
        return getattr(builtins, name, UNKNOWN)


def call_site(frame: FrameType) -> CallSite | None:
    """Return the call that a frame is in; None when it is in none, or its source is not to be had."""
    code = frame.f_code
    if frame.f_lasti < 0:
        return None
    positions = itertools.islice(code.co_positions(), frame.f_lasti // 2, None)
    first, last, begin, end = next(positions, (None, None, None, None))
    if first is None or last is None or begin is None or end is None or last - first > _LONGEST_CALL:
        return None
    lines = linecache.getlines(code.co_filename, frame.f_globals)[first - 1 : last]
    call = _parsed(tuple(lines), begin, end) if len(lines) == last - first + 1 else None
    if call is None:
        return None
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    # The file may have been changed since the program read it.
    is_known = name in code.co_names or name in code.co_varnames or name in code.co_freevars or name in code.co_cellvars
    return CallSite(frame, call, name) if is_known else None


@lru_cache(maxsize=64)
def _parsed(lines: tuple[str, ...], begin: int, end: int) -> ast.Call | None:
    """Parse a piece of source; columns count bytes."""
    text = [line.encode() for line in lines]
    text[-1] = text[-1][:end]
    text[0] = text[0][begin:]
    try:
        tree = ast.parse(b"(" + b"".join(text) + b")", mode="eval").body
    except (SyntaxError, ValueError):
        return None
    return tree if isinstance(tree, ast.Call) else None


def _attribute(owner: Any, name: str) -> Any:
    if owner is UNKNOWN:
        return UNKNOWN
    if isinstance(owner, ModuleType):
        return vars(owner).get(name, UNKNOWN)
    found = inspect.getattr_static(owner, name, UNKNOWN)
    if isinstance(found, MemberDescriptorType):
        try:
            return found.__get__(owner)
        except AttributeError:
            return UNKNOWN
    # A property, or another descriptor, is code.
    return UNKNOWN if hasattr(type(found), "__get__") else found


def _item(owner: Any, key: Any) -> Any:
    if type(owner) not in {list, tuple, dict} or type(key) not in {int, str}:
        return UNKNOWN
    try:
        return owner[key]
    except LookupError:
        return UNKNOWN


def _arithmetic(how: ast.operator, left: Any, right: Any) -> Any:
    compute = _OPERATORS.get(type(how))
    if compute is None or type(left) is not int or type(right) is not int:
        return UNKNOWN
    try:
        return compute(left, right)
    except ZeroDivisionError:
        return UNKNOWN
