"""Equal messages have equal digests, and no others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.digest import LARGEST_FOLDED, digest_of, with_digest
from pxshell.protocol.message import Message
from pxshell.ranks import RankSet

parts = st.tuples(
    st.text(max_size=3), st.text(max_size=3), st.binary(max_size=3), st.lists(st.binary(max_size=3), max_size=3)
)


@given(parts, parts)
def test_digests_are_equal_exactly_when_type_parent_content_and_buffers_are(one, other):
    """P4: only equal contents fold."""
    assert (digest_of(*one) == digest_of(*other)) == (one == other)


def test_parts_do_not_run_into_each_other():
    """P4: the same bytes, cut elsewhere."""
    assert digest_of("ab", "c", b"") != digest_of("a", "bc", b"")
    assert digest_of("a", "", b"x", [b"y"]) != digest_of("a", "", b"xy")
    assert digest_of("a", "", b"", [b"x", b""]) != digest_of("a", "", b"", [b"", b"x"])


def test_success_and_error_have_different_digests():
    """P4: they never fold together."""
    ok, error = (Message.make("execute_reply", "1", {"status": status}) for status in ("ok", "error"))
    assert with_digest(ok).header.digest != with_digest(error).header.digest


def test_who_says_it_and_under_which_id_does_not_count():
    one = with_digest(Message.make("error", "1", {"ename": "E"}, ranks=RankSet.of(1), parent="c"))
    other = with_digest(Message.make("error", "2", {"ename": "E"}, ranks=RankSet.of(2), parent="c"))
    assert one.header.digest == other.header.digest != b""
    assert one.content == other.content


@pytest.mark.parametrize("buffers", [[], [bytes(8), memoryview(bytes(16)).cast("d")]])
def test_a_large_message_never_folds(buffers):
    """P7: hashing it costs more than sending it once more."""
    rest = LARGEST_FOLDED - sum(memoryview(buffer).nbytes for buffer in buffers)
    assert len(digest_of("error", "", bytes(rest), buffers)) == 16
    assert digest_of("error", "", bytes(rest + 1), buffers) == b""
