"""A destination that may be slow gets what it can take, notice of what was cut, and all else in order."""

import pytest
from histories import said_whole, stream
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.message import Message
from pxshell.protocol.outlet import Outlet
from pxshell.protocol.types import Lane
from pxshell.ranks import RankSet


class Link:
    """A destination with a limit in messages for each lane."""

    def __init__(self) -> None:
        self.room = dict.fromkeys(Lane, 0)
        self.sent: list[Message] = []
        self.outlet = Outlet(self._send, lambda ranks: f"rank-{ranks}.log")

    def _send(self, message: Message) -> bool:
        if self.room[message.lane] == 0:
            return False
        self.room[message.lane] -= 1
        self.sent.append(message)
        return True

    def drain(self, lane: Lane = Lane.WORK, room: int = 1000) -> None:
        self.room[lane] = room
        self.outlet.drained(lane)


@pytest.fixture
def link():
    return Link()


def what(messages):
    return [message.data().get("text", message.type) for message in messages]


def test_with_room_everything_goes_at_once(link):
    link.room[Lane.WORK] = 2
    link.outlet.deliver(stream(0, "a\n"))
    link.outlet.deliver(said_whole(0, "execute_reply", "ok"))
    assert what(link.sent) == ["a\n", "execute_reply"]


def test_a_cut_says_how_much_of_whom_is_missing_and_where_it_is(link):
    """P2: bytes and lines of the text, not of its encoding."""
    for rank, text in ((0, "größer\n" * 10), (3, "x" * 10), (3, "\n")):
        link.outlet.deliver(stream(rank, text, origin="client"))
    link.outlet.deliver(picture := said_whole(1, "display_data", "x", origin="client"))
    link.drain()
    (cut,) = link.sent
    assert cut.data() == {"bytes": 90 + 11 + picture.size, "lines": 11, "file": "rank-0-1,3.log"}
    assert (cut.type, cut.ranks, cut.parent, cut.header.origin) == ("px_cut", RankSet.of(0, 1, 3), "cell", "client")


def test_each_cell_of_each_client_has_a_notice_of_its_own(link):
    """P2: and no two notices are taken for one (P4)."""
    for parent, origin in (("c1", "a"), ("c2", "a"), ("c1", "b")):
        link.outlet.deliver(stream(0, "x\n", parent=parent, origin=origin, id=f"{parent}{origin}"))
    link.drain()
    assert [(cut.parent, cut.header.origin) for cut in link.sent] == [("c1", "a"), ("c2", "a"), ("c1", "b")]
    other = Link()
    other.outlet.deliver(stream(1, "x\n", id="elsewhere"))
    other.drain()
    assert len({cut.id for cut in (*link.sent, *other.sent)}) == 4


def test_answers_wait_behind_the_notice(link):
    """P1: what was cut before the answer is announced before it."""
    link.outlet.deliver(stream(0, "a\n"))
    link.outlet.deliver(said_whole(0, "error", "x"))
    link.outlet.deliver(said_whole(0, "execute_reply", "error"))
    link.drain(room=0)
    assert link.sent == []
    link.drain(room=2)
    assert what(link.sent) == ["px_cut", "error"]
    link.outlet.deliver(stream(0, "late\n"))
    link.drain()
    assert what(link.sent) == ["px_cut", "error", "px_cut", "execute_reply"]
    link.outlet.deliver(stream(0, "b\n"))
    assert what(link.sent)[4:] == ["b\n"]


def test_no_answer_overtakes_a_notice_that_finds_no_room():
    """P1: though a smaller message would."""
    sent = []
    refuse = {"px_cut", "stream"}
    outlet = Outlet(lambda message: message.type not in refuse and not sent.append(message.type), str)
    outlet.deliver(stream(0, "a\n"))
    outlet.deliver(said_whole(0, "execute_reply", "ok"))
    outlet.drained(Lane.WORK)
    assert sent == []
    refuse.clear()
    outlet.drained(Lane.WORK)
    assert sent == ["px_cut", "execute_reply"]


def test_a_full_work_lane_does_not_hold_up_control(link):
    """P6: and control is never cut."""
    link.outlet.deliver(stream(0, "a\n"))
    link.outlet.deliver(said_whole(0, "px_state", "busy"))
    link.outlet.deliver(said_whole(0, "px_state", "idle"))
    link.drain(Lane.CONTROL)
    assert [message.type for message in link.sent] == ["px_state"] * 2
    link.outlet.deliver(said_whole(0, "px_state", "paused"))
    assert len(link.sent) == 3


def test_nothing_overtakes_what_waits_though_there_is_room_again(link):
    """P1: until the link has said so."""
    for lane, kind in ((Lane.WORK, "execute_reply"), (Lane.CONTROL, "px_state")):
        link.outlet.deliver(said_whole(0, kind, "first"))
        link.room[lane] = 5
        link.outlet.deliver(said_whole(0, kind, "second"))
        link.drain(lane)
    assert [message.data()["what"] for message in link.sent] == ["first", "second"] * 2


said = st.lists(
    st.one_of(
        st.tuples(st.just("stream"), st.integers(0, 2), st.sampled_from(["a\n", "bb\ncc\n", "é", "x" * 40])),
        st.tuples(st.sampled_from(["execute_reply", "px_state", "error"]), st.integers(0, 2), st.just("")),
        st.tuples(st.just("drain"), st.sampled_from(Lane), st.integers(0, 4)),
    ),
    max_size=40,
)


@given(said)
def test_all_text_is_either_sent_or_counted_and_all_else_is_sent_in_order(steps):
    """P2: nothing lost without notice, nothing twice; P1: in order."""
    link, given_in = Link(), []
    for n, (kind, who, text) in enumerate(steps):
        if kind == "drain":
            link.drain(who, text)
            continue
        message = stream(who, text, id=f"{n}") if kind == "stream" else said_whole(who, kind, "x", id=f"{n}")
        given_in.append(message)
        link.outlet.deliver(message)
    for lane in Lane:
        link.drain(lane)
    cuts = [message.data() for message in link.sent if message.type == "px_cut"]
    went = {message.id for message in link.sent}
    lost = [message.data()["text"] for message in given_in if message.id not in went]
    assert sum(cut["bytes"] for cut in cuts) == sum(len(text.encode()) for text in lost)
    assert sum(cut["lines"] for cut in cuts) == sum(text.count("\n") for text in lost)
    for lane in Lane:
        kept = [message for message in given_in if message.lane is lane and message.id in went]
        assert [message for message in link.sent if message.lane is lane and message.type != "px_cut"] == kept
    assert len(link.sent) == len(went), "each notice has an id of its own"
