"""The attributes of plain instances: those whose class says nothing about them, and that are nothing but attributes."""

from __future__ import annotations

from types import MemberDescriptorType
from typing import Any

__all__ = ["attributes_of", "has_no_repr"]

_POINTER_BYTES = tuple.__itemsize__


def has_no_repr(value: Any) -> bool:
    """Tell whether a value is written as its class and its address."""
    return getattr(type(value), "__repr__", None) is object.__repr__


def attributes_of(value: Any) -> dict[str, Any] | None:
    """Return the attributes that an instance holds, by name; None when it has a repr of its own, or state in C.

    Nothing of the user's runs: no property, no `__getattr__`.
    """
    kind = type(value)
    if not has_no_repr(value):
        return None
    slots = _slots_of(kind)
    if not _is_all_attributes(kind, len(slots)):
        return None
    found = dict(object.__getattribute__(value, "__dict__")) if kind.__dictoffset__ else {}
    for name, slot in slots:
        try:
            found[name] = slot.__get__(value, kind)
        except AttributeError:  # a slot that is not set
            continue
    return found


def _slots_of(kind: type) -> list[tuple[str, MemberDescriptorType]]:
    with_slots = [one for one in kind.__mro__ if "__slots__" in one.__dict__]
    named = [(name, slot) for one in with_slots for name, slot in one.__dict__.items()]
    return [(name, slot) for name, slot in named if isinstance(slot, MemberDescriptorType)]


def _is_all_attributes(kind: type, slots: int) -> bool:
    """Tell whether instances have no room for anything but attributes; as `object.__getstate__` does for pickle."""
    size = object.__basicsize__ + slots * _POINTER_BYTES
    size += _POINTER_BYTES * ((kind.__dictoffset__ > 0) + (kind.__weakrefoffset__ > 0))
    return not kind.__itemsize__ and kind.__basicsize__ <= size
