"""The tunnel: what goes in comes out, in order, never more than the window, and a loss is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.tunnel import Chunk, Tunnel, TunnelError

WINDOW = 40


def make():
    return Tunnel(window=WINDOW, chunk=8)


@given(st.lists(st.tuples(st.sampled_from(["send", "deliver", "use"]), st.integers(0, 1), st.binary(max_size=30))))
def test_both_directions_arrive_whole_and_in_order_within_the_window(steps):
    """P7: whatever the order of events; and what waits goes out once all has been used."""
    ends = [make(), make()]
    on_the_way = [[], []]  # to end 0, to end 1
    sent, arrived, unused = [b"", b""], [b"", b""], [0, 0]

    def deliver(end):
        chunk = on_the_way[end].pop(0)
        on_the_way[1 - end] += ends[end].receive(chunk)
        arrived[end] += chunk.data
        unused[end] += len(chunk.data)
        assert unused[end] <= WINDOW

    def use(end):
        on_the_way[1 - end] += ends[end].use(unused[end])
        unused[end] = 0

    for step, end, data in steps:
        if step == "send":
            sent[1 - end] += data
            on_the_way[1 - end] += ends[end].send(data)
        elif step == "deliver" and on_the_way[end]:
            deliver(end)
        else:
            use(end)
        assert all(len(chunk.data) <= 8 for way in on_the_way for chunk in way)
    while any(on_the_way):
        for end in (0, 1):
            while on_the_way[end]:
                deliver(end)
            use(end)
    assert arrived == sent
    assert not any(end.is_full for end in ends)


def test_who_has_more_than_the_window_waits_for_credit():
    """P7: and goes on when the other end has used it up."""
    left, right = make(), make()
    chunks = left.send(bytes(WINDOW + 1))
    assert sum(len(chunk.data) for chunk in chunks) == WINDOW
    assert left.is_full
    for chunk in chunks:
        assert right.receive(chunk) == []
    (credit,) = right.use(WINDOW)
    assert credit.to_content() == {"at": 0, "taken": WINDOW}
    (rest,) = left.receive(credit)
    assert (rest.at, len(rest.data), left.is_full) == (WINDOW, 1, False)


def test_little_use_is_not_told_by_itself():
    """It goes along with what is sent."""
    left, right = make(), make()
    for chunk in left.send(b"abc"):
        right.receive(chunk)
    assert right.use(3) == []
    assert [chunk.taken for chunk in right.send(b"d")] == [3]


@pytest.mark.parametrize(
    ("chunk", "says"),
    [
        (Chunk(5, 0, b"x"), "bytes 0 to 5"),
        (Chunk(0, 0, bytes(WINDOW + 1)), "more than it may"),
        (Chunk(0, 4), "4 bytes used up of 3"),
    ],
)
def test_losses_and_floods_are_noticed(chunk, says):
    """P2: a debugger's stream with a hole in it would be read as something else."""
    end = make()
    end.send(b"abc")
    with pytest.raises(TunnelError, match=says):
        end.receive(chunk)
