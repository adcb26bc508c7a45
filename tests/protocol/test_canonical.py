"""The fold of a finished cell depends on what each rank said, and on nothing else."""

from random import Random

from histories import as_read, as_shown, interleaved, said_whole, spoken, stream, through_the_tree
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.canonical import canonical
from pxshell.protocol.fold import Folder
from pxshell.protocol.message import Message
from pxshell.ranks import RankSet

rngs = st.randoms(use_true_random=False)


def shown(*messages):
    return [(str(m.ranks), m.data().get("text", m.data().get("what", m.type))) for m in canonical(messages)]


@given(spoken(), rngs)
def test_it_is_the_same_whatever_the_timing_and_whoever_folded_before(histories, rng: Random):
    """P4: canonical(folded) == canonical(raw) == canonical(canonical(raw))."""
    messages = interleaved(histories, rng)
    once = canonical(messages)
    assert as_shown(canonical(interleaved(histories, rng))) == as_shown(once)
    assert as_shown(canonical(through_the_tree(messages, rng))) == as_shown(once)
    assert as_shown(canonical(once)) == as_shown(once)


@given(spoken(), rngs)
def test_each_rank_is_read_as_it_spoke(histories, rng: Random):
    """P1, P2: order and completeness of each rank."""
    messages = interleaved(histories, rng)
    assert as_read(canonical(messages)) == as_read(messages)


@given(
    st.lists(
        st.tuples(
            st.sets(st.integers(0, 4), min_size=1),
            st.sampled_from(["a\n", "b\n", "a", "px_cut", "display_data", "comm_msg"]),
        ),
        max_size=15,
    ),
    rngs,
)
def test_messages_of_several_ranks_stay_whole(said, rng: Random):
    """P2: a notice of several ranks is shown once, whatever is between; each rank's order holds."""
    messages = [
        said_whole(ranks, what, "x", id=f"{n}") if "_" in what else stream(ranks, what, id=f"{n}")
        for n, (ranks, what) in enumerate(said)
    ]
    once = canonical(messages)
    assert as_read(once) == as_read(messages)
    assert as_shown(canonical(once)) == as_shown(once)
    folder = Folder()
    for message in messages:
        folder.add(message)
    assert as_shown(canonical(folder.take())) == as_shown(once)
    whole = {message.id: message for message in messages if message.type in {"px_cut", "comm_msg"}}
    assert {message.id: message for message in once if message.type in {"px_cut", "comm_msg"}} == whole
    assert sum(message.type in {"px_cut", "comm_msg"} for message in once) == len(whole)


def test_lines_cut_anywhere_are_whole_again():
    """P4: what each rank said counts, not how it was split."""
    pieces = [stream(0, "on"), stream(0, "e\ntw"), stream(1, "one\n"), stream(0, "o\n"), stream(1, "two\n")]
    assert shown(*pieces) == [("0-1", "one\ntwo\n")]


def test_the_one_that_fewest_say_later_goes_first():
    """P4: a line that one rank lacks does not tear the others apart."""
    assert shown(stream(0, "a\nb\nc\n"), stream(1, "b\nc\n"), stream(2, "a\nb\nc\n")) == [
        ("0,2", "a\n"),
        ("0-2", "b\nc\n"),
    ]


def test_ranks_count_not_groups_of_them():
    """P4: ten that said the one first outweigh two groups of one that said the other first."""
    many = [stream(rank, "a\nb\n") for rank in range(10)]
    few = [stream(10, "b\na\n"), stream(11, "b\na\nx\n")]
    assert shown(*many, *few) == [("0-9", "a\n"), ("0-11", "b\n"), ("10-11", "a\n"), ("11", "x\n")]


def test_of_equal_claims_the_larger_group_goes_first_then_the_lowest_rank():
    assert shown(stream(0, "a\n"), stream(1, "b\n"), stream(2, "b\n")) == [("1-2", "b\n"), ("0", "a\n")]
    assert shown(stream(1, "b\n"), stream(0, "a\n")) == [("0", "a\n"), ("1", "b\n")]


def test_an_odd_rank_is_never_hidden():
    """P4: 99 equal answers and one other are two."""
    said = [said_whole(rank, "execute_reply", "ok" if rank != 42 else "error") for rank in range(100)]
    assert shown(*said) == [("0-41,43-99", "ok"), ("42", "error")]


def test_what_nobody_said_is_kept():
    """P2: a notice without ranks is about all, and two equal ones are two."""
    notice = Message.make("px_notice", "n", {"text": "look"})
    assert shown(notice, stream(0, "a\n"), notice) == [("0", "a\n"), ("", "look"), ("", "look")]


def test_the_same_message_twice_is_shown_twice():
    """P2: whoever sent it twice meant it."""
    message = said_whole((0, 1), "comm_msg", "x")
    assert shown(message, stream(1, "a\n"), message) == [("0-1", "x"), ("1", "a\n"), ("0-1", "x")]


def test_nothing_said_is_nothing():
    assert canonical([]) == []
    assert canonical([stream(0, "")]) == []


def test_many_different_ranks_that_say_one_thing_together_are_united():
    said = [message for rank in range(70) for message in (stream(rank, f"{rank}\n"), stream(rank, "done\n"))]
    assert shown(*said)[-1] == ("0-69", "done\n")
    assert len(shown(*said)) == 71


def test_ranks_that_said_nothing_are_in_no_set():
    assert shown(stream(5, "a\n"), stream((5, 9), "b\n")) == [("5", "a\n"), ("5,9", "b\n")]
    assert canonical([stream(5, "a\n")])[0].ranks == RankSet.of(5)


def test_work_is_linear_in_the_number_of_ranks(steps_of):
    """P7: all ranks different, then all the same, costs the same for each of many as for each of few."""

    def run(ranks: int) -> float:
        said = [stream(rank, text) for text in ("{}\n", "done\n", "{} again\n") for rank in range(ranks)]
        said = [m if "{" not in m.data()["text"] else stream(m.ranks, m.data()["text"].format(m.ranks)) for m in said]
        return steps_of(lambda: canonical(said)) / ranks

    assert run(800) < 1.2 * run(100)
