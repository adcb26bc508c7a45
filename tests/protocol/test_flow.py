"""What waits in a relay, for how long, and when it goes on."""

from random import Random

from histories import as_read, interleaved, said_whole, spoken, stream
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.flow import FLUSH_BYTES, LONG_WINDOW, MANY_MESSAGES, SHORT_WINDOW, UpwardFlow
from pxshell.protocol.message import Message
from pxshell.protocol.pending import PendingReplies
from pxshell.ranks import RankSet

ALL = RankSet.span(0, 4)


def a_flow(expected=ALL, **options):
    return UpwardFlow(lambda _: expected, **options)


def texts(messages):
    return [(str(message.ranks), message.data()["text"]) for message in messages]


def test_what_all_have_said_goes_on_at_once():
    flow = a_flow()
    for rank in range(3):
        assert flow.add(stream(rank, "a\n"), 1.0) == []
    assert texts(flow.add(stream(3, "a\n"), 1.0)) == [("0-3", "a\n")]
    assert flow.deadline is None


def test_a_rank_that_lags_holds_nobody_back_beyond_the_window():
    """P6: the window begins with the first that waits, and is not put off by those that follow."""
    flow = a_flow()
    assert flow.deadline is None
    flow.add(stream(0, "a\n"), 1.0)
    assert flow.deadline == 1.0 + SHORT_WINDOW
    flow.add(stream(1, "a\n"), 1.001)
    assert flow.deadline == 1.0 + SHORT_WINDOW
    assert texts(flow.flush()) == [("0-1", "a\n")]
    assert flow.deadline is None
    assert texts(flow.add(stream(2, "a\n"), 2.0) + flow.flush()) == [("2", "a\n")]


def window_of(flow, now=5.0):
    flow.add(stream(0, "x\n"), now)
    return round(flow.deadline - now, 9)


def test_the_window_grows_while_windows_fill_and_falls_back_when_one_is_empty():
    flow = a_flow()
    seen = []
    for _ in range(7):
        seen.append(window_of(flow))
        flow.add(stream(1, "y\n"), 5.0)
        flow.flush()
    assert seen == [SHORT_WINDOW * 2**n for n in range(5)] + [LONG_WINDOW] * 2
    window_of(flow)
    flow.flush()
    assert window_of(flow) == SHORT_WINDOW


def test_the_window_grows_while_many_say_the_same():
    """P4: a thousand nodes with one answer fill windows too, and a few ranks with one answer do not."""
    flow = a_flow(RankSet.span(0, 1000))
    for rank in range(MANY_MESSAGES):
        flow.add(stream(rank, "x\n"), 5.0)
    flow.flush()
    assert window_of(flow) == 2 * SHORT_WINDOW
    flow.add(stream(1, "x\n"), 5.0)
    flow.flush()
    assert window_of(flow) == SHORT_WINDOW


def test_the_longest_window_is_the_lanes():
    flow = a_flow(longest=0.003)
    for _ in range(3):
        window_of(flow)
        flow.add(stream(1, "y\n"), 5.0)
        flow.flush()
    assert window_of(flow) == 0.003


def reply(rank):
    return said_whole(rank, "execute_reply", "ok", parent="r")


def test_answers_wait_for_nobody_once_all_have_answered():
    """What stands before them, such as a state that one rank has told, could be joined for a whole window."""
    pending = PendingReplies()
    pending.alive = ALL
    pending.begin(Message.make("execute_request", "r", {}, ranks=ALL), ALL)
    flow = UpwardFlow(pending.expected)
    said = []
    for message in (
        reply(0),
        reply(1),
        stream(2, "busy\n", parent=""),
        reply(2),
        stream(2, "late\n", parent=""),
        reply(3),
    ):
        assert said == []
        said += flow.add(message, 1.0)
        if pending.answered(message):
            said += flow.end("r", 1.0)
    told = [(message.type, str(message.ranks)) for message in said]
    assert told == [("execute_reply", "0-1,3"), ("stream", "2"), ("execute_reply", "2")]
    assert flow.deadline is not None, "what came after them waits"


def test_a_flood_goes_on_before_its_window_ends():
    """P7: what waits is bounded."""
    flow = a_flow()
    big = "x" * (FLUSH_BYTES - 10) + "\n"
    assert flow.add(stream(0, big), 1.0) == []
    assert texts(flow.add(stream(1, "0123456789\n"), 1.0)) == [("0", big), ("1", "0123456789\n")]
    assert flow.deadline is None


def test_when_ranks_have_gone_what_waited_for_them_goes_on():
    """P3: nothing waits for the dead."""
    pending = PendingReplies()
    pending.alive = ALL
    flow = UpwardFlow(pending.expected)
    for rank in range(3):
        assert flow.add(stream(rank, "a\n"), 1.0) == []
    pending.gone(RankSet.of(3))
    assert texts(flow.take(1.0)) == [("0-2", "a\n")]
    assert flow.take(1.0) == [] and flow.deadline is None


def test_what_nobody_can_join_does_not_wait():
    """P6: a question for input, a comm."""
    assert len(a_flow().add(said_whole(0, "input_request", "name?"), 1.0)) == 1


def test_what_one_rank_alone_can_say_goes_on_as_it_is():
    """P7: a flood of one rank is not cut into lines and put together again."""
    flow = a_flow(expected=RankSet.of(2))
    said = stream(2, "a\nb\n")
    assert flow.add(said, 1.0) == [said.with_header(mark=0, digest=b"")]
    assert flow.deadline is None
    plain = flow.add(said, 1.0)[0]
    assert flow.add(plain, 1.0)[0] is plain


def test_what_the_only_relay_below_has_folded_goes_on_as_it_is_and_behind_what_waits():
    """P1: nobody who is not there already can join it; but what was said before goes first."""
    flow = a_flow()
    reply = said_whole(0, "execute_reply", "ok")
    assert flow.add(reply, 1.0, settled=ALL) == [reply]
    assert flow.add(stream(1, "a\n"), 1.0, settled=RankSet.span(1, 3)) == []
    assert flow.add(stream(0, "b\n"), 1.0, settled=ALL) == []
    assert texts(flow.flush()) == [("1", "a\n"), ("0", "b\n")]


@given(spoken(ranks=4), st.randoms(use_true_random=False), st.sets(st.integers(0, 3)))
def test_whatever_comes_when_all_goes_on_in_order(histories, rng: Random, late):
    """P1, P2, P3: with late ranks, deaths and windows that end at any moment."""
    pending = PendingReplies()
    pending.alive = RankSet.span(0, len(histories)) - RankSet(late)
    flow = UpwardFlow(pending.expected)
    messages = interleaved(histories, rng)
    out = []
    for now, message in enumerate(messages):
        pending.alive |= message.ranks
        settled = RankSet(rank for rank in range(4) if rng.random() < 0.5)
        out += flow.add(message, float(now), settled)
        pending.answered(message)
        if rng.random() < 0.1:
            pending.gone(message.ranks)
            out += flow.take(float(now))
        if flow.deadline is not None and flow.deadline < now + rng.random():
            out += flow.flush()
        assert flow.deadline is None or flow.deadline <= now + LONG_WINDOW
    assert as_read(out + flow.flush()) == as_read(messages)
