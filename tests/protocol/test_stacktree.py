"""Stacks of many ranks are merged into one tree, in whatever order and grouping they come."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.fold import Folder
from pxshell.protocol.message import Message
from pxshell.protocol.stacks import LIMIT, NO_END, Frame, StackEnd, collapsed, looks_like_library, shortened
from pxshell.protocol.stacktree import Node, Stack, StackTree, Stop, merged_content, reply_of, tree_of
from pxshell.ranks import EMPTY, RankSet

FRAMES = st.builds(Frame, st.sampled_from(["a.py", "b.py"]), st.integers(1, 2), st.sampled_from(["f", "C.f", "g"]))
ENDS = st.sampled_from([NO_END, StackEnd("MPI", "Recv", "from 1"), StackEnd(note="idle", is_outside=True, still=2)])
REPLIES = st.one_of(
    st.builds(reply_of, st.lists(FRAMES, max_size=3), ENDS),
    st.builds(lambda why: {"status": "error", "why": why}, st.sampled_from(["", "it has gone"])),
)


def as_replies(contents):
    return [(RankSet.of(rank), content) for rank, content in enumerate(contents)]


def in_parts(replies, rng):
    """Merge some of the replies, then some of those, as nodes and a controller do."""
    replies = list(replies)
    rng.shuffle(replies)
    while len(replies) > 1 and rng.random() < 0.8:
        count = rng.randint(1, len(replies))
        some, replies = replies[:count], replies[count:]
        ranks = EMPTY
        for part, _ in some:
            ranks |= part
        replies.append((ranks, merged_content(some)))
    return replies


@given(st.lists(REPLIES, max_size=8), st.randoms(use_true_random=False))
def test_the_tree_does_not_depend_on_who_merged_what_on_the_way(contents, rng: Random):
    """P4: folding what was folded gives what folding once would."""
    replies = as_replies(contents)
    assert tree_of(in_parts(replies, rng)) == tree_of(replies)


@given(st.lists(REPLIES, max_size=8))
def test_every_rank_is_in_the_tree_once(contents):
    """P3: answered or with a reason; P4: its frames and what it does are those that it told."""
    replies = as_replies(contents)
    tree = tree_of(replies)
    found = {rank: (stack.frames, stack.end) for stack in tree.stacks() for rank in stack.ranks}
    failed = {rank: why for ranks, why in tree.failed for rank in ranks}
    assert sum(len(stack.ranks) for stack in tree.stacks()) + sum(len(ranks) for ranks, _ in tree.failed) == len(
        replies
    )
    assert set(found) == set(tree.ranks)
    for rank, content in enumerate(contents):
        if content["status"] == "error":
            assert failed[rank] == (content["why"] or "its answer cannot be read")
            continue
        frames, end = found[rank]
        assert [(one.file, one.line, one.function.rpartition(".")[2]) for one in frames] == [
            (file, line, function.rpartition(".")[2]) for file, line, function, _ in content["entries"]
        ]
        assert end == (StackEnd(*content["end"]) if "end" in content else NO_END)


@given(st.lists(REPLIES, min_size=1, max_size=8))
def test_nodes_hold_the_ranks_of_their_branches_the_most_first(contents):
    def check(branches):
        sizes = [len(branch.ranks) for branch in branches]
        assert sizes == sorted(sizes, reverse=True)
        for branch in branches:
            if isinstance(branch, Node):
                below = EMPTY
                for one in branch.branches:
                    assert not below & one.ranks
                    below |= one.ranks
                assert below == branch.ranks
                check(branch.branches)

    check(tree_of(as_replies(contents)).branches)


def test_a_rank_that_is_told_twice_counts_once():
    """The node has answered for it, and then it answers itself."""
    first, second = Stack(RankSet.of(0, 1), (Frame("a", 1, "f"),), NO_END), Stack(RankSet.of(1, 2), (), NO_END)
    tree = StackTree.of([first, second, first], [(RankSet.of(2, 3), "gone"), (RankSet.of(3), "late")])
    assert [(str(stack.ranks), len(stack.frames)) for stack in tree.stacks()] == [("0-1", 1), ("2", 0)]
    assert tree.failed == ((RankSet.of(3), "gone"),)


def test_a_function_is_one_whether_its_name_is_qualified_or_not():
    """From outside only the bare name is known; the fuller one is shown."""
    plain, full = Frame("a", 1, "f", is_user=False), Frame("a", 1, "C.f")
    tree = StackTree.of([Stack(RankSet.of(0), (plain,), NO_END), Stack(RankSet.of(1), (full,), NO_END)])
    assert tree.branches == (Node(full, RankSet.of(0, 1), (Stop(RankSet.of(0, 1), NO_END),)),)


def test_ends_can_be_changed_and_equal_ones_become_one():
    stacks = [Stack(RankSet.of(rank), (), StackEnd(still=rank)) for rank in range(2)]
    tree = StackTree.of(stacks, [(RankSet.of(7), "gone")]).with_ends(lambda _: NO_END)
    assert tree == StackTree((Stop(RankSet.of(0, 1), NO_END),), ((RankSet.of(7), "gone"),))


@pytest.mark.parametrize(
    "content",
    [
        {"status": "ok", "entries": [["a", "x", "f", True]]},
        {"status": "ok", "stacks": [[RankSet.of(0).to_wire(), 1, [], None]]},
        {"status": "ok", "stacks": [[b"\xff", 0, [], None]]},
        {"status": 7},
    ],
)
def test_what_cannot_be_read_is_a_reason_and_no_exception(content):
    """P3: a rank that says nonsense does not end the relay that reads it."""
    assert tree_of([(RankSet.of(0), content)]).failed == ((RankSet.of(0), "its answer cannot be read"),)


def reply(rank, content, **fields):
    body = content if isinstance(content, bytes) else reply_of(*content)
    return Message.make("px_stacks_reply", f"e{rank}", body, ranks=RankSet.of(rank), parent="q", **fields)


def test_a_relay_makes_one_message_of_the_replies_to_one_question():
    """P7: whatever each rank says, so that 1,000 different stacks are one message."""
    folder = Folder()
    ends = [StackEnd("MPI", "Recv", f"from {rank}") for rank in range(4)]
    for rank, end in enumerate(ends):
        folder.add(reply(rank, ([Frame("a", 1, "f")], end)))
    (message,) = folder.take_complete(lambda _: RankSet.span(0, 4))
    assert (str(message.ranks), message.parent, message.header.digest) == ("0-3", "q", b"")
    assert [stack.end for stack in tree_of([(message.ranks, message.data())]).stacks()] == ends


def test_a_relay_leaves_a_single_reply_as_it_is_and_keeps_epochs_apart():
    folder = Folder()
    single, other = reply(0, ([], NO_END)), reply(1, ([], NO_END), epoch=1)
    folder.add(single)
    folder.add(other)
    assert folder.take() == [single, other]


def test_a_relay_survives_content_that_is_none():
    folder = Folder()
    folder.add(reply(0, ([], NO_END)))
    folder.add(reply(1, b"\xc1"))
    (message,) = folder.take()
    assert tree_of([(message.ranks, message.data())]).failed == ((RankSet.of(1), "its answer cannot be read"),)


# Which frames are shown.


def frames(text):
    """Make a stack of `u` for a user frame and `l` for a library's."""
    return [Frame(f"{number}.py", 1, letter, letter == "u") for number, letter in enumerate(text)]


@pytest.mark.parametrize(
    ("whole", "shown"), [("", ""), ("lll", "lll"), ("lluu", "uu"), ("lulllulll", "ulul"), ("ulu", "ulu")]
)
def test_of_library_frames_the_one_that_was_called_is_shown(whole, shown):
    assert "".join(frame.function for frame in collapsed(frames(whole))) == shown


@given(st.integers(0, 3 * LIMIT))
def test_of_a_very_deep_stack_both_ends_are_shown_and_how_much_is_not(depth):
    """P7: bounded, and said."""
    whole = [Frame("a", number, "f") for number in range(depth)]
    shown = shortened(whole)
    assert len(shown) == min(depth, LIMIT)
    if depth > LIMIT:
        (cut,) = [frame for frame in shown if not frame.file]
        assert cut.function == f"… {depth - LIMIT + 1} frames"
        assert (shown[0], shown[-1]) == (whole[0], whole[-1])


@pytest.mark.parametrize(
    ("file", "is_library"),
    [
        ("/usr/lib/python3.11/threading.py", True),
        ("/home/me/.venv/lib/python3.12/site-packages/numpy/core.py", True),
        ("/usr/lib/libmpi.so.12", True),
        ("<frozen runpy>", True),
        ("", True),
        ("/home/me/sim.py", False),
        ("<cell 4>", False),
    ],
)
def test_a_library_is_known_by_its_path(file, is_library):
    assert looks_like_library(file) is is_library


@pytest.mark.parametrize(
    ("end", "text", "waiting"),
    [
        (NO_END, "", ""),
        (StackEnd("MPI", "Allreduce", is_collective=True), "in MPI Allreduce", "in Allreduce"),
        (StackEnd("MPI", "Recv", "from 1"), "in MPI Recv from 1", "in Recv from 1"),
        (StackEnd("MPI", "Recv", note="holds the GIL"), "in MPI Recv; holds the GIL", "in Recv"),
        (StackEnd(note="stopped by a signal", is_outside=True), "stopped by a signal (read from outside)", ""),
        (StackEnd(is_outside=True), "(read from outside)", ""),
    ],
)
def test_what_a_stack_ends_in_is_said_in_words(end, text, waiting):
    assert (end.text, end.waiting) == (text, waiting)
