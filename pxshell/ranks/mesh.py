"""The mesh: ranks arranged along named axes, as `dp=2,tp=4`, row-major (the last axis runs fastest)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import NoReturn, Self

from pxshell.errors import RankSetError
from pxshell.ranks.bitmap import MAX_RANKS
from pxshell.ranks.value import RankSet

__all__ = ["Mesh"]

_AXIS = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*0*([0-9]{1,9})\s*")
#: Words that already select by something else.
_TAKEN = frozenset({"host", "local", "all"})


@dataclass(frozen=True, slots=True)
class Mesh:
    """Names and sizes of the axes, the slowest first.

    With `dp=2,tp=4`, rank 6 is at `dp=1&tp=2`, as in `torch.distributed.init_device_mesh` and in NumPy's C order.
    """

    axes: tuple[tuple[str, int], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `dp=2,tp=4`.

        Raises:
            RankSetError: it cannot be read, names an axis twice, or has an axis of no rank.
        """
        axes: dict[str, int] = {}
        at = 0
        while True:
            match = _AXIS.match(text, at)
            if match is None:
                _refuse("a mesh is axes with sizes, the slowest first, as dp=2,tp=4", text, at)
            name, size = match[1], int(match[2])
            if name in _TAKEN:
                _refuse(f"{name} has a meaning in rank sets already; give the axis another name", text, match.start(1))
            if name in axes:
                _refuse(f"axis {name} stands twice", text, match.start(1))
            if not size:
                _refuse(f"axis {name} has no rank; a size is at least 1", text, match.start(2))
            axes[name] = size
            if prod(axes.values()) > MAX_RANKS:
                _refuse(f"a mesh has at most {MAX_RANKS} ranks", text, match.start(2))
            at = match.end()
            if at == len(text):
                return cls(tuple(axes.items()))
            if text[at] != ",":
                _refuse("expected a comma between axes, as in dp=2,tp=4", text, at)
            at += 1

    @property
    def size(self) -> int:
        """How many ranks it has."""
        return prod(size for _, size in self.axes)

    def check_size(self, ranks: int) -> Self:
        """Return the mesh when it has this many ranks; `RankSetError` else."""
        if self.size != ranks:
            _refuse(f"this mesh has {self.size} ranks, and the cluster {ranks}", str(self), 0)
        return self

    def length(self, axis: str) -> int | None:
        """Return the size of an axis; None when there is no such axis."""
        return dict(self.axes).get(axis)

    def select(self, axis: str, coordinates: range) -> RankSet:
        """Return the ranks whose place along an axis is one of these; `KeyError` when there is no such axis."""
        names = [name for name, _ in self.axes]
        if axis not in names:
            raise KeyError(axis)
        at = names.index(axis)
        stride = prod(size for _, size in self.axes[at + 1 :])
        period = stride * self.axes[at][1]
        # Runs of neighbours, repeated: one pattern of a period, copied to all of them by one multiplication.
        pattern = sum(((1 << stride) - 1) << (place * stride) for place in coordinates)
        repeated = ((1 << self.size) - 1) // ((1 << period) - 1)
        return RankSet.from_bits(pattern * repeated)

    def __str__(self) -> str:
        return ",".join(f"{name}={size}" for name, size in self.axes)


def _refuse(message: str, text: str, position: int) -> NoReturn:
    raise RankSetError(message, text, position)
