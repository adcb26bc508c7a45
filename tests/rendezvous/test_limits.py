"""Limits are sizes with units in the environment; what cannot be one is refused before anything starts."""

import pytest

from pxshell.client.request import Request
from pxshell.cluster import Cluster
from pxshell.errors import UsageError
from pxshell.protocol.message import Message
from pxshell.ranks import RankSet
from pxshell.rendezvous.limits import SizeLimits, parse_size, size_limits, transport_settings


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64MiB", 64 << 20),
        (" 1.5 GB ", 1_500_000_000),
        ("900kB", 900_000),
        ("900 KB", 900_000),
        ("70000B", 70_000),
        ("2KiB", 2048),
        ("1000", None),
        ("", None),
        ("-1MB", None),
        ("1TB", None),
        ("many", None),
    ],
)
def test_a_size_has_a_number_and_a_unit(text, size):
    assert parse_size(text) == size


def test_what_is_not_set_has_its_default():
    limits = size_limits({"PXSHELL_LOG_LIMIT": "5GB", "PXSHELL_VIEW_LIMIT": " "})
    assert limits == SizeLimits(log=5_000_000_000)
    assert transport_settings(size_limits({"PXSHELL_QUEUE_LIMIT": "1MiB"})).work.limit_bytes == 1 << 20


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lots", "PXSHELL_QUEUE_LIMIT='lots' is no size; write a number and a unit, as 64MiB or 1GB"),
        ("1kB", "PXSHELL_QUEUE_LIMIT=1kB is too little; the least is 64KiB"),
    ],
)
def test_what_is_no_size_is_refused_and_nothing_starts(text, words, monkeypatch):
    """P10: one line: what, why, what to do; nothing is changed by it."""
    monkeypatch.setenv("PXSHELL_QUEUE_LIMIT", text)
    with pytest.raises(UsageError) as caught:
        Cluster.start(1)
    assert str(caught.value) == words
    assert Cluster.list() == []


def test_a_request_keeps_no_more_text_than_the_limit_says():
    """P7, P2: what is over the limit is a notice."""
    request = Request("r1", RankSet.of(0), limit=70_000)
    for number in range(3):
        content = {"name": "stdout", "text": "x" * 39_999 + "\n"}
        request.take(Message.make("stream", f"m{number}", content, ranks=RankSet.of(0), parent="r1"))
    assert [message.type for message in request.messages] == ["stream", "px_cut"]
    assert request.messages[-1].data()["bytes"] == 80_000
