"""Rank sets are read as people write them, from left to right, and never evaluated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.errors import RankSetError
from pxshell.ranks import EMPTY, Context, RankSet, parse, parse_focus

EIGHT = RankSet.span(0, 8)
CONTEXT = Context(
    universe=EIGHT,
    names={"left": RankSet.span(0, 4), "paused": lambda: RankSet.of(2), "idle": EMPTY, "gone": RankSet.of(11)},
    hosts={"n1": RankSet.span(0, 4), "n2.site-a": RankSet.span(4, 8)},
    locals={0: RankSet.of(0, 4), 1: RankSet.of(1, 5)},
)


def parse_or_error(text: str) -> RankSet | RankSetError:
    """Return what becomes of a text."""
    try:
        return parse(text, CONTEXT)
    except RankSetError as error:
        return error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", "0-7"),
        ("3", "3"),
        ("0-3,7", "0-3,7"),
        ("0-7/2", "0,2,4,6"),
        ("2:8:2", "2,4,6"),
        ("[0-3]", "0-3"),
        ("[0,2]", "0,2"),
        ("[ 0 , 2:4 ]", "0,2-3"),
        ("::2", "0,2,4,6"),
        (":", "0-7"),
        (":2", "0-1"),
        ("@first", "0"),
        ("@last", "7"),
        ("@all", "0-7"),
        ("@left", "0-3"),
        ("@paused", "2"),
        ("@idle,3", "3"),
        ("host=n1", "0-3"),
        ("host=n2.site-a&local=0", "4"),
        ("local=0-1", "0-1,4-5"),
        ("local=:", "0-1,4-5"),
        ("local = 1", "1,5"),
        ("all!3", "0-2,4-7"),
        ("0-3&2-5", "2-3"),
        ("0-3^2-5", "0-1,4-5"),
        (" 0 , 1 ! [1] ", "0"),
    ],
)
def test_every_spelling_is_read(text: str, expected: str) -> None:
    """The grammar of the manual, one line each."""
    assert str(parse(text, CONTEXT)) == expected


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 0, "expected a rank set"),
        ("  ", 2, "expected a rank set"),
        ("0,", 2, "expected a rank set"),
        ("0-3,9", 4, "rank 9 does not exist; there are 0-7"),
        ("0-3,9-10", 4, "ranks 9-10 do not exist"),
        ("2:9", 0, "rank 8 does not exist"),
        ("-1", 0, "no negative ranks"),
        ("0 1", 2, "expected ,"),
        ("0)", 1, "expected ,"),
        ("!3", 0, "both sides of !"),
        ("0&&1", 2, "both sides of &"),
        ("[0", 2, "expected , or ]"),
        ("[]", 1, "expected a rank"),
        ("[all]", 1, "expected a rank"),
        ("@", 0, "name after @"),
        ("@nobody", 0, "no set is called @nobody; there are @first @gone @idle @last @left @paused"),
        ("0,@a", 2, "no @a: letters name"),
        ("@odd", 0, "no @odd: letters name"),
        ("@gone", 0, "rank 11 does not exist"),
        ("paused", 0, "names of sets begin with @: @paused"),
        ("range(4)", 0, "'range' is no rank set"),
        ("dp=0", 0, "give it one: %pxconfig --mesh"),
        ("host=n9", 5, "there are n1, n2.site-a"),
        ("host=", 5, "expected a machine"),
        ("local=2", 6, "no rank has local number 2; there are 0-1"),
        ("local=x", 6, "expected a rank"),
        ("@idle", 0, "selects no rank"),
        (" 0!0", 1, "selects no rank"),
        ("7-3", 0, "upwards: 3-7"),
    ],
)
def test_bad_input_is_refused_with_its_place(text: str, position: int, words: str) -> None:
    """P10: one line that says what, why and what to do, and where."""
    with pytest.raises(RankSetError) as caught:
        parse(text, CONTEXT)
    assert caught.value.position == position
    assert caught.value.text == text
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="0123456789-,:/[]@!&^= alhostcn1\n²", max_size=30) | st.text(max_size=30))
def test_any_text_is_a_set_or_an_error_with_a_place(text: str) -> None:
    """P10: nothing that can be typed does anything else."""
    outcome = parse_or_error(text)
    if isinstance(outcome, RankSetError):
        assert 0 <= outcome.position <= len(text)
        assert "\n" not in str(outcome)
    else:
        assert outcome
        assert outcome <= EIGHT


@given(st.sets(st.integers(0, 200), min_size=1))
def test_what_a_set_prints_is_read_as_that_set(ranks: set[int]) -> None:
    """Output can be pasted as input, with and without brackets."""
    context = Context(RankSet.span(0, 201))
    text = str(RankSet(ranks))
    assert parse(text, context) == parse(f"[{text}]", context) == RankSet(ranks)


@given(st.lists(st.tuples(st.sampled_from(",!&^"), st.integers(0, 7)), max_size=8), st.integers(0, 7))
def test_operators_are_equal_and_go_from_left_to_right(rest: list[tuple[str, int]], first: int) -> None:
    """As in ClusterShell: no operator binds more than another."""
    expected = {first}
    for operator, rank in rest:
        other = {rank}
        expected = {",": expected | other, "!": expected - other, "&": expected & other, "^": expected ^ other}[
            operator
        ]
    text = f"{first}" + "".join(f"{operator}{rank}" for operator, rank in rest)
    outcome = parse_or_error(text)
    assert (set() if isinstance(outcome, RankSetError) else set(outcome)) == expected


def test_states_are_evaluated_when_the_command_runs() -> None:
    """A name may stand for a question that is asked each time."""
    answers = iter([RankSet.of(1), RankSet.of(2)])
    context = Context(EIGHT, names={"paused": lambda: next(answers)})
    assert parse("@paused", context) == RankSet.of(1)
    assert parse("@paused", context) == RankSet.of(2)


def test_slices_pass_over_gaps_between_ranks() -> None:
    """An open slice takes the ranks that there are; a rank that is spelled out must be there."""
    context = Context(RankSet.of(0, 1, 4))
    assert parse(":", context) == RankSet.of(0, 1, 4)
    with pytest.raises(RankSetError, match="ranks 2-3 do not exist"):
        parse("0-4", context)


@pytest.mark.parametrize("text", ["all", "@first", ":", "0"])
def test_a_cluster_without_ranks_selects_none(text: str) -> None:
    """Nothing crashes before the first rank has come."""
    with pytest.raises(RankSetError):
        parse(text, Context(EMPTY))


def test_thousands_of_items_are_read_at_once() -> None:
    """The printed form of a large odd set is as good as any other, also when a rank of it does not exist."""
    text = str(RankSet(range(0, 20_000, 2)))
    assert len(parse(text, Context(RankSet.span(0, 20_000)))) == 10_000
    with pytest.raises(RankSetError, match="rank 19998 does not"):
        parse(text, Context(RankSet.span(0, 19_998)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+5", "0-3,5"),
        ("-3", "0-2"),
        (" - 1,2", "0,3"),
        ("+@last,5", "0-3,5,7"),
        ("all", "0-7"),
        ("4-5", "4-5"),
        ("-7", "0-3"),
    ],
)
def test_the_focus_grows_shrinks_and_is_replaced(text: str, expected: str) -> None:
    """A leading sign changes the focus, everything else replaces it."""
    assert str(parse_focus(text, CONTEXT, RankSet.span(0, 4))) == expected


@pytest.mark.parametrize(
    ("text", "position"), [("-0-3", 0), ("-all", 0), ("+9", 1), ("+", 1), ("+-1", 1), ("-@idle", 1), ("0!0", 0)]
)
def test_a_focus_on_nothing_is_refused(text: str, position: int) -> None:
    """P10: an empty or unknown focus leaves the old one as it is, and positions count the sign."""
    with pytest.raises(RankSetError) as caught:
        parse_focus(text, CONTEXT, RankSet.span(0, 4))
    assert caught.value.position == position
