"""Conditions that make all ranks of an SPMD program stop at the same line of the same step.

Any thread may `probe`; conditions are evaluated in the main thread, at lines of their function. Both only read.
"""

from __future__ import annotations

import ast
import dis
import functools
import numbers
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FrameType

from pxshell.engine.frames import Place, place_of, user_frames
from pxshell.engine.peek import check_single_expression
from pxshell.errors import UsageError

__all__ = ["Candidate", "Probe", "SyncCondition", "probe"]

_NESTED = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class SyncCondition:
    """Stop at the first line of a function at which the value of an expression has reached the target.

    Without a target any value will do; without a function every one that assigns what the expression reads is meant:
    that is for a program that has not begun yet.
    """

    expression: str
    target: float | None
    file: str = ""
    function: str = ""

    def __post_init__(self) -> None:
        _compiled(self.expression)

    def is_about(self, code: CodeType) -> bool:
        """Tell whether lines of this code are where to look."""
        if not self.function:
            reads = _reads(self.expression)
            return bool(_assigned(code) & (reads.names | reads.attributes))
        return code.co_qualname == self.function and code.co_filename == self.file

    def value_in(self, frame: FrameType) -> float | None:
        """Return the value in this frame; None while it has none that can be compared."""
        try:
            return _number(_evaluate(self.expression, frame))
        except Exception:  # noqa: BLE001 - the user's expression, before its names exist
            return None

    def value_on(self, frame: FrameType | None) -> float | None:
        """Return the value in the innermost frame of the function on a stack."""
        found = next((f for f in user_frames(frame) if self.is_about(f.f_code)), None)
        return None if found is None else self.value_in(found)

    def is_reached(self, value: float | None) -> bool:
        """Tell whether a value has reached the target."""
        return value is not None and (self.target is None or value >= self.target)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A frame in which the expression has a value."""

    place: Place
    value: float


@dataclass(frozen=True, slots=True)
class Probe:
    """What an expression is worth in a running program: the first candidate, or why there is none.

    Candidates stand in order of preference: frames of functions that assign what the expression reads, innermost
    first, then the others. Where ranks differ in their first candidate, the first place that all of them have is meant.
    """

    candidates: tuple[Candidate, ...] = ()
    error: str = ""
    #: There will be none.
    is_hopeless: bool = False

    @property
    def value(self) -> float | None:
        """The value in the first candidate."""
        return self.candidates[0].value if self.candidates else None

    @property
    def place(self) -> Place | None:
        """The place of the first candidate."""
        return self.candidates[0].place if self.candidates else None


def probe(expression: str, frame: FrameType | None) -> Probe:
    """Evaluate the expression of a synchronised pause on the stack under a frame, which may be running."""
    try:
        reads = _reads(expression)
    except UsageError as error:
        return Probe(error=str(error))
    frames = [f for f in user_frames(frame) if _resolves(reads, f)]
    frames.sort(key=lambda f: not _assigned(f.f_code) & (reads.names | reads.attributes))
    if not frames:
        return _without_value(expression, reads.names, frame)
    return _probed(expression, frames)


def _without_value(expression: str, names: frozenset[str], frame: FrameType | None) -> Probe:
    from pxshell.engine.mentions import unknown_name  # only for who asks in vain

    unknown = unknown_name(sorted(names), frame)
    if unknown is None:
        return Probe(error=f"{expression} has no value yet: no function that runs knows {', '.join(sorted(names))}")
    hint = f" (did you mean {unknown.near}?)" if unknown.near else ""
    return Probe(error=f"no code of the program mentions {unknown.name}{hint}", is_hopeless=True)


def _probed(expression: str, frames: list[FrameType]) -> Probe:
    candidates, errors = [], []
    for frame in frames:
        try:
            candidates.append(Candidate(place_of(frame), _number(_evaluate(expression, frame))))
        except Exception as error:  # noqa: BLE001 - the user's expression
            errors.append(str(error) if isinstance(error, UsageError) else f"{type(error).__name__}: {error}")
    return Probe(tuple(candidates), "" if candidates else f"{expression}: {errors[0]}")


# -- expressions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reads:
    names: frozenset[str]
    attributes: frozenset[str]


@functools.lru_cache(maxsize=64)
def _reads(expression: str) -> _Reads:
    tree = check_single_expression(expression)
    nodes = list(ast.walk(tree))
    if any(isinstance(node, _NESTED) for node in nodes):
        raise UsageError(f"{expression}: a synchronised pause takes no lambda or comprehension")
    names = frozenset(node.id for node in nodes if isinstance(node, ast.Name))
    if not names:
        raise UsageError(f"{expression}: never changes; give the variable that counts the steps")
    return _Reads(names, frozenset(node.attr for node in nodes if isinstance(node, ast.Attribute)))


@functools.lru_cache(maxsize=64)
def _compiled(expression: str) -> CodeType:
    _reads(expression)
    return compile(expression.strip(), "<sync>", "eval", dont_inherit=True)


def _evaluate(expression: str, frame: FrameType) -> object:
    return eval(_compiled(expression), frame.f_globals, frame.f_locals)  # noqa: S307 - an operator's expression


def _number(value: object) -> float:
    """Return a value as int or float; numpy's scalars are Real, its booleans and arrays are not."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise UsageError(f"is of type {type(value).__name__}; a synchronised pause needs an int or a growing float")
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def _resolves(reads: _Reads, frame: FrameType) -> bool:
    names = frame.f_locals
    return all(name in names or name in frame.f_globals or name in frame.f_builtins for name in reads.names)


@functools.lru_cache(maxsize=256)
def _assigned(code: CodeType) -> frozenset[str]:
    """Return what a function assigns: variables, and attributes of anything."""
    return frozenset(_stores(code))


def _stores(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if not instruction.opname.startswith("STORE_"):
            continue
        targets = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
        yield from (target for target in targets if isinstance(target, str))
