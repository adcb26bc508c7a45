"""Each stop is told once, by the thread that waits for it or by the one that hears of it."""

import pytest

from pxshell.protocol.state import Activity, RankState, StateTable
from pxshell.ranks import EMPTY, RankSet
from pxshell.session import told_pauses
from pxshell.session.told_pauses import ToldPauses

ALL, ONE, TWO = RankSet.span(0, 4), RankSet.of(1), RankSet.of(2)


@pytest.fixture
def told():
    return ToldPauses()


def standing(ranks, pause="s1"):
    return lambda: StateTable({RankState(activity=Activity.PAUSED, pause=pause): ranks})


def test_a_stop_is_told_once_although_its_state_comes_again(told):
    """P2: with each cell there."""
    assert told.heard("s1", ONE) == ONE
    assert told.heard("s1", ONE | TWO) == TWO
    assert told.heard("s2", ONE) == ONE


def test_what_is_expected_is_told_by_who_expects_it(told):
    """P2: whether it is heard before they settle or afterwards."""
    told.expect(ONE | TWO, {"s1"})
    assert told.heard("s1", ONE) == EMPTY
    assert told.settle(standing(ONE | TWO)) == standing(ONE | TWO)()
    assert told.heard("s1", ALL) == ALL - ONE - TWO


def test_what_has_not_come_when_they_settle_is_told_when_it_does(told):
    """P3: a rank that stops late, one of others in the same pause, and one in another pause."""
    told.expect(ONE | TWO, {"s1"})
    assert told.heard("s1", RankSet.of(3)) == RankSet.of(3)
    assert told.heard("s2", ONE) == ONE
    told.settle(standing(ONE))
    assert told.heard("s1", TWO) == TWO


def test_who_expects_nothing_any_more_has_told_of_nothing(told):
    """Ctrl-C has ended the waiting."""
    told.expect(ONE, {"s1"})
    told.expect(EMPTY, ())
    assert told.heard("s1", ONE) == ONE


def test_only_the_last_pauses_are_remembered(told, monkeypatch):
    """P7."""
    monkeypatch.setattr(told_pauses, "_PAUSES", 2)
    for pause in ("s1", "s2", "s1", "s3"):
        told.heard(pause, ONE)
    assert told.heard("s1", ONE) == EMPTY
    assert told.heard("s2", ONE) == ONE
