"""A value as a tree: its parts by path, `['lr']`, `.layers[2].weight`, in an order that equal values share."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from pxshell.values.numbers import numbers_in, numpy_if_loaded

__all__ = ["part_at", "parts_of", "walk"]

#: How deep a value is looked into; below, a part is compared by its text.
DEEPEST = 20

#: A step from a value to its part, as it is written, and the part.
Step = tuple[str, Any]


def walk(value: Any, path: str = "", inside: tuple[int, ...] = ()) -> Iterator[Step]:
    """Yield the parts of a value with their paths, the value itself first, containers before what they hold.

    A container within itself is not entered again.
    """
    yield path, value
    if id(value) in inside or len(inside) >= DEEPEST:
        return
    for step, part in parts_of(value) or ():
        yield from walk(part, path + step, (*inside, id(value)))


def part_at(value: Any, path: str) -> Any:
    """Return the part of a value at a path that `walk` gave.

    Raises:
        LookupError: it is not there any more.
    """
    if not path:
        return value
    for step, part in parts_of(value) or ():
        # A step may begin as another does: ['a'] and ['a']['b'] do not, .a and .ab do.
        if path.startswith(step):
            try:
                return part_at(part, path[len(step) :])
            except LookupError:
                continue
    raise LookupError(path)


def parts_of(value: Any) -> list[Step] | None:
    """Return the parts of a container, None for what is none (numbers, texts, arrays, objects)."""
    if isinstance(value, Mapping):
        keyed = [(f"[{_short(key)}]", part) for key, part in list(value.items())]
        return sorted(keyed, key=lambda one: one[0])
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(f".{one.name}", getattr(value, one.name, None)) for one in dataclasses.fields(value)]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [(f".{name}", part) for name, part in zip(value._fields, value, strict=False)]
    if isinstance(value, SimpleNamespace | _argparse_namespace()):
        return [(f".{name}", part) for name, part in sorted(vars(value).items())]
    if isinstance(value, list | tuple) and numbers_in(value) is None:
        return [(f"[{number}]", part) for number, part in enumerate(list(value))]
    return _objects_in(value)


def _objects_in(value: Any) -> list[Step] | None:
    """Return the elements of a NumPy array of Python objects."""
    numpy = numpy_if_loaded()
    if numpy is None or not isinstance(value, numpy.ndarray) or value.dtype.kind != "O" or not value.ndim:
        return None
    return [(f"[{number}]", part) for number, part in enumerate(list(value))]


def _argparse_namespace() -> type:
    loaded = sys.modules.get("argparse")
    return loaded.Namespace if loaded is not None else SimpleNamespace


def _short(key: Any) -> str:
    text = repr(key)
    return text if len(text) <= 60 else f"{text[:57]}..."
