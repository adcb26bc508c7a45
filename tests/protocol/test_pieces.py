"""Long control messages in pieces."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.pieces import Joiner, pieces
from pxshell.protocol.prefix import LinkError, Part


def join(joiner, cut):
    return [joiner.add(part, [piece]) for part, piece in cut]


@given(st.lists(st.binary(max_size=400), max_size=6), st.integers(1, 500))
def test_pieces_join_to_what_was_cut(frames, size):
    cut = pieces(frames, size)
    assert len(cut) >= 2
    assert all(len(piece) <= size for _, piece in cut)
    *incomplete, whole = join(Joiner(1 << 20), cut)
    assert incomplete == [None] * len(incomplete)
    assert whole == frames


def test_a_whole_message_passes_between_pieces():
    joiner = Joiner(1 << 20)
    first, *rest = pieces([b"abc" * 100], 50)
    assert joiner.add(*_one(first)) is None
    assert joiner.add(Part.WHOLE, [b"a", b"b"]) == [b"a", b"b"]
    assert join(joiner, rest)[-1] == [b"abc" * 100]


def test_pieces_whose_beginning_never_came_are_dropped():
    """P2: it was in an announced gap."""
    _, *rest = pieces([bytes(500)], 100)
    assert set(join(Joiner(1 << 20), rest)) == {None}


def test_a_new_beginning_replaces_an_unfinished_message():
    joiner = Joiner(1 << 20)
    joiner.add(*_one(pieces([bytes(500)], 100)[0]))
    assert join(joiner, pieces([b"new" * 50], 100))[-1] == [b"new" * 50]


def test_more_than_the_limit_is_an_error():
    """P7."""
    with pytest.raises(LinkError, match="longer than 200 bytes"):
        join(Joiner(200), pieces([bytes(500)], 100))


def test_empty_pieces_without_end_are_an_error():
    """P7: each is kept until the last, which need not come."""
    joiner = Joiner(10_000)
    joiner.add(Part.FIRST, [b""])
    with pytest.raises(LinkError, match="longer than 10000 bytes"):
        for _ in range(10_000):
            joiner.add(Part.MIDDLE, [b""])


@pytest.mark.parametrize("whole", [b"", b"\1", struct.pack("<I", 3), struct.pack("<IQ", 1, 1000) + b"x"])
def test_pieces_that_are_no_message_are_an_error(whole):
    joiner = Joiner(1 << 20)
    joiner.add(Part.FIRST, [whole])
    with pytest.raises(LinkError):
        joiner.add(Part.LAST, [b""])


def test_a_piece_is_one_frame():
    with pytest.raises(LinkError, match="one frame"):
        Joiner(100).add(Part.FIRST, [b"", b""])


def _one(piece):
    return piece[0], [piece[1]]
