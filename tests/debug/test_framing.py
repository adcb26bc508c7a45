"""Messages behind a Content-Length, however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.debug.framing import Framer, FramingError, encode

MESSAGES = st.lists(st.dictionaries(st.text(), st.integers() | st.text(), max_size=3), max_size=5)


@given(MESSAGES, st.lists(st.integers(1, 40), max_size=20))
def test_messages_come_out_as_they_went_in_however_the_bytes_are_cut(messages, sizes):
    """P2: nothing lost, nothing twice."""
    data = b"".join(map(encode, messages))
    framer, found = Framer(), []
    for size in [*sizes, len(data)]:
        part, data = data[:size], data[size:]
        found += framer.feed(part)
    assert found == messages


def test_other_header_fields_are_ignored():
    assert Framer().feed(b"Content-Type: x\r\nContent-length: 2\r\n\r\n{}") == [{}]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"x" * 5000,
        b"Content-Length: 999999999\r\n\r\n",
        b"Content-Length: 2\r\n\r\n{[",
        b"Content-Length: 2\r\n\r\n[]",
        b"Content-Length: 100000\r\n\r\n" + b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_refused(data):
    """P10: a browser that was lured to the port, say."""
    with pytest.raises(FramingError):
        Framer().feed(data)
