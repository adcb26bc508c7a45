"""Rank sets as bytes: runs or bitmap, whichever is smaller, and nothing accepted that would not be written.

No byte is the empty set. ``0`` then the base divided by eight, LEB128, and the little-endian bitmap from there on,
which neither begins nor ends with a zero byte; ``1`` then, for each run, the gap before it and its length less one,
both LEB128. The gap of all runs but the first is at least 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pxshell.ranks.bitmap import EMPTY_BITMAP, MAX_RANKS, Bitmap, bitmap_of_ranges, count_runs, intervals_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["decode_bitmap", "encode_bitmap"]

_BITMAP = 0
_RUNS = 1
_BYTE = 8


def encode_bitmap(base: int, bits: int) -> bytes:
    """Return the bytes of a bitmap."""
    if not bits:
        return b""
    size = (bits.bit_length() + 7) // _BYTE
    # Each run takes two bytes at least: a set of many runs need not be taken apart to know that they lose.
    written = bytearray([_BITMAP])
    _append_number(written, base // _BYTE)
    runs = _encode_runs(base, bits) if 2 * count_runs(bits) < len(written) + size else b""
    if 0 < len(runs) < len(written) + size:
        return runs
    return bytes(written) + bits.to_bytes(size, "little")


def decode_bitmap(data: bytes) -> Bitmap:
    """Return the bitmap of bytes that another process sent; ``ValueError`` for any that we would not have written."""
    if not data:
        return EMPTY_BITMAP
    if data[0] == _BITMAP:
        return _decode_bytes(data)
    if data[0] == _RUNS:
        return _decode_runs(data[1:])
    message = f"a rank set on the wire begins with 0 or 1, not {data[0]}"
    raise ValueError(message)


def _decode_bytes(data: bytes) -> Bitmap:
    start = 1
    while start < len(data) and data[start] & 128:
        start += 1
    start += 1
    base = next(_decode_numbers(data[1:start]), 0) * _BYTE
    filled = data[start:]
    if not filled or not filled[0] or not filled[-1] or base + len(filled) * _BYTE > MAX_RANKS:
        message = "a rank set on the wire is empty, too long or has zero bytes at its ends"
        raise ValueError(message)
    return base, int.from_bytes(filled, "little")


def _decode_runs(data: bytes) -> Bitmap:
    numbers = list(_decode_numbers(data))
    if not numbers or len(numbers) % 2:
        message = "a rank set on the wire has half a run"
        raise ValueError(message)
    return bitmap_of_ranges(list(_ranges(numbers)))


def _ranges(numbers: list[int]) -> Iterator[range]:
    stop = 0
    for at in range(0, len(numbers), 2):
        if at and not numbers[at]:
            message = "a rank set on the wire has two runs that touch"
            raise ValueError(message)
        start = stop + numbers[at]
        stop = start + numbers[at + 1] + 1
        yield range(start, stop)


def _encode_runs(base: int, bits: int) -> bytes:
    written = bytearray([_RUNS])
    end = 0
    for start, stop in intervals_of(base, bits):
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
