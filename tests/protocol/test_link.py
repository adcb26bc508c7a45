"""One lane in one direction, with every interleaving of sending, receiving, acknowledging, cutting and coming back."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pxshell.protocol.link import CONTROL_LIMITS, WORK_LIMITS, Inbox, Limits, Outbox, Receipt, Resumed
from pxshell.protocol.pieces import PIECE_BYTES, Joiner
from pxshell.protocol.prefix import LinkError, Part

SMALL = Limits(window_bytes=1000, window_frames=4, limit_bytes=3000)
OVERHEAD = 64


def take_all(outbox):
    return [(item.number, bytes(item.frames[0])) for item in outbox.take()]


def test_messages_are_numbered_as_they_are_taken():
    outbox = Outbox(SMALL)
    assert outbox.put([b"a"])
    assert outbox.put([b"b"])
    assert take_all(outbox) == [(1, b"a"), (2, b"b")]
    assert take_all(outbox) == []


def test_the_window_of_frames_holds_the_rest_back_until_it_is_acknowledged():
    """P7."""
    outbox = Outbox(SMALL)
    for number in range(6):
        assert outbox.put([b"%d" % number])
    assert len(take_all(outbox)) == 4
    assert outbox.queued_bytes == 2 * (OVERHEAD + 1)
    assert [bytes(item.frames[0]) for item in outbox.acknowledge(1)] == [b"0"]
    assert take_all(outbox) == [(5, b"4")]


def test_the_window_of_bytes_holds_the_rest_back():
    """P7."""
    outbox = Outbox(SMALL)
    for _ in range(3):
        assert outbox.put([bytes(500)])
    assert len(take_all(outbox)) == 1
    outbox.acknowledge(1)
    assert len(take_all(outbox)) == 1


def test_a_message_larger_than_window_and_limit_goes_alone():
    """P7: size alone never makes a message impossible."""
    outbox = Outbox(SMALL)
    assert outbox.put([bytes(10_000)])
    assert not outbox.put([b"x"])
    assert len(take_all(outbox)) == 1
    assert outbox.put([b"x"])
    assert take_all(outbox) == []
    outbox.acknowledge(1)
    assert take_all(outbox) == [(2, b"x")]


def test_at_the_limit_nothing_is_queued():
    """P7."""
    outbox = Outbox(SMALL)
    while outbox.put([bytes(436)]):
        pass
    assert outbox.queued_bytes == 3000
    assert not outbox.put([b""])
    assert outbox.queued_bytes == 3000


def test_an_urgent_message_overtakes_what_was_not_sent_and_urgent_ones_keep_their_order():
    """P6."""
    outbox = Outbox(Limits(window_bytes=1000, window_frames=2, limit_bytes=1 << 20, piece_bytes=200))
    outbox.put([b"first"])
    outbox.put([bytes(2000)])
    assert [item.part for item in outbox.take()] == [Part.WHOLE, Part.FIRST]
    outbox.put([b"pause"], urgent=True)
    outbox.put([b"signal"], urgent=True)
    outbox.acknowledge(2)
    assert take_all(outbox) == [(3, b"pause"), (4, b"signal")]


def test_the_descriptors_of_a_message_in_pieces_go_with_its_last():
    outbox = Outbox(Limits(window_bytes=1 << 20, window_frames=100, limit_bytes=1 << 20, piece_bytes=200))
    outbox.put([bytes(500)], tag=(7,))
    tags = [item.tag for item in outbox.take()]
    assert tags[-1] == (7,)
    assert set(tags[:-1]) == {None}


def test_acknowledging_what_was_never_sent_is_an_error():
    outbox = Outbox(SMALL)
    outbox.put([b"a"])
    with pytest.raises(LinkError, match="acknowledged 1, but only 0"):
        outbox.acknowledge(1)


def test_after_a_reconnect_only_what_the_peer_lacks_is_sent_again():
    """P2."""
    outbox = Outbox(SMALL)
    for text in (b"a", b"b", b"c"):
        outbox.put([text])
    take_all(outbox)
    resumed, released = outbox.resume(1)
    assert resumed == Resumed(replayed=2, missing=0)
    assert [bytes(item.frames[0]) for item in released] == [b"a"]
    assert take_all(outbox) == [(2, b"b"), (3, b"c")]


def test_a_peer_that_has_less_than_was_released_is_told_of_the_gap():
    """P2: announced, and what is kept still goes."""
    outbox = Outbox(SMALL)
    for text in (b"a", b"b", b"c"):
        outbox.put([text])
    take_all(outbox)
    outbox.acknowledge(2)
    resumed, released = outbox.resume(0)
    assert resumed == Resumed(replayed=1, missing=2)
    assert released == []
    assert take_all(outbox) == [(1, b"c")]
    outbox.put([b"d"])
    assert take_all(outbox) == [(2, b"d")]
    outbox.acknowledge(2)
    assert outbox.is_empty


def test_a_peer_that_has_more_than_was_sent_is_an_error():
    with pytest.raises(LinkError):
        Outbox(SMALL).resume(1)


def test_a_peer_that_has_less_than_nothing_is_an_error():
    """P7: a hello's number is any integer; messages numbered from below zero could not be sent."""
    outbox = Outbox(SMALL)
    outbox.put([b"a"])
    take_all(outbox)
    with pytest.raises(LinkError, match="claims to have received -1"):
        outbox.resume(-1)
    assert outbox.resume(0) == (Resumed(replayed=1, missing=0), [])


def test_everything_held_is_listed_in_order():
    outbox = Outbox(SMALL)
    for number in range(6):
        outbox.put([b"%d" % number])
    take_all(outbox)
    outbox.resume(1)
    assert [bytes(item.frames[0]) for item in outbox.held()] == [b"1", b"2", b"3", b"4", b"5"]
    assert outbox.unacknowledged_bytes == 3 * (OVERHEAD + 1)


def test_an_inbox_tells_new_from_duplicate_and_gap():
    inbox = Inbox(SMALL)
    assert inbox.receive(1, 10) is Receipt.NEW
    assert inbox.receive(1, 10) is Receipt.DUPLICATE
    assert inbox.receive(3, 10) is Receipt.GAP
    assert inbox.receive(2, 10) is Receipt.NEW
    assert inbox.received == 2


@pytest.mark.parametrize("limits", [WORK_LIMITS, CONTROL_LIMITS, SMALL])
def test_acknowledgements_are_due_before_the_sender_runs_out_of_credit(limits):
    """P7: a link that flows never waits for the timer."""
    inbox = Inbox(limits)
    for number in range(1, limits.window_frames):
        inbox.receive(number, 0)
    assert inbox.is_due()
    assert inbox.is_untold
    assert inbox.tell() == limits.window_frames - 1
    assert not inbox.is_due()
    assert not inbox.is_untold
    inbox.receive(limits.window_frames, limits.window_bytes // 4)
    assert inbox.is_due()


def test_control_frames_are_at_most_64_kib():
    outbox = Outbox(CONTROL_LIMITS)
    outbox.put([bytes(500_000)])
    assert max(len(item.frames[0]) for item in outbox.take()) <= PIECE_BYTES == 65_536


class TwoEnds(RuleBasedStateMachine):
    """A sender and a receiver, with a connection between them that may be cut at any moment."""

    limits = Limits(window_bytes=600, window_frames=3, limit_bytes=1500, piece_bytes=150)

    @initialize()
    def start(self):
        self.outbox = Outbox(self.limits)
        self.inbox = Inbox(self.limits)
        self.joiner = Joiner(1 << 20)
        self.wire = deque()
        self.answers = deque()
        self.is_connected = True
        self.largest = 0
        self.count = 0
        self.sent = {True: [], False: []}
        self.received = {True: [], False: []}

    @rule(size=st.integers(0, 800), urgent=st.booleans())
    def put(self, size, urgent):
        text = b"%d:" % self.count + bytes(size)
        if self.outbox.put([text, b"buffer"], urgent=urgent):
            is_urgent = urgent and len(text) + len(b"buffer") + OVERHEAD <= self.limits.piece_bytes
            self.sent[is_urgent].append(text)
            self.count += 1
            self.largest = max(self.largest, len(text) + 400)

    @precondition(lambda self: self.is_connected)
    @rule(most=st.integers(1, 5))
    def send(self, most):
        for item in self.outbox.take():
            self.wire.append(item)
            most -= 1
            if not most:
                break

    @rule(most=st.integers(1, 5))
    def receive(self, most):
        while self.wire and most:
            item = self.wire.popleft()
            receipt = self.inbox.receive(item.number, item.size)
            assert receipt is not Receipt.GAP
            whole = self.joiner.add(item.part, item.frames) if receipt is Receipt.NEW else None
            if whole is not None:
                assert bytes(whole[1]) == b"buffer"
                text = bytes(whole[0])
                self.received[text in self.sent[True]].append(text)
            most -= 1

    @rule()
    def tell(self):
        if self.is_connected:
            self.answers.append(self.inbox.tell())

    @rule()
    def hear(self):
        if self.answers:
            self.outbox.acknowledge(self.answers.popleft())

    @rule()
    def cut(self):
        self.wire.clear()
        self.answers.clear()
        self.is_connected = False

    @precondition(lambda self: not self.is_connected)
    @rule()
    def reconnect(self):
        resumed, _ = self.outbox.resume(self.inbox.tell())
        assert not resumed.missing
        self.is_connected = True

    @invariant()
    def memory_is_bounded(self):
        """P7."""
        if hasattr(self, "outbox"):
            bound = self.limits.limit_bytes + self.limits.window_bytes + 2 * self.largest
            assert self.outbox.queued_bytes + self.outbox.unacknowledged_bytes <= bound

    @invariant()
    def order_is_kept(self):
        """P1, P2."""
        if hasattr(self, "outbox"):
            for kind in (True, False):
                assert self.received[kind] == self.sent[kind][: len(self.received[kind])]

    def teardown(self):
        """P2: at the end everything is there, once and in order."""
        if not hasattr(self, "outbox"):
            return
        self.cut()
        self.reconnect()
        while not self.outbox.is_empty:
            self.send(100)
            self.receive(100)
            self.tell()
            self.hear()
        assert self.received == self.sent


TestTwoEnds = TwoEnds.TestCase


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_queue_is_empty_when_everything_was_acknowledged(texts):
    outbox = Outbox(WORK_LIMITS)
    for text in texts:
        assert outbox.put([text])
    taken = take_all(outbox)
    outbox.acknowledge(len(taken))
    assert outbox.is_empty
    assert (outbox.queued_bytes, outbox.unacknowledged_bytes) == (0, 0)
