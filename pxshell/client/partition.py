"""Sequences cut into one part for each rank, and joined again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

__all__ = ["gather", "scatter"]


def scatter(sequence: Sequence[Any], parts: int) -> list[Any]:
    """Cut a sequence, or an array along its first axis, into contiguous parts; the first may be longer by one."""
    size, longer = divmod(len(sequence), parts)
    bounds = [index * size + min(index, longer) for index in range(parts + 1)]
    return [sequence[start:stop] for start, stop in pairwise(bounds)]


def gather(parts: Sequence[Any]) -> Any:
    """Join parts in order: arrays along their first axis, anything else to a list."""
    if parts and all(hasattr(part, "__array__") and hasattr(part, "shape") and part.shape for part in parts):
        import numpy as np

        return np.concatenate(parts)
    return list(chain.from_iterable(parts))
