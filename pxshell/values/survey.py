"""The questions about a value that a rank answers in place of sending it, and their answers."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pxshell.protocol.message import Buffer
from pxshell.values.blocks import Blocks, block_length, blocks_of
from pxshell.values.describe import describe
from pxshell.values.leaves import part_at
from pxshell.values.numbers import Numbers, numbers_in
from pxshell.values.picture import picture_of, place_of
from pxshell.values.tolerance import Tolerance

__all__ = ["Survey", "answer", "blocks_in", "elements_in"]

#: Evaluates an expression of the user's.
Evaluate = Callable[[str], Any]
#: Content and buffers.
Survey = tuple[dict[str, Any], list[Buffer]]
#: In a program, `__pxplot__ = {"u": "block"}` says where each rank's part of `u` lies.
_PLACES = "__pxplot__"


def answer(question: Mapping[str, Any], evaluate: Evaluate) -> Survey:
    """Answer a question about the value of its `expression`; what the expression raises is raised.

    By `ask`:

    - `describe`: `leaves` (see `describe`);
    - `blocks`: of the array at `path`, with the tolerance `rtol`, `atol`: `exact`, `near` (see `Blocks`);
    - `elements`: of the array at `path`, of the blocks with the numbers `blocks`: a buffer of doubles;
    - `picture`: at most `limit` numbers along an axis; `place` as the expression `at` says (see `Picture`).
    """
    value = evaluate(str(question["expression"]))
    match question["ask"]:
        case "describe":
            return {"leaves": describe(value)}, []
        case "blocks":
            found = blocks_of(_array(value, question), Tolerance.from_content(question))
            return {"exact": list(found.exact), "near": [list(pair) for pair in found.near]}, []
        case "elements":
            return {}, [_elements(_array(value, question), question["blocks"])]
        case _:
            content, buffers = picture_of(value, int(question["limit"])).to_content()
            return {**content, "place": _place(question, evaluate)}, buffers


def _array(value: Any, question: Mapping[str, Any]) -> Numbers:
    path = str(question["path"])
    numbers = numbers_in(part_at(value, path))
    if numbers is None:
        raise LookupError(f"there is no array at {path} any more")
    return numbers


def _elements(numbers: Numbers, blocks: Sequence[int]) -> bytes:
    size = 1
    for length in numbers.shape:
        size *= length
    length = block_length(size)
    return b"".join(numbers.doubles(block * length, (block + 1) * length).tobytes() for block in blocks)


def _place(question: Mapping[str, Any], evaluate: Evaluate) -> list[list[int]]:
    """Return where the part lies: as `at` says, else as the program does; [] when nobody does."""
    at = str(question.get("at") or "")
    if not at and question.get("is_placed"):
        at = str(_places(evaluate).get(str(question["expression"]).strip(), ""))
    return place_of(evaluate(at)) if at else []


def _places(evaluate: Evaluate) -> Mapping[str, str]:
    try:
        found = evaluate(_PLACES)
    except NameError:  # the frame may be another module's than the script's
        found = getattr(sys.modules.get("__main__"), _PLACES, {})
    return found if isinstance(found, Mapping) else {}


def blocks_in(content: Mapping[str, Any]) -> Blocks:
    """Read the answer to `blocks`."""
    return Blocks(tuple(content["exact"]), tuple((pair[0], pair[1]) for pair in content["near"]))


def elements_in(buffers: Sequence[Buffer]) -> Sequence[float]:
    """Read the answer to `elements`."""
    row = array("d")
    row.frombytes(bytes(buffers[0]))
    return row
