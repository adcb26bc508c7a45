"""The description of a value: what travels in its place, some hundred bytes for an array of any size."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from pxshell.values.blocks import digest, scan
from pxshell.values.leaves import parts_of, walk
from pxshell.values.numbers import numbers_in, plain_number

__all__ = ["LEAVES", "describe"]

#: Parts that are described one by one; the others are one digest, in which equal values are equal.
LEAVES = 2000
#: Characters of a text that travel; all of it is in its digest.
_SHOWN = 120
#: Where an object lies in memory is different on each rank, and means nothing.
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")

Leaf = dict[str, Any]


def describe(value: Any) -> list[Leaf]:
    """Describe a value as a list of leaves, each with `path` and `kind`.

    - `array`: `dtype, shape, nan, least, most, mean, digest`, `inexact` when a tolerance applies;
    - `float`, `complex`: `value` (a list of two for complex);
    - a container, by its type's name: `parts`, how many; what it holds are leaves of their own;
    - all else, by its type's name: `text`, and `digest` of the whole text (integers, truth, names, dates, objects);
    - `more`, the last, with the path `…`: `digest` of all leaves beyond the first `LEAVES`, `text` that counts them.
    """
    leaves = _leaves(value)
    described = list(itertools.islice(leaves, LEAVES))
    rest = [repr(sorted(leaf.items())) for leaf in leaves]
    if rest:
        text = f"{len(rest)} more parts"
        described.append({"path": "…", "kind": "more", "text": text, "digest": digest("\n".join(rest).encode())})
    return described


def _leaves(value: Any) -> Iterator[Leaf]:
    for path, part in walk(value):
        yield {"path": path, **_leaf(part)}


def _leaf(value: Any) -> Leaf:
    number = _number(value)
    if number is not None:
        return number
    numbers = numbers_in(value)
    if numbers is not None:
        found = scan(numbers)
        facts = {"dtype": numbers.dtype, "shape": list(numbers.shape), "inexact": numbers.is_inexact}
        facts |= {"nan": found.nan, "least": found.least, "most": found.most, "mean": found.mean}
        return {"kind": "array", "digest": found.digest, **facts}
    parts = parts_of(value)
    kind = type(value).__name__
    if parts is not None:
        return {"kind": kind, "parts": len(parts)}
    return {"kind": kind, **_text(value)}


def _number(value: Any) -> Leaf | None:
    """Describe a number, Python's or NumPy's; None for what is none."""
    value = plain_number(value)
    kind = type(value)
    if kind is float:
        return {"kind": "float", "value": value}
    if kind is complex:
        return {"kind": "complex", "value": [value.real, value.imag]}
    return {"kind": kind.__name__, "text": repr(value)} if kind in (int, bool) else None


def _text(value: Any) -> Leaf:
    is_set = isinstance(value, set | frozenset)
    written = f"{{{', '.join(sorted(map(repr, value)))}}}" if is_set else repr(value)
    text = _ADDRESS.sub("0x…", written)
    raw = value if isinstance(value, bytes) else text.encode(errors="replace")
    shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return {"text": " ".join(shown.split()), "digest": digest(raw)}
