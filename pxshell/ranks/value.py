"""The rank set: a frozen, hashable value, a bitmap and where it begins, so that 100,000 ranks cost microseconds."""

from __future__ import annotations

from functools import lru_cache, reduce
from itertools import chain
from operator import or_
from typing import TYPE_CHECKING, NoReturn

from pxshell.ranks.bitmap import MAX_RANKS, based, bitmap_of_ranges, bitmap_of_ranks, intervals_of
from pxshell.ranks.items import scan_plain
from pxshell.ranks.wire import decode_bitmap, encode_bitmap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["EMPTY", "MAX_RANKS", "RankSet", "union"]


#: Longer texts of a wire are of sets that seldom come twice.
_SHORT_BYTES = 32


class RankSet:
    """A set of ranks.

    Prints folded: ``str(RankSet([0, 1, 2, 3, 7])) == "0-3,7"``. ``<=`` and ``<`` compare as subsets; iteration
    ascends. Ranks are integers from 0 to ``MAX_RANKS - 1``; ``ValueError`` for others.
    """

    # The last two are found when they are first asked for, and absent until then.
    __slots__ = ("_base", "_bits", "_intervals", "_wire")

    #: Bit n of `_bits` is rank `_base + n`: see `bitmap`.
    _base: int
    _bits: int
    _intervals: tuple[tuple[int, int], ...]
    _wire: bytes

    def __init__(self, ranks: Iterable[int] = ()) -> None:
        base, bits = bitmap_of_ranks(ranks)
        _set_base(self, base)
        _set_bits(self, bits)

    @classmethod
    def of(cls, *ranks: int) -> RankSet:
        """Return the set of the ranks given."""
        return cls(ranks)

    @classmethod
    def span(cls, start: int, stop: int) -> RankSet:
        """Return the ranks from ``start`` up to, not with, ``stop``."""
        return cls(range(start, stop))

    @classmethod
    def from_bits(cls, bits: int) -> RankSet:
        """Return the set whose bitmap is ``bits``: bit *n* stands for rank *n*."""
        if bits < 0 or bits.bit_length() > MAX_RANKS:
            message = f"a bitmap of ranks has at most {MAX_RANKS} bits and is not negative"
            raise ValueError(message)
        return _wrap(*based(0, bits))

    @classmethod
    def parse_folded(cls, text: str) -> RankSet:
        """Return the set that prints as ``text``: ``0-3,7``, also with steps, ``0-15/2``; ``RankSetError`` else."""
        return _wrap(*bitmap_of_ranges(scan_plain(text)))

    @classmethod
    def from_wire(cls, data: bytes) -> RankSet:
        """Return the set that ``to_wire`` wrote; ``ValueError`` when nothing that it writes."""
        return _known(data) if len(data) <= _SHORT_BYTES else _wrap(*decode_bitmap(data))

    def to_wire(self) -> bytes:
        """Return the set as bytes: runs or bitmap, whichever is smaller; equal sets give equal bytes."""
        try:
            return self._wire
        except AttributeError:
            object.__setattr__(self, "_wire", encode_bitmap(self._base, self._bits))
            return self._wire

    @property
    def bits(self) -> int:
        """The bitmap: bit *n* stands for rank *n*. It costs the highest rank in bits, the set itself does not."""
        return self._bits << self._base

    @property
    def first(self) -> int:
        """The lowest rank; ``ValueError`` when empty."""
        self._check_filled()
        # The lowest byte is filled.
        lowest = self._bits & 255
        return self._base + (lowest & -lowest).bit_length() - 1

    @property
    def last(self) -> int:
        """The highest rank; ``ValueError`` when empty."""
        self._check_filled()
        return self._base + self._bits.bit_length() - 1

    def intervals(self) -> tuple[tuple[int, int], ...]:
        """Return the runs of consecutive ranks as half-open intervals, ascending."""
        try:
            return self._intervals
        except AttributeError:
            object.__setattr__(self, "_intervals", intervals_of(self._base, self._bits))
            return self._intervals

    def isdisjoint(self, other: RankSet) -> bool:
        """Return whether no rank is in both."""
        return not self._common(other)

    def __str__(self) -> str:
        return ",".join(str(start) if stop == start + 1 else f"{start}-{stop - 1}" for start, stop in self.intervals())

    def __repr__(self) -> str:
        return f"RankSet.parse_folded({str(self)!r})"

    def __len__(self) -> int:
        return self._bits.bit_count()

    def __bool__(self) -> bool:
        return bool(self._bits)

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(range(start, stop) for start, stop in self.intervals())

    def __contains__(self, rank: object) -> bool:
        return isinstance(rank, int) and self._base <= rank < MAX_RANKS and bool(self._bits >> rank - self._base & 1)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RankSet):
            return NotImplemented
        return self._base == other._base and self._bits == other._bits

    def __hash__(self) -> int:
        return hash((RankSet, self._base, self._bits))

    def __or__(self, other: object) -> RankSet:
        if not isinstance(other, RankSet):
            return NotImplemented
        if not (self._bits and other._bits):
            return self if self._bits else other
        shift = other._base - self._base
        if shift >= 0:
            return _wrap(self._base, self._bits | other._bits << shift)
        return _wrap(other._base, self._bits << -shift | other._bits)

    def __and__(self, other: object) -> RankSet:
        if not isinstance(other, RankSet):
            return NotImplemented
        return _wrap(*based(max(self._base, other._base), self._common(other)))

    def __sub__(self, other: object) -> RankSet:
        if not isinstance(other, RankSet):
            return NotImplemented
        common = self._common(other)
        if not common:
            return self
        # Not `& ~`, which makes three integers of the greater length.
        return _wrap(*based(self._base, self._bits ^ common << max(0, other._base - self._base)))

    def __xor__(self, other: object) -> RankSet:
        if not isinstance(other, RankSet):
            return NotImplemented
        base = min(self._base, other._base)
        return _wrap(*based(base, self._bits << self._base - base ^ other._bits << other._base - base))

    def __le__(self, other: object) -> bool:
        if not isinstance(other, RankSet):
            return NotImplemented
        # Whose first byte lies before the other's has a rank that the other has not.
        return not self._bits or (self._base >= other._base and self._common(other) == self._bits)

    def __lt__(self, other: object) -> bool:
        return self <= other and self != other if isinstance(other, RankSet) else NotImplemented

    def __setattr__(self, name: str, value: object) -> NoReturn:
        message = f"a RankSet does not change: cannot set {name}"
        raise AttributeError(message)

    def __delattr__(self, name: str) -> NoReturn:
        message = f"a RankSet does not change: cannot delete {name}"
        raise AttributeError(message)

    def __reduce__(self) -> tuple[object, ...]:
        return (RankSet.from_wire, (self.to_wire(),))

    def _common(self, other: RankSet) -> int:
        """Return the bits of both, from the higher base on."""
        shift = self._base - other._base
        if shift >= 0:
            return self._bits & other._bits >> shift
        return self._bits >> -shift & other._bits

    def _check_filled(self) -> None:
        if not self._bits:
            message = "an empty rank set has no first and no last rank"
            raise ValueError(message)


#: What the set's own refusal to change does not stop, for the making of new ones.
_set_base = RankSet.__dict__["_base"].__set__
_set_bits = RankSet.__dict__["_bits"].__set__


def _wrap(base: int, bits: int) -> RankSet:
    """Make a set of a bitmap that is known to be good."""
    ranks = object.__new__(RankSet)
    _set_base(ranks, base)
    _set_bits(ranks, bits)
    return ranks


@lru_cache(maxsize=2048)
def _known(data: bytes) -> RankSet:
    """Return the same object for the same few bytes: a node speaks for the same ranks again and again.

    So many nodes can have their sets here; each costs the distance from its first rank to its last in bits.
    """
    return _wrap(*decode_bitmap(data))


EMPTY = RankSet()
"""The set of no rank."""


def union(parts: Iterable[RankSet]) -> RankSet:
    """Return the ranks of all these sets; none of no set."""
    return reduce(or_, parts, EMPTY)
