"""Which values their text tells apart: of the others it is only known that they look the same."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["is_known_by_text"]

#: Types of which unequal values have unequal reprs, by name: none of them is imported for this.
_TYPES = frozenset(
    {
        *(f"builtins.{name}" for name in ("NoneType", "bool", "bytearray", "bytes", "complex", "ellipsis", "float")),
        *(f"builtins.{name}" for name in ("NotImplementedType", "int", "memoryview", "str")),
        *(f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta")),
        *(f"pathlib.{name}" for name in ("PosixPath", "PurePosixPath", "PureWindowsPath")),
        *(f"pathlib._local.{name}" for name in ("PosixPath", "PurePosixPath", "PureWindowsPath")),
        *("decimal.Decimal", "fractions.Fraction", "uuid.UUID", "torch.device", "torch.dtype"),
    }
)


def is_known_by_text(value: Any) -> bool:
    """Tell whether equal texts prove equal values: for numbers, texts, dates, and sets and tuples of these.

    Classes count, as pickle has it, when a module has them by their name.
    """
    kind = type(value)
    if f"{kind.__module__}.{kind.__qualname__}" in _TYPES:
        return True
    if kind in (tuple, frozenset, set):
        return all(map(is_known_by_text, value))
    if kind in (range, slice):
        return all(map(is_known_by_text, (value.start, value.stop, value.step)))
    if kind is type:
        return value.__module__ != "__main__" and "<locals>" not in value.__qualname__
    return _is_of_enum(value) or _is_of_numpy(value)


def _is_of_enum(value: Any) -> bool:
    enum = sys.modules.get("enum")
    return enum is not None and isinstance(value, enum.Enum) and is_known_by_text(value.value)


def _is_of_numpy(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return False
    return isinstance(value, numpy.dtype) or (isinstance(value, numpy.generic) and value.dtype.kind not in "OV")
