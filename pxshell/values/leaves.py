"""A value as a tree: its parts by path, `['lr']`, `.layers[2].weight`, in an order that equal values share."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from types import SimpleNamespace
from typing import Any, NamedTuple

from pxshell.values.blocks import digest
from pxshell.values.instances import attributes_of, has_no_repr
from pxshell.values.numbers import is_masked, numbers_in, numpy_if_loaded

__all__ = ["DEEPEST", "Part", "part_at", "parts_of", "walk"]

#: How deep a value is looked into; what lies below is not compared, and said not to be.
DEEPEST = 20
#: Instances whose attributes are looked into: objects that all know each other have more ways between them than time.
_INSTANCES = 1000

#: A step from a value to its part, as it is written, and the part.
Step = tuple[str, Any]


class Part(NamedTuple):
    """A part of a value.

    Attributes:
        path: As one writes it after the value.
        value: The part.
        steps: Its parts in turn; None for what is no container.
        up: For a container within itself: how many levels up it stands; else 0.
        is_cut: Whether it is a container that is not looked into: too deep, or one instance too many.
    """

    path: str
    value: Any
    steps: list[Step] | None
    up: int = 0
    is_cut: bool = False


def walk(value: Any) -> Iterator[Part]:
    """Yield the parts of a value, the value itself first, containers before what they hold.

    A container within itself is not entered again.
    """
    return _walk(value, "", (), count(1))


def _walk(value: Any, path: str, inside: tuple[int, ...], opened: Iterator[int]) -> Iterator[Part]:
    if id(value) in inside:
        yield Part(path, value, [], up=len(inside) - inside.index(id(value)))
        return
    steps = parts_of(value)
    is_cut = bool(steps) and (len(inside) >= DEEPEST or (has_no_repr(value) and next(opened) > _INSTANCES))
    yield Part(path, value, steps, is_cut=is_cut)
    for step, part in () if is_cut else steps or ():
        yield from _walk(part, path + step, (*inside, id(value)), opened)


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
    """Return the parts of a container, None for what is none (numbers, texts, arrays, objects with a repr)."""
    if isinstance(value, Mapping):
        keyed = [(f"[{_short(key)}]", part) for key, part in list(value.items())]
        return _told_apart(sorted(keyed, key=lambda one: one[0]))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(f".{one.name}", getattr(value, one.name, None)) for one in dataclasses.fields(value)]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [(f".{name}", part) for name, part in zip(value._fields, value, strict=False)]
    if isinstance(value, SimpleNamespace | _argparse_namespace()):
        return [(f".{name}", part) for name, part in sorted(vars(value).items())]
    if isinstance(value, list | tuple) and numbers_in(value) is None:
        return [(f"[{number}]", part) for number, part in enumerate(list(value))]
    numpy = numpy_if_loaded()
    if numpy is not None and isinstance(value, numpy.ndarray):
        return _parts_of_ndarray(value)
    attributes = attributes_of(value)
    return None if attributes is None else [(f".{name}", part) for name, part in sorted(attributes.items())]


def _parts_of_ndarray(value: Any) -> list[Step] | None:
    """Return the parts of an array that is no row of numbers: a masked one, one of records, one of objects."""
    if is_masked(value):
        mask = sys.modules["numpy.ma"].getmaskarray(value)
        return [(".data", value.data), (".mask", mask)]
    if value.dtype.names:
        return [(f"[{name!r}]", value[name]) for name in value.dtype.names]
    if value.dtype.kind != "O" or not value.ndim:
        return None
    return [(f"[{number}]", part) for number, part in enumerate(list(value))]


def _argparse_namespace() -> type:
    loaded = sys.modules.get("argparse")
    return loaded.Namespace if loaded is not None else SimpleNamespace


def _short(key: Any) -> str:
    """Write a key; a long one with its digest, for others may begin as it does."""
    text = repr(key)
    return text if len(text) <= 60 else f"{text[:40]}… {digest(text.encode(errors='replace')).hex()}"


def _told_apart(steps: list[Step]) -> list[Step]:
    """Number the keys that are written as the one before them."""
    numbers: dict[str, int] = {}
    apart = []
    for step, part in steps:
        numbers[step] = number = numbers.get(step, 0) + 1
        apart.append((step if number == 1 else f"{step}#{number}", part))
    return apart
