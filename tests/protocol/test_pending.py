"""It is always known which ranks have not answered which request."""

import pytest
from histories import said_whole, stream
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.message import Message
from pxshell.protocol.pending import Owed, PendingReplies, is_reply
from pxshell.protocol.types import TYPES, Direction
from pxshell.ranks import RankSet

FOUR = RankSet.span(0, 4)


def request(name="r", origin="client"):
    return Message.make("execute_request", name, origin=origin)


def reply(ranks, name="r", kind="execute_reply"):
    return said_whole(ranks, kind, "ok", parent=name)


@pytest.fixture
def pending():
    pending = PendingReplies()
    pending.alive = FOUR
    return pending


def test_replies_and_missing_are_last_words_and_nothing_else_is():
    """P3: every request that goes down has a reply that comes up."""
    last_words = {name for name in TYPES if is_reply(Message.make(name, "x")) and TYPES[name].direction is Direction.UP}
    requests = {name.removesuffix("_request") for name in TYPES if name.endswith("_request")}
    assert last_words - {"px_missing"} == {f"{name}_reply" for name in requests - {"input"}}
    assert not is_reply(stream(0, "a"))


def test_a_request_is_owed_by_the_living_until_they_answer(pending):
    pending.begin(request(), RankSet.span(2, 6))
    assert pending.expected("r") == RankSet.of(2, 3)
    assert not pending.answered(stream(2, "text", parent="r"))
    assert pending.expected("r") == RankSet.of(2, 3)
    assert not pending.answered(reply(2))
    assert pending.expected("r") == RankSet.of(3)
    assert pending.answered(reply(3, kind="px_missing")), "that was the last word"
    assert pending.expected("r") == FOUR, "what comes now is late, and anybody may say it"


def test_the_gone_owe_nothing_any_more_and_it_is_told_what_they_owed(pending):
    """P3: with the client that waits for it."""
    pending.begin(request("r", "one"), FOUR)
    pending.begin(request("q", "two"), RankSet.of(3))
    pending.begin(request("p", "one"), RankSet.of(0))
    assert pending.gone(RankSet.of(1, 3)) == [Owed("r", "one", RankSet.of(1, 3)), Owed("q", "two", RankSet.of(3))]
    assert pending.alive == RankSet.of(0, 2) == pending.expected("r") == pending.expected("q")
    assert pending.gone(RankSet.of(1, 3)) == []


def test_a_request_to_the_dead_is_not_begun(pending):
    pending.begin(request(), RankSet.of(7))
    assert pending.gone(RankSet.of(7)) == []


def test_a_request_may_be_begun_in_parts(pending):
    pending.begin(request(), RankSet.of(0))
    pending.begin(request(), RankSet.of(1))
    assert pending.expected("r") == RankSet.of(0, 1)


def test_a_reply_to_what_was_not_asked_is_no_matter(pending):
    assert not pending.answered(reply(0, "unknown"))
    assert pending.expected("unknown") == FOUR


steps = st.lists(
    st.tuples(st.sampled_from(["begin", "reply", "gone", "join"]), st.sampled_from("rq"), st.sets(st.integers(0, 5))),
    max_size=25,
)


@given(steps)
def test_every_living_target_is_owed_answered_or_given_up_exactly_once(steps):
    """P3: whatever the order of requests, answers and deaths; nothing of settled requests stays behind."""
    pending = PendingReplies()
    owing: dict[str, set[int]] = {"r": set(), "q": set()}
    alive: set[int] = set()
    for what, asked, ranks in steps:
        match what:
            case "join":
                pending.alive |= RankSet(ranks)
                alive |= ranks
            case "begin":
                pending.begin(request(asked), RankSet(ranks))
                owing[asked] |= ranks & alive
            case "reply":
                pending.answered(reply(ranks, asked))
                owing[asked] -= ranks
            case "gone":
                owed = {debt.request: set(debt.ranks) for debt in pending.gone(RankSet(ranks))}
                assert owed == {name: held & ranks for name, held in owing.items() if held & ranks}
                alive -= ranks
                owing = {name: held - ranks for name, held in owing.items()}
        for name, held in owing.items():
            assert set(pending.expected(name)) == (held or alive)
        assert set(pending._origins) == set(pending._owing) == {name for name, held in owing.items() if held}


def test_what_the_main_thread_of_a_rank_works_on_is_the_first_work_that_it_owes(pending):
    """P6: for a rank that cannot say it itself."""
    pending.begin(Message.make("px_stacks_request", "s"), FOUR)
    pending.begin(request("first"), RankSet.of(1))
    pending.begin(request("second"), FOUR)
    assert [pending.in_flight(rank) for rank in (0, 1)] == ["second", "first"]
    pending.answered(reply(1, "first"))
    assert pending.in_flight(1) == "second"
    pending.answered(reply(FOUR, "second"))
    assert pending.in_flight(1) == ""


def test_what_is_no_request_is_owed_nothing():
    """P3, P7: a debugger's bytes, comms and answers go down by the thousand, and nobody answers them."""
    pending = PendingReplies()
    pending.alive = RankSet.span(0, 2)
    pending.begin(Message.make("px_debug_data", "d1", {}, ranks=RankSet.span(0, 2)), RankSet.span(0, 2))
    assert pending.gone(RankSet.of(0)) == []
