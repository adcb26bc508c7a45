"""Tests of pxshell.render: the rules of how answers look, in plain text, with colours, and as JSON."""

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.ranks import EMPTY, RankSet
from pxshell.render import (
    Answer,
    CellAnswers,
    Cut,
    Failure,
    Listing,
    Missing,
    Notice,
    Progress,
    Refusal,
    Stand,
    Stands,
    States,
    Text,
    renderer_for,
    to_ansi,
    to_json,
    to_plain,
)
from pxshell.render.ansi import rank_colour
from pxshell.render.grouping import odd_of, unfolded
from pxshell.render.layout import bytes_text, progress_text
from pxshell.render.numbers import number_in
from pxshell.render.widths import width_of

WORLD = RankSet.span(0, 4)


def ranks(text):
    return RankSet.parse_folded(text)


def answer(who, text, order=0):
    return Answer(ranks(who), {"text/plain": text}, order=order)


def cell(*answers, **more):
    return CellAnswers(4, answers, **more)


def plain(event, world=WORLD, columns=80):
    return to_plain(event, world, columns)


def test_one_answer_of_all_stands_beside_its_ranks():
    assert plain(cell(answer("0-3", "6"))) == "[0-3]  6\n"


def test_a_longer_answer_stands_under_a_header():
    assert plain(cell(answer("0-3", "array([[1],\n       [2]])"))) == "[0-3]\narray([[1],\n       [2]])\n"


def test_a_line_too_wide_for_the_screen_stands_under_a_header():
    assert plain(cell(answer("0-3", "x" * 35)), columns=40) == f"[0-3]\n{'x' * 35}\n"


def test_the_majority_comes_first_and_who_differs_is_marked():
    """P4: an odd rank is never hidden."""
    lines = plain(cell(answer("0", "1"), answer("1-3", "2"))).splitlines()
    assert lines == ["[1-3]  2", "[0]    1" + " " * 50 + "◀ differs"]


def test_nothing_is_marked_when_no_group_holds_more_than_half():
    assert "◀" not in plain(cell(answer("0-1", "1"), answer("2-3", "2")))


def test_ranks_without_an_answer_count_for_the_majority():
    assert "◀ differs" in plain(cell(answer("0", "1"), silent=ranks("1-3")))


def test_success_differs_when_most_have_failed():
    shown = plain(cell(answer("3", "1"), failures=(Failure(ranks("0-2"), "KeyError", "'a'"),)))
    assert shown.splitlines()[0].endswith("◀ differs")
    assert shown.splitlines()[1].endswith("◀ failed")


def test_failures_refusals_and_missing_ranks_come_last():
    """P3: everyone accounted for."""
    event = cell(
        answer("1", "1"),
        failures=(Failure(ranks("0"), "ValueError", "bad", place="cell 4, line 2", source="f(x)"),),
        refusals=(Refusal(ranks("2"), "it is held"),),
        missing=(Missing(ranks("3"), "died: signal 9 (KILL)"),),
    )
    assert plain(event) == (
        "[1]    1\n"
        "[0]    ValueError: bad                                    ◀ failed\n"
        "         cell 4, line 2:  f(x)\n"
        "[2]    not run: it is held\n"
        "[3]    no answer: died: signal 9 (KILL)\n"
    )


def test_a_failure_through_several_frames_shows_the_users_frames():
    traceback = (
        "Traceback (most recent call last)", "Cell <px cell 4>:1", "----> 1 f(0)", "", "File sim.py:3, in f(x)",
        "----> 3     return 1 / x", "", "ZeroDivisionError: division by zero",
    )  # fmt: skip
    shown = plain(Failure(ranks("0-3"), "ZeroDivisionError", "division by zero", traceback, "sim.py:3", "return"))
    assert shown.splitlines()[1:] == [
        "         Cell <px cell 4>:1",
        "         ----> 1 f(0)",
        "         File sim.py:3, in f(x)",
        "         ----> 3     return 1 / x",
    ]


@pytest.mark.parametrize(
    ("evalue", "traceback", "more"),
    [
        ("3", ("SystemExit: 3", ""), []),
        ("one\ntwo", ("mine.SystemExit: one", "two", ""), ["two"]),
        ("3", ("SystemExit: 3", "a note", ""), ["a note"]),
    ],
)
def test_a_failure_without_frames_is_said_once(evalue, traceback, more):
    """`sys.exit(3)`, or a value that cannot be written: the traceback is no more than the exception."""
    shown = plain(Failure(ranks("0"), "SystemExit", evalue, traceback))
    assert [line.strip() for line in shown.splitlines()[1:]] == more


def test_a_message_of_several_lines_is_shown_whole():
    shown = plain(Failure(ranks("0"), "ValueError", "one\ntwo", place="cell 1, line 1"))
    assert shown.splitlines()[1:] == ["         two", "         cell 1, line 1"]


def test_above_ten_groups_the_eight_largest_are_shown_with_all_failures():
    world = RankSet.span(0, 32)
    answers = [answer("0-9", "0.5"), *(answer(str(rank), f"{rank}.0") for rank in range(10, 24))]
    event = CellAnswers(7, tuple(answers), (Failure(ranks("30"), "KeyError", "'a'"),))
    lines = plain(event, world).splitlines()
    assert len(lines) == 10
    assert lines[0] == "[0-9]   0.5"
    assert lines[8] == "… 7 more groups on 17-23; of all: min 0.5, median 11.5, max 23.  See all: %pxresult 7 --all"
    assert "KeyError" in lines[9]


def test_all_groups_are_shown_when_asked_for():
    answers = tuple(answer(str(rank), str(rank)) for rank in range(14))
    assert len(plain(CellAnswers(7, answers, all_groups=True)).splitlines()) == 14


def test_ten_groups_are_all_shown():
    assert len(plain(CellAnswers(7, tuple(answer(str(rank), str(rank)) for rank in range(10)))).splitlines()) == 10


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1.0), ("np.float64(2.5)", 2.5), ("np.int32(3)", 3.0), ("'1'", None), ("[1]", None), ("", None)],
)
def test_numbers_are_read_as_python_and_numpy_print_them(text, number):
    assert number_in(text) == number


def test_lines_of_a_stream_carry_their_ranks():
    assert plain(Text(ranks("0"), "stdout", "step 1\nstep 2\n")) == "[0]    step 1\n[0]    step 2\n"


def test_a_line_that_is_redrawn_shows_as_it_was_in_the_end():
    assert plain(Text(ranks("0-3"), "stdout", "10 %\r20 %\r\n")) == "[0-3]  20 %\n"


def test_a_cut_is_announced_with_the_file_that_has_it_all():
    """P2: text leaves a view only by an announced cut."""
    assert plain(Cut(ranks("3"), 12_300_000, 9, "rank-3.log")) == "12.3 MB of rank 3 cut; all text is in rank-3.log\n"


def test_states_stand_in_columns():
    rows = ((ranks("0-1"), "paused", "sim.py:87 in main"), (ranks("2"), "idle", ""), (ranks("3"), "dead", "exit 1"))
    assert plain(States("cluster fox, 4 ranks", rows)) == (
        "cluster fox, 4 ranks\n[0-1]  paused  sim.py:87 in main\n[2]    idle\n[3]    dead    exit 1\n"
    )


def test_progress_says_who_is_done_who_is_not_and_where_the_slowest_is():
    told = progress_text(Progress(ranks("0-1"), ranks("3"), "at hang.py:20 in fetch", ranks("2")))
    assert told == "waiting for 3 at hang.py:20 in fetch; 0-1 done; 2 is idle outside the focus"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (131072, "131 kB"), (12_300_000, "12.3 MB"), (5e9, "5.0 GB")],
)
def test_bytes_are_written_in_decimal_units(count, text):
    assert bytes_text(count) == text


def test_a_rank_has_its_colour_for_good_and_a_group_the_neutral_one():
    colour = rank_colour(3)
    assert to_ansi(cell(answer("3", "1")), WORLD).startswith(f"\x1b[{colour}m[3]\x1b[0m    1")
    assert to_ansi(Text(ranks("3"), "stdout", "a\n"), WORLD).startswith(f"\x1b[{colour}m[3]\x1b[0m")
    assert to_ansi(cell(answer("0-3", "1")), WORLD) == "\x1b[1m[0-3]\x1b[0m  1\n"
    assert rank_colour(3) == rank_colour(11)


def test_colours_are_for_terminals_and_not_with_no_color():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    assert renderer_for(Terminal(), {"TERM": "xterm"}) is to_ansi
    assert renderer_for(Terminal(), {"NO_COLOR": "1"}) is to_plain
    assert renderer_for(Terminal(), {"TERM": "dumb"}) is to_plain
    assert renderer_for(io.StringIO(), {}) is to_plain


EVENTS = [
    (Text(ranks("0"), "stderr", "a\n"), {"ranks": "0", "type": "stream", "text": "a\n", "name": "stderr"}),
    (answer("0-1", "6"), {"ranks": "0-1", "type": "execute_result", "text": "6", "data": {"text/plain": "6"}}),
    (Refusal(ranks("0"), "held"), {"ranks": "0", "type": "execute_reply", "text": "held", "status": "refused"}),
    (Missing(ranks("0"), "died"), {"ranks": "0", "type": "px_missing", "text": "died"}),
    (Notice("info", "hello"), {"ranks": "", "type": "px_notice", "text": "hello", "level": "info"}),
    (Cut(ranks("0"), 1, 2, "f"), {"ranks": "0", "type": "px_cut", "text": "", "bytes": 1, "lines": 2, "file": "f"}),
    (States("", ((WORLD, "idle", ""),)), {"ranks": "0-3", "type": "px_state", "text": "", "state": "idle"}),
    (
        Failure(ranks("0"), "KeyError", "'a'", (), "cell 1, line 1", "d['a']"),
        {
            "ranks": "0", "type": "error", "text": "KeyError: 'a'", "ename": "KeyError", "evalue": "'a'",
            "place": "cell 1, line 1", "source": "d['a']",
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("event", "wanted"), EVENTS, ids=lambda value: type(value).__name__)
def test_json_is_one_object_a_line_with_ranks_type_and_text(event, wanted):
    assert json.loads(to_json(event)) == wanted


def test_json_gives_each_group_of_a_cell_its_line():
    event = cell(answer("0", "1"), answer("1-2", "2"), failures=(Failure(ranks("3"), "E", ""),))
    lines = [json.loads(line) for line in to_json(event).splitlines()]
    assert [(line["ranks"], line["type"], line["cell"]) for line in lines] == [
        ("1-2", "execute_result", 4), ("0", "execute_result", 4), ("3", "error", 4),
    ]  # fmt: skip


def test_unfolded_answers_stand_rank_by_rank():
    assert plain(unfolded(cell(answer("0-3", "6")))) == "[0]    6\n[1]    6\n[2]    6\n[3]    6\n"


def test_a_second_answer_of_a_rank_keeps_its_place():
    """P1: what one rank said is shown for it in the order in which it said it."""
    event = cell(answer("0", "a"), answer("1-3", "b"), answer("0-3", "c", order=1))
    assert [line.split()[1] for line in plain(event).splitlines()] == ["b", "a", "c"]


values = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=120)
groups = st.lists(st.tuples(st.integers(0, 3), values), min_size=1, max_size=4, unique_by=lambda pair: pair[0])


@given(groups, st.integers(20, 200))
def test_no_line_is_wider_than_the_screen_but_for_text_that_is(pairs, columns):
    """Width-aware: marks and labels never push a line over the edge."""
    event = cell(*(answer(str(rank), text) for rank, text in pairs))
    widest = max(width_of(text) for _, text in pairs)
    for line in plain(event, columns=columns).splitlines():
        assert width_of(line) <= max(columns, widest)


@given(groups)
def test_colours_change_nothing_but_colours(pairs):
    event = cell(*(answer(str(rank), text) for rank, text in pairs))
    bare = re.sub(r"\x1b\[\d*m", "", to_ansi(event, WORLD))
    assert [line.rstrip() for line in bare.split("\n")] == [line.rstrip() for line in plain(event).split("\n")]


@given(groups)
def test_every_rank_that_answered_is_shown(pairs):
    """P4: an odd rank is never hidden."""
    shown = plain(cell(*(answer(str(rank), text) for rank, text in pairs)))
    assert all(f"[{rank}]" in shown for rank, _ in pairs)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_the_majority_is_more_than_half_or_nobody(said):
    answers = [
        Answer(RankSet(rank for rank, what in enumerate(said) if what == value), {"text/plain": str(value)})
        for value in sorted(set(said))
    ]
    largest = max(answers, key=lambda one: len(one.ranks))
    everyone = RankSet.span(0, len(said))
    has_majority = 2 * len(largest.ranks) > len(said)
    assert odd_of(CellAnswers(1, tuple(answers))) == (everyone - largest.ranks if has_majority else EMPTY)


# Where ranks stand.


def test_places_stand_in_columns_the_majority_first_and_the_odd_marked():
    """P4: an odd rank is never hidden."""
    rows = Stand(ranks("3"), "sim.py:9", "y = 2"), Stand(ranks("0-2"), "sim.py:88 in main", "x = 1")
    assert plain(Stands(rows)) == (
        "[0-2]  sim.py:88 in main  x = 1\n"
        "[3]    sim.py:9           y = 2                           ◀ differs\n"
    )  # fmt: skip
    said = [json.loads(line) for line in to_json(Stands(rows)).splitlines()]
    assert said[0] == {"ranks": "3", "type": "px_state", "text": "sim.py:9", "source": "y = 2", "state": ""}


def test_a_rank_that_does_not_stand_is_told_with_a_word():
    rows = Stand(ranks("0"), "sim.py:8", "x", "waits in C"), Stand(ranks("1"), "", word="the program has ended")
    assert plain(Stands(rows)) == "[0]    waits in C: sim.py:8   x\n[1]    the program has ended\n"


def test_a_place_that_is_too_long_is_cut():
    line = plain(Stands((Stand(ranks("0-3"), "sim.py:8", "x" * 200),)))
    assert width_of(line.rstrip("\n")) <= 80
    assert line.endswith(" …\n")


def test_a_listing_marks_its_row():
    listing = Listing(ranks("0-3"), "sim.py:9 in f", (("8", "a = 1"), ("9", "    b = 2"), ("10", "")), 1)
    assert plain(listing) == "[0-3]  sim.py:9 in f\n  8   a = 1\n▸ 9       b = 2\n  10\n"
    assert json.loads(to_json(listing)) == {
        "ranks": "0-3", "type": "px_listing", "text": "sim.py:9 in f",
        "rows": [["8", "a = 1"], ["9", "    b = 2"], ["10", ""]], "marked": 1,
    }  # fmt: skip
