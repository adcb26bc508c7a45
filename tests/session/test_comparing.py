"""`%pxdiff` of a session: groups and letters, pairs, references, and ranks that cannot answer."""

import math

import numpy as np
import pytest

from pxshell.errors import UsageError
from pxshell.session import Side, Tolerance
from pxshell.testing.scripted import Said


@pytest.fixture
def compare(stage):
    """Compare an expression and return what was shown."""

    def run(expression, *, ranks="all", other=None, tolerance=Tolerance(), **options):  # noqa: B008 - an immutable value
        session = stage.session
        second = Side(other[0], session.ranks(other[1])) if other else None
        session.compare(Side(expression, session.ranks(ranks)), second, tolerance, **options)
        return stage.shown()

    return run


def field(fault=None):
    u = np.ones((64, 64))
    if fault:
        u[fault] = np.nan
    return u


def test_the_odd_rank_is_named_with_the_place_where_it_differs(stage, compare):
    """P4; the groups are @a and @b, the odd ones @odd."""
    stage.on_values({"u": field()}, {"u": field()}, {"u": field()}, {"u": field((20, 31))})
    assert compare("u") == (
        "[0-2]  @a  float64 (64, 64)  1, mean 1, NaN 0\n"
        "[3]    @b  float64 (64, 64)  1, mean 1, NaN 1             ◀ differs\n"
        "           first at [20, 31]: nan; @a 1\n"
        "over 4 ranks: min 1 (0-3), max 1 (0-3), mean 1, NaN on 3\n"
    )
    session = stage.session
    assert [str(session.ranks(name)) for name in ("@a", "@b", "@odd")] == ["0-2", "3", "3"]


def test_what_agrees_is_one_line(stage, compare):
    stage.on_values(*[{"x": 0.1 + 0.2}] * 4)
    assert compare("x") == "[0-3]  @a  0.30000000000000004\nequal on all\n"
    stage.on_values({"x": 0.3}, {"x": 0.1 + 0.2}, {"x": 0.3}, {"x": 0.3})
    assert compare("x") == "[0-3]  @a  0.3\n@a within rtol 1e-09, not to the bit\n"
    assert "differs" in compare("x", tolerance=Tolerance(0.0))


def test_when_all_differ_nothing_is_marked(stage, compare):
    stage.on_values(*[{"x": x} for x in (4.0, 1.0, 2.0, 3.0)])
    assert compare("x") == (
        "[0]    @a  4.0\n"
        "[1]    @b  1.0\n"
        "[2]    @c  2.0\n"
        "[3]    @d  3.0\n"
        "over 4 ranks: min 1 (1), max 4 (0), mean 2.5, deviation 1.118\n"
    )
    with pytest.raises(UsageError):
        stage.session.ranks("@odd")


def test_parts_that_differ_are_said_by_path(stage, compare):
    good, odd = {"lr": 0.1, "layers": [64, 64]}, {"lr": 0.01, "layers": [64, 64, 8]}
    stage.on_values(*[{"config": config} for config in (good, odd, good, good)])
    assert compare("config") == (
        "[0,2-3]  @a  dict of 2\n"
        "[1]      @b  dict of 2                                    ◀ differs\n"
        "             ['lr']  0.01; @a 0.1\n"
        "             ['layers'][2]  8; @a absent\n"
    )


def test_of_many_groups_the_largest_are_shown(make_stage):
    stage = make_stage(size=40)
    stage.on_values(*[{"x": max(0, rank - 20)} for rank in range(40)])
    session = stage.session
    session.compare(Side("x", session.world))
    lines = stage.shown().splitlines()
    assert lines[0] == "[0-20]  @a  0                                             ◀ differs"[:16].rstrip()
    assert len(lines) == 10
    assert lines[8] == "… 12 more groups on 28-39.  See all: --all"
    assert lines[9].startswith("over 40 ranks: min 0 (0-20), max 19 (39)")
    session.compare(Side("x", session.world), all_groups=True)
    assert len(stage.shown().splitlines()) == 21


def test_two_sets_are_compared_rank_by_rank(stage, compare):
    stage.on_values({"w": field()}, {"w": field()}, {"w": field()}, {"w": field((1, 2))})
    assert compare("w", ranks="0-1", other=("w", "2-3")) == (
        "[0]    @a  equal to 2\n"
        "[1]    @b  differs from 3                                 ◀ differs\n"
        "           float64 (64, 64)  1, mean 1, NaN 0; there float64 (64, 64)  1, mean 1, NaN 1\n"
        "           first at [1, 2]: 1; there nan\n"
    )
    assert [str(stage.session.ranks(name)) for name in ("@a", "@b", "@odd")] == ["0,2", "1,3", "1,3"]
    assert compare("w", ranks="0", other=("w", "1-2")) == "[0]    @a  equal to 1-2\n"


def test_two_expressions_are_compared_on_the_same_ranks(stage, compare):
    stage.on_values(*[{"u": np.full(5, rank), "v": np.full(5, min(rank, 2))} for rank in range(4)])
    assert compare("u", other=("v", "all")) == (
        "[0-2]  @a  equal to 0-2\n"
        "[3]    @b  differs from 3                                 ◀ differs\n"
        "           int64 (5,)  3, mean 3; there int64 (5,)  2, mean 2\n"
        "           first at [0]: 3; there 2\n"
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"expression": "x = 1"}, "'x = 1' is no expression: %pxdiff u.max()"),
        ({"expression": " "}, "of what? %pxdiff EXPR"),
        ({"expression": "x", "ranks": "0-1", "other": ("x", "1-3")}, "0-1 and 1-3 are 2 and 3 ranks"),
    ],
)
def test_what_cannot_be_compared_is_refused_and_asks_nobody(stage, compare, options, why):
    """P10."""
    with pytest.raises(UsageError, match="^" + __import__("re").escape(why)):
        compare(**options)
    assert stage.client.asked_for("px_survey_request") == []


def test_ranks_that_raise_are_shown_and_the_others_compared(stage, compare):
    """P3."""
    stage.on_values({"x": 1}, {}, {"x": 1}, {"x": 1})
    assert compare("x") == (
        "[1]    NameError: name 'x' is not defined                 ◀ failed\n[0,2-3]  @a  1\nequal on all\n"
    )
    stage.on_values({}, {}, {}, {})
    assert stage.session.compare(Side("x", stage.session.world)) is None


def test_ranks_that_refuse_or_are_gone_are_named_once(stage, compare):
    """P3: a stale pause, a rank that died; the others are compared."""
    stage.on_values(*[{"x": 1}] * 4)
    whole = stage.client._table["px_survey_request"]

    def survey(asked):
        yield from (one for one in whole(asked) if one.ranks in {"0", "3"})
        yield Said("px_survey_reply", {"status": "refused", "why": "stale: it is not paused any more"}, "1")
        yield Said("px_missing", {"why": "killed by signal 9"}, "2")

    stage.client.on("px_survey_request", survey)
    assert compare("x") == (
        "not run: 1: stale: it is not paused any more\n[2]  no answer: killed by signal 9\n[0,3]  @a  1\nequal on all\n"
    )
    stage.client.set_state("2", activity="ended", liveness="dead", exit=-9)
    stage.shown()
    assert compare("x").startswith("not run: 2 ended: signal 9 (KILL).")


def test_a_running_script_is_looked_at_only_when_asked_to(stage, compare):
    stage.client.set_state("0-3", activity="busy", cell="run")
    stage.on_values(*[{"x": 1}] * 4)
    assert compare("x") == (
        "not run: 0-3 are running a script.  Pause: %pxsignal pause --sync EXPR   Only look: %pxdiff --peek x\n"
    )
    assert compare("x", peek=True) == "[0-3]  @a  1\nequal on all\n"
    assert stage.client.asked_for("px_survey_request")[0].content["places"] == [["peek", "0-3"]]


def test_a_rank_that_cannot_answer_from_the_side_is_named_and_not_waited_for(stage, compare):
    """P6, P3: it holds the GIL in C, or is stopped."""
    stage.client.set_state("0-2", activity="busy", cell="run")
    stage.client.set_state("3", activity="busy", cell="run", liveness="unresponsive")
    stage.on_values(*[{"x": 1}] * 4)
    whole = stage.client._table["px_survey_request"]
    stage.client.on("px_survey_request", lambda asked: [one for one in whole(asked) if one.ranks != "3"])
    stage.shown()
    assert compare("x", peek=True) == (
        "[3]  no answer: it is stopped, or C code holds its GIL\n"
        "[0-2]  @a  1\n"
        "equal on all\n"
    )  # fmt: skip


def test_a_file_is_a_reference(stage, compare, tmp_path):
    stage.on_values(*[{"u": np.arange(3.0) + (rank == 2)} for rank in range(4)])
    np.savez(tmp_path / "one.npz", u=np.arange(3.0))
    assert compare("u", against=tmp_path / "one.npz") == (
        "[0-1,3]  @a  equal to one.npz\n"
        "[2]      @b  differs from one.npz                         ◀ differs\n"
        "             float64 (3,)  1 to 3, mean 2, NaN 0; one.npz float64 (3,)  0 to 2, mean 1, NaN 0\n"
        "             first at [0]: 1; one.npz 0\n"
    )
    assert str(stage.session.ranks("@odd")) == "2"
    np.savez(tmp_path / "each.npz", **{f"u_{rank}": np.arange(3.0) + (rank == 2) for rank in range(4)})
    assert compare("u", against=tmp_path / "each.npz") == "[0-3]  @a  equal to each.npz\n"
    np.save(tmp_path / "plain.npy", np.arange(3.0))
    assert "[0-1,3]  @a  equal to plain.npy" in compare("u", against=tmp_path / "plain.npy")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("absent.npz", "there is no file"),
        ("text.npz", "text.npz cannot be read"),
        ("a.csv", "a.csv is no reference: --against takes a .npz or .npy file"),
        ("other.npz", "other.npz has no value for 0-3: u, or u_0 for one rank, is looked for; there is a, b"),
    ],
)
def test_a_file_that_is_no_reference_is_refused(stage, compare, tmp_path, name, why):
    """P10."""
    stage.on_values(*[{"u": 1}] * 4)
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", a=1, b=2)
    with pytest.raises(UsageError, match=why):
        compare("u", against=tmp_path / name)


class Mute:
    def __repr__(self):
        return "Mute"


def test_what_was_not_looked_at_is_never_said_to_be_equal(stage, compare):
    """P4."""
    deep = []
    for _ in range(30):
        deep = [deep]
    stage.on_values(*[{"x": [Mute(), len], "deep": deep, "both": [Mute(), deep]} for _ in range(4)])
    assert (
        compare("x") == "[0-3]  @a  list of 2\nequal as far as looked: 2 parts are known by their repr only ([0], …)\n"
    )
    looked = "equal as far as looked: 1 part is not looked into ([0][0][0][0][0][0][0][0][0][0…)"
    assert compare("deep") == f"[0-3]  @a  list of 1\n{looked}\n"
    assert compare("both", ranks="0-1", other=("both", "2-3")) == (
        "[0-1]  @a  equal to 2-3 as far as looked\n"
        "           1 part is known by its repr only ([0]), "
        "1 part is not looked into ([1][0][0][0][0][0][0][0][0][0…)\n"
    )


@pytest.mark.parametrize("least", [-1e308, -math.inf])
def test_numbers_at_the_ends_of_double_precision_are_compared(stage, compare, least):
    stage.on_values(*[{"x": 1e308 if rank else least, "row": [1e308] * 20} for rank in range(4)])
    assert compare("x").startswith("[1-3]  @a  1e+308\n")
    assert compare("row").endswith("equal on all\n")


def test_of_a_masked_array_data_and_mask_are_compared_to_the_bit(stage, compare):
    """P4: also the data under the mask."""
    arrays = [np.ma.masked_array([1.0, 2.0 + (rank == 3)], mask=[False, True]) for rank in range(4)]
    stage.on_values(*[{"x": x} for x in arrays])
    assert compare("x") == (
        "[0-2]  @a  float64 (2,)  masked 1\n"
        "[3]    @b  float64 (2,)  masked 1                         ◀ differs\n"
        "           .data  float64 (2,)  1 to 3, mean 2, NaN 0\n"
        "                  first at [1]: 3; @a 2\n"
    )
