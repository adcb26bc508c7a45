"""The description of a value: what travels in its place, some hundred bytes for an array of any size."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pxshell.values.blocks import digest, scan
from pxshell.values.known import is_known_by_text
from pxshell.values.leaves import Part, walk
from pxshell.values.numbers import is_masked, numbers_in, plain_number

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

    Leaves that may be the same although their values are not have a mark, `unseen`, that counts the parts of which that
    holds: `repr` for objects that are known by their repr only, `cut` for containers that are not looked into.

    Raises:
        ValueError: there is an array in it that is too large to read.
    """
    leaves = _leaves(value)
    described = list(itertools.islice(leaves, LEAVES))
    return [*described, *_more(leaves)]


def _more(leaves: Iterator[Leaf]) -> list[Leaf]:
    """Return the one leaf of many others; none when there are none."""
    unseen = {"repr": 0, "cut": 0}
    rest = []
    for leaf in leaves:
        rest.append(repr(sorted(leaf.items())))
        for mark, number in leaf.get("unseen", {}).items():
            unseen[mark] += number
    if not rest:
        return []
    raw = "\n".join(rest).encode(errors="replace")
    return [
        {"path": "…", "kind": "more", "text": f"{len(rest)} more parts", "digest": digest(raw), **_unseen(**unseen)}
    ]


def _unseen(**counts: int) -> Leaf:
    """Return the mark of a leaf; nothing where all was seen."""
    found = {mark: number for mark, number in counts.items() if number}
    return {"unseen": found} if found else {}


def _leaves(value: Any) -> Iterator[Leaf]:
    arrays: dict[int, tuple[Any, Leaf]] = {}  # one that many parts share is read once; kept, so that ids stay theirs
    for part in walk(value):
        if id(part.value) not in arrays:
            leaf = _leaf(part)
            if leaf["kind"] == "array":
                arrays[id(part.value)] = part.value, leaf
        else:
            leaf = arrays[id(part.value)][1]
        yield {"path": part.path, **leaf}


def _leaf(part: Part) -> Leaf:
    value, kind = part.value, type(part.value).__name__
    if part.up:
        return {"kind": kind, "text": f"the {kind} {part.up} up"}
    if part.steps is not None:
        keys = value if isinstance(value, Mapping) else ()
        mark = _unseen(cut=int(part.is_cut), repr=int(not all(map(is_known_by_text, keys))))
        return {"kind": kind, "parts": len(part.steps), **_masked(value), **mark}
    number = _number(value)
    if number is not None:
        return number
    numbers = numbers_in(value)
    if numbers is not None:
        found = scan(numbers)
        facts = {"dtype": numbers.dtype, "shape": list(numbers.shape), "inexact": numbers.is_inexact}
        facts |= {"nan": found.nan, "least": found.least, "most": found.most, "mean": found.mean}
        return {"kind": "array", "digest": found.digest, **facts}
    return {"kind": kind, **_text(value)}


def _masked(value: Any) -> Leaf:
    """Return what is shown of a masked array."""
    if not is_masked(value):
        return {}
    return {"dtype": str(value.dtype), "shape": list(value.shape), "masked": int(value.size - value.count())}


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
    is_known = is_known_by_text(value)
    text = written if is_known else _ADDRESS.sub("0x…", written)
    if isinstance(value, memoryview):
        text = f"memoryview of {value.nbytes} bytes, format {value.format}, shape {value.shape}"
        raw = digest(value.tobytes()) + text.encode()
    else:
        raw = value if isinstance(value, bytes) else text.encode(errors="replace")
    shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return {"text": " ".join(shown.split()), "digest": digest(raw), **_unseen(repr=int(not is_known))}
