"""Stacks of many ranks as one tree, in text and in JSON."""

import json

import pytest

from pxshell.protocol.stacks import NO_END, Frame, StackEnd
from pxshell.protocol.stacktree import Stack, StackTree
from pxshell.ranks import RankSet
from pxshell.render import Stacks, to_ansi, to_json, to_plain
from pxshell.render.branching import branches_of
from pxshell.render.odd_stacks import odd_ranks
from pxshell.render.stackdrawing import places_of

ALLREDUCE = StackEnd("MPI", "Allreduce", is_collective=True)
MODULE = Frame("/home/me/sim.py", 31, "<module>")
STEP = Frame("/home/me/sim.py", 12, "step")


def ranks(text):
    return RankSet.parse_folded(text)


def drawn(*stacks, failed=(), values=(), columns=80):
    tree = StackTree.of(
        [Stack(ranks(who), tuple(frames), end) for who, frames, end in stacks],
        [(ranks(who), why) for who, why in failed],
    )
    groups = branches_of(tree)
    letters = tuple("abcdefghijklmnopqrstuvwxyz"[: len(groups)]) + ("",) * (len(groups) - 26)
    event = Stacks(tree, letters, odd_ranks(tree), values)
    return event, to_plain(event, ranks("0-3"), columns), dict(zip(letters, map(str, groups), strict=True))


def test_a_fork_shows_its_branches_with_letters_the_largest_first():
    """P4: an odd rank stands out."""
    _, text, letters = drawn(
        ("3", [MODULE, Frame("/home/me/sim.py", 20, "fetch")], StackEnd("MPI", "Recv", "from 1")),
        ("0-2", [MODULE, STEP], ALLREDUCE),
    )
    assert text == (
        "<module>  sim.py:31   [0-3]\n"
        "├─ @a [0-2]  step   sim.py:12   in MPI Allreduce\n"
        "└─ @b [3]    fetch  sim.py:20   in MPI Recv from 1        ◀ differs\n"
    )
    assert letters == {"a": "0-2", "b": "3"}


def test_forks_within_branches_have_letters_in_the_order_of_the_lines():
    other = Frame("/home/me/other.py", 5, "inner")
    _, text, letters = drawn(
        ("0-3", [MODULE, STEP, other], ALLREDUCE),
        ("4-5", [MODULE, STEP, other._replace(line=9, function="innermost")], NO_END),
        ("6", [MODULE, STEP._replace(line=14), other], StackEnd(note="holds the GIL", is_outside=True)),
        values=[("step", ((ranks("0-4"), "41"), (ranks("5"), "42")))],
    )
    assert text == (
        "<module>  sim.py:31   [0-6]\n"
        "├─ @a [0-5]  step   sim.py:12\n"
        "│  ├─ @b [0-3]  inner      other.py:5   in MPI Allreduce\n"
        "│  │      step = 41\n"
        "│  └─ @c [4-5]  innermost  other.py:9                     ◀ differs\n"
        "│         step = 41 [4], 42 [5]\n"
        "└─ @d [6]    step   sim.py:14\n"
        "             inner  other.py:5   holds the GIL (read from outside)  ◀ differs\n"
    )
    assert letters == {"a": "0-5", "b": "0-3", "c": "4-5", "d": "6"}


def test_ranks_without_a_place_and_ranks_without_an_answer_have_lines_too():
    """P3: everyone accounted for."""
    _, text, _ = drawn(
        ("0-2", [MODULE, STEP], ALLREDUCE), ("3", [], StackEnd(note="idle")), failed=[("4", "it has ended")]
    )
    assert text == (
        "@a [0-2]  <module>  sim.py:31\n"
        "          step      sim.py:12   in MPI Allreduce\n"
        "@b [3]    idle                                            ◀ differs\n"
        "[4]    no stack: it has ended\n"
    )


def test_one_place_of_all_ranks_needs_no_letter():
    _, text, letters = drawn(("0-3", [MODULE, STEP], ALLREDUCE))
    assert text == "<module>  sim.py:31   [0-3]\nstep      sim.py:12   in MPI Allreduce\n"
    assert letters == {}
    assert drawn(("0-3", [], StackEnd(note="idle")))[1] == "[0-3]  idle\n"
    assert drawn()[1] == ""


def test_what_ranks_do_at_one_frame_may_differ():
    _, text, _ = drawn(*((str(rank), [MODULE], StackEnd("MPI", "Recv", f"from {rank + 1}")) for rank in range(2)))
    assert text == ("<module>  sim.py:31   [0-1]\n├─ @a [0]  in MPI Recv from 1\n└─ @b [1]  in MPI Recv from 2\n")


def test_of_many_branches_the_largest_are_shown_and_the_rest_is_named():
    """P4: no rank is hidden."""
    _, text, letters = drawn(*((str(rank), [MODULE._replace(line=rank + 1)], NO_END) for rank in range(30)))
    assert text.splitlines()[-1] == "… 22 more branches on 8-29.  Of some: -t RANKS"
    assert (len(text.splitlines()), len(letters)) == (9, 8)
    forked = drawn(*((str(rank), [MODULE, STEP._replace(line=rank + 1)], NO_END) for rank in range(30)))[1]
    assert forked.splitlines()[-1] == "└─ … 22 more branches on 8-29.  Of some: -t RANKS"


def test_a_ring_in_which_each_waits_for_another_rank_is_one_branch():
    """A thousand ranks that each wait for their neighbour are one kind of hang, and the one elsewhere stands out."""
    ring = [(str(rank), [MODULE], StackEnd("MPI", "Recv", f"from {(rank + 1) % 999}")) for rank in range(999)]
    _, text, letters = drawn(*ring, ("999", [MODULE], ALLREDUCE))
    assert text == (
        "<module>  sim.py:31   [0-999]\n"
        "├─ @a [0-998]  in MPI Recv from …, 999 different ones\n"
        "└─ @b [999]    in MPI Allreduce                           ◀ differs\n"
    )
    assert letters == {"a": "0-998", "b": "999"}
    few = [(str(rank), [MODULE], StackEnd("MPI", "Recv", f"from {rank + 5}")) for rank in range(3)]
    assert drawn(*few, ("3", [MODULE], ALLREDUCE))[1].splitlines()[-1] == (
        "└─ @d [3]  in MPI Allreduce                               ◀ differs"
    )


def test_many_values_of_a_local_are_cut_with_notice():
    values = [("x", tuple((RankSet.of(rank), str(rank)) for rank in range(6)))]
    _, text, _ = drawn(("0-5", [MODULE], NO_END), values=values)
    assert text.splitlines()[1] == "    x = 0 [0], 1 [1], 2 [2], 3 [3], … 2 more values"


def test_a_stack_with_its_middle_left_out_says_so():
    cut = Frame("", 0, "… 800 frames", is_user=False)
    assert drawn(("0", [MODULE, cut, STEP], NO_END))[1].splitlines()[1] == "… 800 frames"


@pytest.mark.parametrize(
    ("files", "shown"),
    [
        (["/a/b/sim.py", "/a/c/solve.py"], ["sim.py", "solve.py"]),
        (["/a/b/sim.py", "/a/c/sim.py"], ["b/sim.py", "c/sim.py"]),
        (["/a/x/sim.py", "/b/x/sim.py", "<cell 4>"], ["a/x/sim.py", "b/x/sim.py", "<cell 4>"]),
        (["/sim.py", "sim.py"], ["//sim.py", "sim.py"]),
    ],
)
def test_files_of_one_name_are_told_apart_by_their_folders(files, shown):
    tree = StackTree.of([Stack(ranks("0"), tuple(Frame(file, 1, "f") for file in files), NO_END)])
    assert [places_of(tree)[file] for file in files] == shown


def test_colours_mark_what_the_text_marks():
    event, _, _ = drawn(("0-2", [MODULE, STEP], ALLREDUCE), ("3", [MODULE], NO_END))
    assert "\x1b[33m◀ differs\x1b[0m" in to_ansi(event, ranks("0-3"))


def test_json_has_an_object_for_each_class_of_ranks_and_for_those_without_a_stack():
    event, _, _ = drawn(
        ("0-2", [MODULE, STEP], ALLREDUCE),
        ("3", [MODULE], NO_END),
        failed=[("4", "it has ended")],
        values=[("step", ((ranks("3"), "7"),))],
    )
    first, second, third = (json.loads(line) for line in to_json(event).splitlines())
    assert first == {
        "ranks": "0-2",
        "type": "px_stacks",
        "text": "<module> /home/me/sim.py:31 > step /home/me/sim.py:12 > in MPI Allreduce",
        "letter": "a",
        "odd": False,
        "frames": [["/home/me/sim.py", 31, "<module>"], ["/home/me/sim.py", 12, "step"]],
        "waits": "in MPI Allreduce",
    }
    assert (second["odd"], second["letter"], second["values"]) == (True, "b", {"step": {"3": "7"}})
    assert third == {"ranks": "4", "type": "px_missing", "text": "it has ended"}
