"""The rank set: a frozen, hashable value, one integer inside, so that 100,000 ranks cost microseconds."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NoReturn

from pxshell.ranks.bitmap import MAX_RANKS, bits_of_ranges, bits_of_ranks, intervals_of
from pxshell.ranks.items import scan_plain
from pxshell.ranks.wire import decode_bits, encode_bits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["EMPTY", "MAX_RANKS", "RankSet"]


#: Longer texts of a wire are of sets that seldom come twice.
_SHORT_BYTES = 32


class RankSet:
    """A set of ranks.

    Prints folded: ``str(RankSet([0, 1, 2, 3, 7])) == "0-3,7"``. ``<=`` and ``<`` compare as subsets; iteration
    ascends. Ranks are integers from 0 to ``MAX_RANKS - 1``; ``ValueError`` for others.
    """

    # The last two are found when they are first asked for, and absent until then.
    __slots__ = ("_bits", "_intervals", "_wire")

    _bits: int
    _intervals: tuple[tuple[int, int], ...]
    _wire: bytes

    def __init__(self, ranks: Iterable[int] = ()) -> None:
        bits = ranks.bits if isinstance(ranks, RankSet) else bits_of_ranks(ranks)
        object.__setattr__(self, "_bits", bits)

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
        return _wrap(bits)

    @classmethod
    def parse_folded(cls, text: str) -> RankSet:
        """Return the set that prints as ``text``: ``0-3,7``, also with steps, ``0-15/2``; ``RankSetError`` else."""
        return _wrap(bits_of_ranges(scan_plain(text)))

    @classmethod
    def from_wire(cls, data: bytes) -> RankSet:
        """Return the set that ``to_wire`` wrote; ``ValueError`` when nothing that it writes."""
        return _known(data) if len(data) <= _SHORT_BYTES else _wrap(decode_bits(data))

    def to_wire(self) -> bytes:
        """Return the set as bytes: runs or bitmap, whichever is smaller; equal sets give equal bytes."""
        try:
            return self._wire
        except AttributeError:
            object.__setattr__(self, "_wire", encode_bits(self._bits))
            return self._wire

    @property
    def bits(self) -> int:
        """The bitmap."""
        return self._bits

    @property
    def first(self) -> int:
        """The lowest rank; ``ValueError`` when empty."""
        self._check_filled()
        return (self._bits & -self._bits).bit_length() - 1

    @property
    def last(self) -> int:
        """The highest rank; ``ValueError`` when empty."""
        self._check_filled()
        return self._bits.bit_length() - 1

    def intervals(self) -> tuple[tuple[int, int], ...]:
        """Return the runs of consecutive ranks as half-open intervals, ascending."""
        try:
            return self._intervals
        except AttributeError:
            object.__setattr__(self, "_intervals", intervals_of(self._bits))
            return self._intervals

    def isdisjoint(self, other: RankSet) -> bool:
        """Return whether no rank is in both."""
        return not self._bits & other._bits

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
        return isinstance(rank, int) and 0 <= rank < MAX_RANKS and bool(self._bits >> rank & 1)

    def __eq__(self, other: object) -> bool:
        return self._bits == other._bits if isinstance(other, RankSet) else NotImplemented

    def __hash__(self) -> int:
        return hash((RankSet, self._bits))

    def __or__(self, other: object) -> RankSet:
        return _wrap(self._bits | other._bits) if isinstance(other, RankSet) else NotImplemented

    def __and__(self, other: object) -> RankSet:
        return _wrap(self._bits & other._bits) if isinstance(other, RankSet) else NotImplemented

    def __sub__(self, other: object) -> RankSet:
        return _wrap(self._bits & ~other._bits) if isinstance(other, RankSet) else NotImplemented

    def __xor__(self, other: object) -> RankSet:
        return _wrap(self._bits ^ other._bits) if isinstance(other, RankSet) else NotImplemented

    def __le__(self, other: object) -> bool:
        return not self._bits & ~other._bits if isinstance(other, RankSet) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self <= other and self != other if isinstance(other, RankSet) else NotImplemented

    def __setattr__(self, name: str, value: object) -> NoReturn:
        message = f"a RankSet does not change: cannot set {name}"
        raise AttributeError(message)

    def __delattr__(self, name: str) -> NoReturn:
        message = f"a RankSet does not change: cannot delete {name}"
        raise AttributeError(message)

    def __reduce__(self) -> tuple[object, ...]:
        return (RankSet.from_bits, (self._bits,))

    def _check_filled(self) -> None:
        if not self._bits:
            message = "an empty rank set has no first and no last rank"
            raise ValueError(message)


def _wrap(bits: int) -> RankSet:
    """Make a set of a bitmap that is known to be good."""
    ranks = object.__new__(RankSet)
    object.__setattr__(ranks, "_bits", bits)
    return ranks


@lru_cache(maxsize=2048)
def _known(data: bytes) -> RankSet:
    """Return the same object for the same few bytes: a node speaks for the same ranks again and again.

    So many nodes can have their sets here; each costs its highest rank in bits.
    """
    return _wrap(decode_bits(data))


EMPTY = RankSet()
"""The set of no rank."""
