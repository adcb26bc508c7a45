"""Rank sets as bytes: runs or bitmap, whichever is smaller, and nothing accepted that would not be written.

No byte is the empty set. ``0`` then the little-endian bitmap without trailing zero bytes; ``1`` then, for each run, the
gap before it and its length less one, both LEB128. The gap of all runs but the first is at least 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pxshell.ranks.bitmap import MAX_RANKS, bits_of_ranges, count_runs, intervals_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["decode_bits", "encode_bits"]

_BITMAP = 0
_RUNS = 1


def encode_bits(bits: int) -> bytes:
    """Return the bytes of a bitmap."""
    if not bits:
        return b""
    size = (bits.bit_length() + 7) // 8
    # Each run takes two bytes at least: a set of many runs need not be taken apart to know that they lose.
    runs = _encode_runs(bits) if 2 * count_runs(bits) < size else b""
    if 0 < len(runs) < size:
        return bytes([_RUNS]) + runs
    return bytes([_BITMAP]) + bits.to_bytes(size, "little")


def decode_bits(data: bytes) -> int:
    """Return the bitmap of bytes that another process sent; ``ValueError`` for any that we would not have written."""
    if not data:
        return 0
    if data[0] == _BITMAP:
        return _decode_bitmap(data[1:])
    if data[0] == _RUNS:
        return _decode_runs(data[1:])
    message = f"a rank set on the wire begins with 0 or 1, not {data[0]}"
    raise ValueError(message)


def _decode_bitmap(data: bytes) -> int:
    if not data or not data[-1] or len(data) > MAX_RANKS // 8:
        message = "a rank set on the wire is empty, too long or has zero bytes at its end"
        raise ValueError(message)
    return int.from_bytes(data, "little")


def _decode_runs(data: bytes) -> int:
    numbers = list(_decode_numbers(data))
    if not numbers or len(numbers) % 2:
        message = "a rank set on the wire has half a run"
        raise ValueError(message)
    return bits_of_ranges(list(_ranges(numbers)))


def _ranges(numbers: list[int]) -> Iterator[range]:
    stop = 0
    for at in range(0, len(numbers), 2):
        if at and not numbers[at]:
            message = "a rank set on the wire has two runs that touch"
            raise ValueError(message)
        start = stop + numbers[at]
        stop = start + numbers[at + 1] + 1
        yield range(start, stop)


def _encode_runs(bits: int) -> bytes:
    written = bytearray()
    end = 0
    for start, stop in intervals_of(bits):
        _append_number(written, start - end)
        _append_number(written, stop - start - 1)
        end = stop
    return bytes(written)


def _append_number(written: bytearray, number: int) -> None:
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    written.append(number)


def _decode_numbers(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        if number >= MAX_RANKS or (shift and not byte):
            message = "a rank set on the wire has a number that is too high or too long"
            raise ValueError(message)
        if byte & 128:
            shift += 7
        else:
            yield number
            number = shift = 0
    if shift:
        message = "a rank set on the wire ends in the middle of a number"
        raise ValueError(message)
