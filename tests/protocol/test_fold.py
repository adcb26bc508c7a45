"""Folding on the way keeps each rank's own order, loses nothing, and joins only what is equal."""

from bisect import bisect_right
from random import Random

import pytest
from histories import as_read, as_shown, interleaved, said_whole, spoken, stream, through_the_tree
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.fold import Folder
from pxshell.protocol.items import Item, messages_of, parts_of
from pxshell.protocol.message import Message
from pxshell.ranks import RankSet

EVERYBODY = RankSet.span(0, 3)
rngs = st.randoms(use_true_random=False)


def folded(*messages):
    folder = Folder()
    for message in messages:
        folder.add(message)
    return [(str(message.ranks), message.data().get("text", message.type)) for message in folder.take()]


@given(spoken(), rngs)
def test_each_rank_is_read_as_it_spoke_whatever_nodes_and_controller_fold(histories, rng: Random):
    """P1, P2, P4: every rank's text and messages, in its order, each once, through folders that flush at any moment."""
    messages = interleaved(histories, rng)
    assert as_read(through_the_tree(messages, rng)) == as_read(messages)


@given(spoken(), rngs)
def test_a_folder_does_what_its_description_says(histories, rng: Random):
    """P1, P4: the same items as a plain search through the waiting line gives."""
    messages = interleaved(histories, rng)
    folder, waiting = Folder(), []
    for message in messages:
        folder.add(message)
        for key, text in parts_of(message):
            behind = max((at for at, held in enumerate(waiting) if message.ranks <= held.ranks), default=-1)
            equal = [held for held in waiting[behind + 1 :] if held.key == key and key is not None]
            if equal:
                equal[0].ranks |= message.ranks
            else:
                waiting.append(Item(key, message, message.ranks, text))
        assert len(folder) == len(waiting)
    assert as_shown(folder.take()) == as_shown(messages_of(waiting))
    assert (len(folder), folder.size) == (0, 0)


def test_equal_lines_of_all_ranks_become_one_message():
    assert folded(*[stream(rank, "a\nb\n") for rank in range(4)]) == [("0-3", "a\nb\n")]


def test_a_line_said_twice_joins_twice_in_order():
    """P2: a rank that says a line twice is shown to have said it twice."""
    assert folded(stream(0, "a\na\n"), stream(1, "a\n"), stream(1, "a\n")) == [("0-1", "a\na\n")]


def test_nothing_joins_what_stands_before_something_that_its_rank_said():
    """P1: rank 1 said a after b."""
    assert folded(stream(0, "a\n"), stream(1, "b\n"), stream(1, "a\n")) == [("0", "a\n"), ("1", "b\na\n")]


def test_a_rank_joins_far_behind_what_is_not_its_own():
    assert folded(stream(0, "a\nx\nb\n"), stream(1, "a\nb\n")) == [("0-1", "a\n"), ("0", "x\n"), ("0-1", "b\n")]


@pytest.mark.parametrize(
    "other",
    [
        stream(1, "a\n", "stderr"),
        stream(1, "a\n", parent="another"),
        stream(1, "a\n", origin="client"),
        stream(1, "a\n", epoch=1),
        stream(1, "a\n", late=True),
        stream(1, "a\n", key="display"),
        stream(1, "a"),
    ],
)
def test_text_of_another_stream_cell_client_process_or_time_does_not_join(other):
    """P4: only equal contents of equal scope fold."""
    assert len(folded(stream(0, "a\n"), other)) == 2


def test_a_success_and_an_error_do_not_join():
    """P4: replies fold by their digest, which is of their whole content."""
    replies = [
        Message.make("execute_reply", f"{n}", {"status": s}, ranks=RankSet.of(n)) for n, s in enumerate(["ok", "error"])
    ]
    assert len(folded(*replies)) == 2
    assert folded(said_whole(0, "execute_reply", "ok"), said_whole(1, "execute_reply", "ok")) == [
        ("0-1", "execute_reply")
    ]


def test_what_never_folds_stays_alone_even_with_equal_ids_and_contents():
    """P2: notices of two outlets, or of nobody, are two."""
    cuts = [Message.make("px_cut", "cut-1", {"bytes": 1}, ranks=RankSet.of(rank)) for rank in (0, 1, 1)]
    assert [ranks for ranks, _ in folded(*cuts)] == ["0", "1", "1"]
    about_nobody = said_whole((), "display_data", "x")
    assert folded(about_nobody, about_nobody, stream((), "text\n")) == [("", "display_data")] * 2 + [("", "text\n")]


def test_an_empty_text_leaves_no_trace():
    assert folded(stream(0, "a\n"), stream(0, ""), stream(1, "a\n")) == [("0-1", "a\n")]


def test_sets_of_ranks_fold_with_parts_of_them():
    """P1: as at a controller, whose nodes fold first."""
    messages = [stream(range(4), "a\n"), stream((1, 3), "b\n"), stream((0, 2), "c\nb\n"), stream(range(4, 8), "a\nb\n")]
    assert folded(*messages) == [("0-7", "a\n"), ("1,3-7", "b\n"), ("0,2", "c\nb\n")]


def complete(folder, expected=EVERYBODY):
    folder.recheck()
    return [(str(m.ranks), m.data().get("text", m.type)) for m in folder.take_complete(lambda _: expected)]


def test_an_item_is_complete_when_all_have_said_it_or_passed_it():
    folder = Folder()
    folder.add(stream(0, "a\nb\n"))
    assert complete(folder) == []
    folder.add(stream(1, "b\n"))
    folder.add(stream(2, "a\n"))
    assert complete(folder) == [("0,2", "a\n")]
    folder.add(stream(2, "c\n"))
    assert complete(folder) == [("0-1", "b\n")]
    assert complete(folder, RankSet.of(2)) == [("2", "c\n")]
    assert complete(folder) == [] and len(folder) == 0


def test_an_item_is_complete_when_those_who_have_not_said_it_are_gone():
    """P3: nothing waits for the dead."""
    folder = Folder()
    folder.add(stream(0, "a\n"))
    assert complete(folder) == []
    assert complete(folder, RankSet.of(0)) == [("0", "a\n")]


def test_who_is_awaited_is_asked_for_again_only_after_a_word_or_a_recheck():
    """P3: a folder of 128,000 ranks does not look at all of them for each message."""
    asked = []

    def expected(_parent):
        asked.append(1)
        return EVERYBODY

    folder = Folder()
    folder.add(stream(0, "a\n"))
    assert folder.take_complete(expected) == []
    folder.add(stream(1, "a\n"))
    assert folder.take_complete(expected) == []
    assert len(asked) == 1
    folder.add(stream(2, "a\n"))
    assert [str(message.ranks) for message in folder.take_complete(expected)] == ["0-2"]
    folder.add(stream(0, "b\n"))
    assert folder.take_complete(expected) == []
    folder.recheck()
    assert [str(message.ranks) for message in folder.take_complete(lambda _: RankSet.of(0))] == ["0"]


def test_what_nobody_can_join_is_complete_at_once():
    folder = Folder()
    folder.add(said_whole(0, "input_request", "name?"))
    assert complete(folder) == [("0", "input_request")]


def test_who_has_said_the_next_item_too_has_passed_it_when_it_comes_first():
    """P3: complete items leave at once, not at the end of a window."""
    folder = Folder()
    folder.add(stream(0, "a\nb\n"))
    folder.add(stream(1, "a\n"))
    folder.add(stream(1, "c\n"))
    folder.add(stream(2, "a\n"))
    assert complete(folder) == [("0-2", "a\n")]
    folder.add(stream(2, "b\n"))
    assert complete(folder) == [("0,2", "b\n")]


def test_after_a_flush_nobody_has_passed_anything():
    """P4: what folds does not depend on what was flushed long ago."""
    folder = Folder()
    folder.add(stream(1, "a\nb\n"))
    folder.add(stream(2, "c\n"))
    folder.take()
    folder.add(stream(0, "d\n"))
    assert complete(folder) == []
    folder.add(stream((1, 2), "d\n"))
    assert complete(folder) == [("0-2", "d\n")]


def test_who_goes_on_from_an_item_does_not_stay_among_its_last():
    """P3: rank 1 said d after b, so c waits for it no more."""
    folder = Folder()
    for rank, text in ((0, "a\n"), (1, "a\n"), (1, "b\n"), (0, "c\n"), (1, "d\n")):
        folder.add(stream(rank, text))
    assert complete(folder, RankSet.of(0, 1)) == [("0-1", "a\n"), ("1", "b\n"), ("0", "c\n")]


def test_taken_items_are_joined_no_more():
    """P1: also when most of many equal ones have gone."""
    folder = Folder()
    folder.add(stream(0, "a\n" * 6))
    for count in range(1, 7):
        folder.add(stream((1, 2), "a\n"))
        assert complete(folder) == [("0-2", "a\n")]
        assert len(folder) == 6 - count
    folder.add(stream(1, "a\n"))
    assert complete(folder) == [] and len(folder) == 1


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.booleans()), max_size=30))
def test_the_size_is_that_of_what_waits(steps):
    """P7: what a relay keeps is known exactly."""
    folder = Folder()
    for rank, text, take in steps:
        folder.add(stream(rank, f"{text}\n"))
        if take:
            folder.take_complete(lambda _: RankSet.of(0))
        assert folder.size == sum(item.size for item in folder._items.values())
        assert all(bisect_right(numbers, folder._base - 1) * 2 <= len(numbers) for numbers in folder._by_key.values())


def test_work_is_linear_in_what_is_said(steps_of):
    """P7: a rank that catches up line by line through a long queue does not search it."""

    def run(lines: int, ranks: int):
        messages = [stream(rank, f"line {n}\n") for rank in range(ranks) for n in range(lines)]
        return steps_of(lambda: folded(*messages)) / len(messages)

    assert run(400, 8) < 1.2 * run(50, 8)
    assert run(50, 64) < 1.2 * run(50, 8)
