"""Every target of a request ends accounted for."""

from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.account import Account
from pxshell.ranks import RankSet

FOUR = RankSet.span(0, 4)
events = st.lists(
    st.tuples(st.booleans(), st.sets(st.integers(0, 5)), st.sampled_from(["ended: exit 1", "no answer"])), max_size=12
)


@given(events)
def test_each_target_is_pending_answered_or_missing_and_never_two_of_them(events):
    """P3: whatever comes, in whatever order, also from ranks that were not asked."""
    account = Account(FOUR)
    for answers, ranks, why in events:
        before = account
        account = account.answer(RankSet(ranks)) if answers else account.lose(RankSet(ranks), why)
        parts = [account.pending, account.answered, *(part for part, _ in account.missing)]
        assert sum(len(part) for part in parts) == 4
        assert RankSet([rank for part in parts for rank in part]) == FOUR
        assert all(part for part, _ in account.missing)
        assert account.done == (not account.pending)
        assert before.answered <= account.answered
    assert account.lose(FOUR, "deadline").done


def test_the_later_word_of_a_rank_that_was_given_up_counts():
    """P3: a reply after its deadline is a reply."""
    account = Account(FOUR).lose(RankSet.of(1, 2), "no answer").answer(RankSet.of(2))
    assert (account.answered, account.lost, account.pending) == (RankSet.of(2), RankSet.of(1), RankSet.of(0, 3))
    assert account.answer(RankSet.of(1)).missing == ()


def test_who_has_answered_is_not_lost_by_dying():
    account = Account(FOUR).answer(FOUR)
    assert account.lose(RankSet.of(3), "ended: exit 1") is account


def test_one_reason_is_said_once():
    """P10: thousands of ranks that ended alike are one line."""
    account = Account(FOUR).lose(RankSet.of(0), "a").lose(RankSet.of(3), "b").lose(RankSet.of(1), "a")
    assert account.missing == ((RankSet.of(0, 1), "a"), (RankSet.of(3), "b"))


def test_a_request_to_nobody_is_done():
    assert Account(RankSet()).done
