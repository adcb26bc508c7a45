"""Functions by value, with the names of their files: breakpoints and people find a line by it.

Apart from `pickles.py`, for cloudpickle is slow to import.
"""

from __future__ import annotations

from collections import ChainMap
from types import CodeType
from typing import Any, ClassVar

import cloudpickle

__all__ = ["Pickler"]

#: What cloudpickle, since its version 3.1, writes in the place of the name of a file.
_NO_FILE = "<dynamic-code>"


def _reduce_code(code: CodeType) -> tuple[Any, tuple[Any, ...]]:
    make, arguments = cloudpickle.Pickler.dispatch_table[CodeType](code)
    return make, tuple(code.co_filename if isinstance(one, str) and one == _NO_FILE else one for one in arguments)


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no annotations
    """Cloudpickle's, but for code."""

    dispatch_table: ClassVar[ChainMap[type, Any]] = ChainMap(
        {CodeType: _reduce_code}, cloudpickle.Pickler.dispatch_table
    )
