"""Tests of which ranks of a stack tree stand out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.stacks import Frame, StackEnd
from pxshell.protocol.stacktree import Stack, StackTree
from pxshell.ranks import RankSet
from pxshell.render.odd_stacks import odd_ranks


def tree_of(*classes):
    """Make a tree of (ranks, line, call, detail)."""
    stacks = []
    for text, line, *end in classes:
        call, detail = (*end, "", "")[:2]
        frames = (Frame("/home/me/sim.py", line, "main"),)
        stacks.append(Stack(RankSet.parse_folded(text), frames, StackEnd("MPI" if call else "", call, detail)))
    return StackTree.of(stacks)


@pytest.mark.parametrize(
    ("classes", "odd"),
    [
        ([], ""),
        ([("0-3", 1)], ""),
        ([("0-2", 1), ("3", 2)], "3"),
        # A ring in which each waits for another rank, and one that does not.
        ([("0", 1, "Recv", "from 3"), ("1", 1, "Recv", "from 0"), ("2", 1, "Recv", "from 1"), ("3", 2)], "3"),
        # The others wait in several places.
        ([("0-1", 1, "Allreduce"), ("2", 2, "Recv", "from 3"), ("3", 3)], "3"),
        ([("0-6", 1, "Allreduce"), ("7-13", 2, "Barrier"), ("14-15", 3)], "14-15"),
        # All wait, or none does: the few that are far fewer.
        ([("0-6", 1, "Allreduce"), ("7-14", 2, "Barrier"), ("15", 3, "Recv", "from 2")], "15"),
        ([("0-9", 1), ("10-19", 2), ("20-22", 3), ("23", 4)], "20-23"),
        ([("0-49", 1), ("50-89", 2), ("90-109", 3), ("110", 4)], "110"),
        ([("0-1", 1), ("2-3", 2), ("4", 3)], "4"),
        # Nobody stands out.
        ([("0", 1), ("1", 2), ("2", 3), ("3", 4)], ""),
        ([("0-1", 1), ("2", 2), ("3", 3)], ""),
        ([("0-1", 1), ("2-3", 2)], ""),
        ([("0-3", 1), ("4-6", 2), ("7-8", 3), ("9", 4), ("10", 5)], ""),
    ],
)  # fmt: skip
def test_an_odd_rank_is_found_where_there_is_one(classes, odd):
    """P4: an odd rank is never hidden, and none is made up where all differ."""
    assert str(odd_ranks(tree_of(*classes))) == odd


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40))
def test_those_that_stand_out_are_fewer_than_the_others(places):
    """P4: and whole classes of equal stacks, so that no class is torn."""
    stacks = [
        Stack(RankSet.of(rank), (Frame("f.py", line, "f"),), StackEnd("MPI", "Barrier") if waits else StackEnd())
        for rank, (line, waits) in enumerate(places)
    ]
    tree = StackTree.of(stacks)
    odd = odd_ranks(tree)
    assert 2 * len(odd) < len(tree.ranks) or not odd
    assert all(stack.ranks <= odd or not stack.ranks & odd for stack in tree.stacks())
