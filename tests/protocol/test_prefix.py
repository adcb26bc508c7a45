"""The link's own frame, and what opens a lane."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.prefix import Hello, Kind, LinkError, Part, Prefix

NUMBERS = st.integers(0, (1 << 64) - 1)


@given(st.sampled_from(Kind), st.sampled_from(Part), NUMBERS, NUMBERS)
def test_a_prefix_is_read_as_it_was_written(kind, part, number, received):
    prefix = Prefix(kind, part, number, received)
    assert Prefix.unpack(prefix.pack()) == prefix


@given(st.binary(max_size=40))
def test_any_bytes_are_a_prefix_or_an_error(data):
    with contextlib.suppress(LinkError):
        assert Prefix.unpack(data).pack() == data


@pytest.mark.parametrize("data", [b"", bytes(18), b"\x01\x09" + bytes(16), b"\xff" + bytes(17)])
def test_bytes_that_are_no_prefix_are_an_error(data):
    with pytest.raises(LinkError):
        Prefix.unpack(data)


def test_a_hello_of_another_version_can_be_read_far_enough_to_refuse_it():
    """P10."""
    later = msgspec.msgpack.encode({"version": "7.0", "protocol": 12, "colour": "blue"})
    hello = msgspec.msgpack.decode(later, type=Hello)
    assert (hello.version, hello.protocol, hello.id) == ("7.0", 12, "")
