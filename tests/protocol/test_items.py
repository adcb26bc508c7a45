"""A message is cut into what folds, and what folds makes messages again."""

from random import Random

import pytest
from histories import cut, said_whole, stream
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.items import Item, lines_of, messages_of, parts_of, stream_of
from pxshell.protocol.message import Message, MessageError
from pxshell.ranks import RankSet


def items(*messages):
    return [Item(key, message, message.ranks, text) for message in messages for key, text in parts_of(message)]


@given(st.text(st.sampled_from("ab\n\r\x0b\u2028"), max_size=20))
def test_lines_make_the_text_again_and_only_a_newline_ends_one(text):
    """P2: nothing of the text is lost."""
    lines = lines_of(text)
    assert "".join(lines) == text
    assert all(lines) and all("\n" not in line[:-1] for line in lines)
    assert all(line.endswith("\n") for line in lines[:-1])


@given(st.text(st.sampled_from("ab\n"), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_adjacent_text_of_one_stream_becomes_one_message(text, rng: Random):
    """P2: however it was cut."""
    pieces = [stream(0, piece) for piece in cut(text, rng)]
    (message,) = messages_of(items(*pieces))
    assert message.data() == {"name": "stdout", "text": text}


def test_messages_pass_unchanged_and_keep_streams_apart():
    """P1: text of another stream, or of other ranks, or a message in between begins a new message."""
    said = [
        stream(0, "a\n"),
        stream(0, "b\n", "stderr"),
        said_whole(0, "display_data", "x"),
        said_whole(0, "comm_msg", "x"),
        stream(0, "c\n"),
        stream(1, "d\n"),
    ]
    assert messages_of(items(*said)) == said


@pytest.mark.parametrize("fields", [{"mark": 7}, {"digest": b"x"}])
def test_marks_of_the_way_do_not_stay_in_text(fields):
    message = stream(0, "a\n", **fields)
    (out,) = messages_of(items(message))
    assert (out.header.mark, out.header.digest, out.data()) == (0, b"", message.data())


def test_folded_ranks_are_put_into_the_message():
    """P4: ranks in header and value agree."""
    whole, line = said_whole(0, "error", "x"), stream(0, "a\n")
    for message in (whole, line):
        ((key, text),) = parts_of(message)
        (out,) = messages_of([Item(key, message, RankSet.of(0, 5), text)])
        assert out.ranks == RankSet.of(0, 5) == RankSet.from_wire(out.header.ranks)
        assert out.content == message.content


def test_what_never_folds_has_no_key():
    """P4: no digest, a display's key, a type that never folds, an unknown type, nobody's."""
    assert parts_of(said_whole(0, "display_data", "x"))[0][0] is not None
    for message in (
        Message.make("display_data", "1", ranks=RankSet.of(0)),
        said_whole(0, "display_data", "x", key="k"),
        said_whole(0, "comm_msg", "x"),
        said_whole(0, "from_the_future", "x"),
        said_whole((), "display_data", "x"),
        stream((), "x"),
        stream(0, "x", key="k"),
    ):
        assert parts_of(message) == [(None, None)]
        assert stream_of(message) is None


def test_two_lines_without_key_are_of_no_common_stream():
    line = Item(None, stream(0, "a\n"), RankSet.of(0), "a\n")
    assert len(messages_of([line, line])) == 2


def test_size_counts_the_line_or_the_message():
    """P7: what waits is counted."""
    whole = said_whole(0, "error", "xyz")
    assert [item.size for item in items(stream(0, "ab\n"), whole)] == [3, whole.size]


def test_a_stream_with_unreadable_content_is_refused():
    with pytest.raises(MessageError):
        parts_of(Message.make("stream", "1", b"\xc1", ranks=RankSet.of(0)))


def test_a_stream_without_name_is_stdout():
    (message,) = messages_of(items(Message.make("stream", "1", {"text": "a"}, ranks=RankSet.of(0))))
    assert message.data()["text"] == "a"
    assert items(message)[0].key == items(stream(0, "a", parent=""))[0].key
