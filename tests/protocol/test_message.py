"""Messages survive the way as frames; what is no message is refused as such."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pxshell.protocol.message import Header, Message, MessageError, decode_content, encode_content
from pxshell.protocol.types import Lane
from pxshell.ranks import RankSet

names = st.text(max_size=8)
contents = st.dictionaries(
    names,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False)
        | names
        | st.binary(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)
messages = st.builds(
    Message.make,
    names,
    names,
    contents,
    ranks=st.builds(RankSet, st.sets(st.integers(0, 300))),
    parent=names,
    origin=names,
    epoch=st.integers(0, 9),
    digest=st.binary(max_size=16),
    key=names,
    mark=st.integers(0, 2**40),
    late=st.booleans(),
    buffers=st.lists(st.binary(max_size=20), max_size=3),
)


@given(messages)
def test_frames_round_trip(message):
    """P2: every field, the content and the buffers."""
    assert Message.from_frames(message.to_frames()) == message
    views = [memoryview(bytes(frame)) for frame in message.to_frames()]
    assert Message.from_frames(views) == message


@given(contents)
def test_equal_contents_are_equal_bytes_whatever_the_order_of_their_keys(content):
    """P4: what folds is compared by bytes."""
    backwards = dict(reversed(content.items()))
    assert encode_content(backwards) == encode_content(content)
    assert decode_content(encode_content(content)) == content


@given(st.lists(st.binary(max_size=30), max_size=4))
def test_malformed_frames_are_refused_and_nothing_else_happens(frames):
    """P10: whatever a peer sends, it is a message or a MessageError."""
    with suppress(MessageError):
        Message.from_frames(frames).data()


@given(messages, st.integers(0, 200), st.integers(0, 255))
def test_a_flipped_byte_is_a_message_or_a_message_error(message, at, value):
    """P10: also where nearly all of it is right."""
    frames = [bytearray(frame) for frame in message.to_frames()]
    for frame in frames[:2]:
        frame[at % len(frame)] = value
        try:
            Message.from_frames(frames).data()
        except MessageError:
            continue


HEADER = msgspec.msgpack.encode(["stream", "id"])


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [HEADER],
        [b"", b"\x80"],
        [b"\x90", b"\x80"],
        [b"\x91\xa1a", b"\x80"],
        [msgspec.msgpack.encode(["stream", 3]), b"\x80"],
        [msgspec.msgpack.encode(["stream", "id", "", b"\xff\xff"]), b"\x80"],
        [msgspec.msgpack.encode(["stream", "id", "", "text"]), b"\x80"],
        [b"\x92\xa1\xff\xa1a", b"\x80"],
        [b"\x91" * 100_000, b"\x80"],
    ],
)
def test_frames_that_are_no_message_are_refused(frames):
    """P10: too few, no header, no rank set, no UTF-8, too deep."""
    with pytest.raises(MessageError):
        Message.from_frames(frames)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x90",
        b"\xc1",
        b"\x81\x01\x02",
        b"\x81\xa1\xff\xc0",
        b"\x81\xa1a" * 100_000,
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa1a\xc7\x0c\xff" + b"\xff" * 12,
    ],
)
def test_content_that_is_no_map_with_text_keys_is_refused_when_it_is_read(content):
    """P10: nodes pass it on unread; who reads it gets one error and no other."""
    message = Message.from_frames([HEADER, content])
    with pytest.raises(MessageError, match="no msgpack map"):
        message.data()


def test_a_header_from_the_future_is_read_as_far_as_it_is_known():
    """P8: fields may be added at the end, and left out there."""
    long = msgspec.msgpack.encode(["stream", "id", "", b"", "", 2, b"", "", 0, True, "new", [1]])
    assert Message.from_frames([long, b"\x80"]).header == Header("stream", "id", epoch=2, late=True)
    assert Message.from_frames([HEADER, b"\x80"]) == Message.make("stream", "id")


def test_ranks_in_value_and_header_agree():
    message = Message.make("execute_request", "id", {"code": "1"}, ranks=RankSet.span(0, 4))
    narrower = message.with_ranks(RankSet.of(2))
    assert (narrower.ranks, narrower.content) == (RankSet.of(2), message.content)
    assert Message.from_frames(narrower.to_frames()).ranks == RankSet.of(2)
    assert message.with_header(origin="client").header.origin == "client"


def test_short_names_of_what_is_looked_at_most():
    message = Message.make("px_state", "id", b"\x80", parent="request", buffers=[b"12", memoryview(bytes(8)).cast("d")])
    assert (message.type, message.id, message.parent, message.lane) == ("px_state", "id", "request", Lane.CONTROL)
    assert message.size == 1 + 2 + 8
    assert Message.make("stream", "id").data() == {}


@example(b"\x81\xa1a\xd6\xff\xff\xff\xff\xff")
@given(st.binary(max_size=40))
def test_any_bytes_as_content_are_read_or_refused(data):
    """P10."""
    try:
        assert isinstance(decode_content(data), dict)
    except MessageError:
        return
