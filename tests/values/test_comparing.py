"""Groups of equal values from descriptions, with further questions only about arrays that are nearly the same."""

import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.ranks import RankSet
from pxshell.values import comparing
from pxshell.values.comparing import Comparer, Sample, index_of
from pxshell.values.describe import describe
from pxshell.values.survey import answer, blocks_in, elements_in
from pxshell.values.tolerance import EXACT, Tolerance
from pxshell.values.words import difference_lines, leaf_text, sample_text, spread_lines


class Ranks:
    """Ranks in this process, which count what they are asked."""

    def __init__(self, values):
        self.values = dict(enumerate(values))
        self.asked = []
        self.elements_sent = 0

    def samples(self):
        return [Sample.of(RankSet.of(rank), describe(value)) for rank, value in self.values.items()]

    def ask(self, rank, **question):
        return answer({"expression": "", **question}, lambda _: self.values[rank])

    def blocks(self, ranks, path):
        self.asked.append(("blocks", str(ranks), path))
        content = {"ask": "blocks", "path": path, **self.tolerance.to_content()}
        found = {}
        for rank in ranks:
            with suppress(LookupError):  # a rank answers with an error, and is left out
                found[rank] = blocks_in(self.ask(rank, **content)[0])
        return found

    def elements(self, ranks, path, blocks):
        self.asked.append(("elements", str(ranks), path))
        found = {r: elements_in(self.ask(r, ask="elements", path=path, blocks=blocks)[1]) for r in ranks}
        self.elements_sent += sum(map(len, found.values()))
        return found

    def comparer(self, tolerance):
        self.tolerance = tolerance
        return Comparer(tolerance, self, RankSet(self.values))

    def groups(self, tolerance=Tolerance()):  # noqa: B008 - an immutable value
        return self.comparer(tolerance).groups(self.samples())


def ranks_of(groups):
    return [str(group.ranks) for group in groups]


TOLERANCES = st.sampled_from([EXACT, Tolerance(1e-9), Tolerance(0.0, 0.5), Tolerance(0.1, 0.01)])
ROWS = st.lists(st.floats(-10, 10) | st.sampled_from([math.nan, math.inf, 0.0]), min_size=2, max_size=2)


@given(st.lists(ROWS, min_size=1, max_size=8), TOLERANCES)
def test_equal_values_are_in_one_group_and_unequal_ones_never(rows, tolerance):
    """P4: for arrays, which are asked about again, and for lists, which are not."""
    for values in ([np.array(row) for row in rows], rows):
        groups = Ranks(values).groups(tolerance)
        members = {rank: number for number, group in enumerate(groups) for rank in group.ranks}
        assert len(members) == len(rows)
        for a, one in enumerate(rows):
            for b, other in enumerate(rows):
                same = [tolerance.is_same(x, y) for x, y in zip(one, other, strict=True)]
                if members[a] == members[b]:
                    assert all(same), (one, other)
                elif all(x == y or (x != x and y != y) for x, y in zip(one, other, strict=True)):  # noqa: PLR0124
                    pytest.fail(f"{one} and {other} are equal, in two groups")


@given(st.integers(0, 299), st.integers(0, 299))
def test_the_first_difference_is_found_wherever_it_is(place, other):
    a = np.zeros((20, 15))
    b = a.copy()
    b.flat[place] = 1
    b.flat[other] = 2
    ranks = Ranks([a, b])
    (found,) = ranks.comparer(EXACT).differences(*ranks.samples())
    assert found.index == index_of(min(place, other), (20, 15))


def test_equal_arrays_are_not_asked_about():
    ranks = Ranks([np.ones(1000)] * 3)
    assert ranks_of(ranks.groups()) == ["0-2"]
    assert ranks.asked == []


def test_arrays_that_their_descriptions_tell_apart_are_not_asked_about():
    """Type, shape, NaN, extremes."""
    a = np.arange(1000.0)
    b = a.copy()
    b[3] = np.nan
    ranks = Ranks([a, a.astype("f4"), a.reshape(10, 100), b, a + 1])
    assert ranks_of(ranks.groups()) == ["0", "1", "2", "3", "4"]
    assert ranks.asked == []


def test_noise_in_the_last_digits_moves_no_elements():
    """100 ranks with large arrays: digests decide."""
    rng = np.random.default_rng(1)
    a = rng.random(100_000) + 0.5
    ranks = Ranks([a * (1 + 1e-16 * rng.integers(-2, 3, a.size)) for _ in range(6)])
    (group,) = ranks.groups(Tolerance(1e-6))
    assert len(group.samples) > 1
    assert ranks.elements_sent == 0


def test_a_difference_in_one_block_moves_that_block_alone():
    a = np.random.default_rng(1).random(1_000_000)
    b = a.copy()
    b[700_001] += 1e-3
    ranks = Ranks([a, a, b])
    comparer = ranks.comparer(Tolerance())
    groups = comparer.groups(ranks.samples())
    assert ranks_of(groups) == ["0-1", "2"]
    (found,) = comparer.differences(groups[0].leading, groups[1].leading)
    assert found.index == (700_001,)
    assert ranks.elements_sent < 10_000
    assert len(ranks.asked) == 2


def test_too_much_that_is_nearly_the_same_is_said_and_stays_apart(monkeypatch):
    """P7, P4: what was not compared to the end is not called equal."""
    monkeypatch.setattr(comparing, "LIMIT_BYTES", 50_000)
    a = np.random.default_rng(1).random(100_000) + 0.5
    ranks = Ranks([a, a * (1 + 4e-10)])
    comparer = ranks.comparer(Tolerance(1e-9))
    groups = comparer.groups(ranks.samples())
    assert ranks_of(groups) == ["0", "1"]
    (found,) = comparer.differences(groups[0].leading, groups[1].leading)
    assert found.why == "not compared to the end: too much is nearly the same for this tolerance"
    assert difference_lines([found], "@a") == [found.why]


def test_a_value_that_changes_between_two_questions_is_said_to():
    """A running program does not wait for us."""
    ranks = Ranks([np.zeros(10), np.full(10, 1e-12)])
    samples = ranks.samples()
    ranks.values[1][3] = 7
    comparer = ranks.comparer(Tolerance(0.0, 1e-9))
    assert len(comparer.groups(samples)) == 2
    assert comparer.differences(*samples)[0].why == "it changes while it is looked at"


def test_integers_are_compared_exactly_whatever_the_tolerance():
    loose = Tolerance(0.1, 10)
    assert ranks_of(Ranks([1000, 1001]).groups(loose)) == ["0", "1"]
    ranks = Ranks([np.arange(5), np.array([0, 1, 2, 3, 5])])
    comparer = ranks.comparer(loose)
    (found,) = comparer.differences(*ranks.samples())
    assert (found.index, found.values) == ((4,), ("4", "5"))


def test_types_are_told_apart():
    assert ranks_of(Ranks([1, 1.0, True, "1", None, [1], (1,)]).groups()) == ["0", "1", "2", "3", "4", "5", "6"]


def test_near_values_in_a_chain_are_not_one_group():
    """Sameness is not transitive: any two of a group are the same."""
    assert ranks_of(Ranks([0.0, 0.9, 1.8]).groups(Tolerance(0.0, 1.0))) == ["0-1", "2"]


def lines(a, b, **options):
    ranks = Ranks([a, b])
    comparer = ranks.comparer(Tolerance())
    return difference_lines(comparer.differences(*ranks.samples(), **options), "@a")


def test_what_differs_is_said_by_path():
    a = {"lr": 0.1, "name": "adam", "w": np.zeros((2, 3)), "old": {"x": [1, 2]}, "n": 3}
    w = np.zeros((2, 3))
    w[1, 2] = 5
    b = {"lr": 0.01, "name": "adam", "w": w, "new": 1, "n": 3.0}
    assert lines(a, b) == [
        "['lr']  0.01; @a 0.1",
        "['n']  3.0 (float); @a 3",
        "['old']  absent; @a dict of 1",
        "['w']  float64 (2, 3)  0 to 5, mean 0.83333, NaN 0",
        "       first at [1, 2]: 5; @a 0",
        "['new']  1; @a absent",
    ]


def test_of_many_differences_the_first_are_listed():
    assert lines(dict.fromkeys("abcdefghij", 1), dict.fromkeys("abcdefghij", 2))[-1] == "… 4 more parts differ"


def test_of_arrays_of_one_form_only_the_place_is_looked_for():
    assert lines(np.zeros(3), np.zeros(4)) == []
    assert lines([1], (1,)) == ["tuple; @a list of 1"]
    assert lines(np.array(["a"]), np.array(["b"])) == []
    a, b = {"a": np.zeros(3), "b": np.zeros(3)}, {"a": np.ones(3), "b": np.ones(3)}
    assert lines(a, b, limit=1)[-1] == "['b']  float64 (3,)  1, mean 1, NaN 0; @a float64 (3,)  0, mean 0, NaN 0"


def test_values_in_words():
    for value, text in [
        (0.1, "0.1"),
        (7, "7"),
        ([1, 2], "list of 2"),
        (1 + 2j, "(1+2j)"),
        (np.zeros((2, 3), "i4"), "int32 (2, 3)  0, mean 0"),
        (np.array(["a"]), "<U1 (1,)"),
    ]:
        assert sample_text(Sample.of(RankSet.of(0), describe(value))) == text
    assert leaf_text(None) == "absent"


def test_statistics_over_the_ranks():
    assert spread_lines(Ranks([1.0, 1.0, 4.0, math.nan]).groups()) == [
        "over 4 ranks: min 1 (0-1), max 4 (2), mean 2, deviation 1.4142, NaN on 3"
    ]
    assert spread_lines(Ranks([math.nan, 1.0]).groups())[0].endswith("NaN on 0")
    assert spread_lines(Ranks(["a", "b"]).groups()) == []
    assert spread_lines(Ranks([3]).groups()) == []
    assert spread_lines(Ranks([10**400, 1]).groups()) == []
    a, b = np.arange(3.0), np.array([1.0, np.nan, 9.0])
    assert spread_lines(Ranks([a, b]).groups()) == ["over 2 ranks: min 0 (0), max 9 (1), means 1 to 5, NaN on 1"]


def test_complex_numbers_are_the_same_in_both_parts():
    ranks = Ranks([1 + 1j, 1 + 1.5j, np.array([1 + 1j, 2]), np.array([1 + 1j, 2 + 1e-12j])])
    assert ranks_of(ranks.groups(Tolerance(0.0, 1e-9))) == ["2-3", "0", "1"]
    ranks = Ranks([np.array([1, 2, 3 + 1j]), np.array([1, 2, 3 + 2j])])
    (found,) = ranks.comparer(Tolerance()).differences(*ranks.samples())
    assert found.index == (2,)
