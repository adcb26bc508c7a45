"""What every driver does, from both sides."""

import os
import random
import time

import msgspec
import pytest

from pxshell.errors import AuthenticationError, LinkLostError, UsageError, VersionMismatchError
from pxshell.protocol.types import Lane, Role
from pxshell.transport.base import make_hello

# A type of each lane, up and down.
UP = {Lane.WORK: "stream", Lane.CONTROL: "px_state"}
DOWN = {Lane.WORK: "execute_request", Lane.CONTROL: "complete_request"}


def test_both_ends_join_once_and_know_each_other(driver):
    driver.start(hello=make_hello(driver.role, rank=3, size=4, script="sim.py"))
    assert driver.above.events == ["hello", "joined"]
    assert driver.below.events == ["joined"]
    peer = driver.above.peer
    assert (peer.role, peer.hello.rank, peer.hello.size, peer.hello.script) == (driver.role, 3, 4, "sim.py")
    assert peer.pid == driver.below.peer.pid == os.getpid()
    assert list(driver.server.peers) == [peer]
    assert driver.connector.peer is driver.below.peer
    assert driver.above.proof.pid == (os.getpid() if driver.proves_pid else None)


def test_messages_arrive_in_order_on_each_lane_both_ways(driver):
    """P1."""
    driver.start()
    for number in range(200):
        for lane in Lane:
            driver.until(lambda: driver.up(UP[lane], number), "there is room up")  # noqa: B023
            driver.until(lambda: driver.down(DOWN[lane], number), "there is room down")  # noqa: B023
    expected = [str(number) for number in range(200)]
    for recorder in (driver.above, driver.below):
        driver.until(lambda: len(recorder.messages) == 400, "all have arrived")  # noqa: B023
        assert recorder.ids(Lane.WORK) == recorder.ids(Lane.CONTROL) == expected


def test_a_message_arrives_as_it_was_sent(driver):
    driver.start()
    buffers = [b"", os.urandom(10), os.urandom(300_000), b"x" * 65_536]
    content = {"data": {"text/plain": "ü" * 5000}}
    assert driver.up("display_data", "m", content=content, buffers=buffers, key="k", epoch=3)
    driver.until(lambda: driver.above.messages, "it has arrived")
    message = driver.above.messages[0]
    assert [bytes(buffer) for buffer in message.buffers] == buffers
    assert (message.data(), message.header.key, message.header.epoch) == (content, "k", 3)


def test_a_large_message_on_work_does_not_hold_back_control(driver):
    """P6: 200 MB are pushed, and the pause comes first."""
    driver.start()
    driver.slow_down(Lane.WORK)
    assert driver.down("px_push_request", "push", buffers=[bytes(200 << 20)])
    assert driver.down("px_pause_request", "pause")
    driver.until(lambda: driver.below.messages, "the first has arrived")
    assert driver.below.messages[0].id == "pause"


def test_a_long_control_message_does_not_hold_back_a_pause(driver):
    """P6: the pieces that still wait are overtaken, and come together behind."""
    driver.start()
    text = os.urandom(100_000).hex()
    assert driver.down("px_log_request", "long", content={"text": text})
    assert driver.down("px_pause_request", "pause")
    assert driver.down("complete_request", "after")
    driver.until(lambda: len(driver.below.messages) == 3, "all have arrived")
    assert driver.below.ids(Lane.CONTROL) == ["pause", "long", "after"]
    assert driver.below.messages[1].data() == {"text": text}


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_or_twice_over_cut_and_mended_connections(driver, seed):
    """P2."""
    driver.start(keep=True)
    chance = random.Random(seed)
    sent = {("up", lane): 0 for lane in Lane} | {("down", lane): 0 for lane in Lane}
    for _ in range(400):
        way, lane = chance.choice(list(sent))
        send, kinds = (driver.up, UP) if way == "up" else (driver.down, DOWN)
        if send(kinds[lane], sent[way, lane], content={"text": "x" * chance.choice([1, 5000, 30_000])}):
            sent[way, lane] += 1
        if chance.random() < 0.03:
            driver.cut(chance.choice(list(Lane)))
        for _ in range(chance.randrange(4)):
            driver.step()
        driver.mend()
    for (way, lane), count in sent.items():
        recorder = driver.above if way == "up" else driver.below

        def have_all(recorder=recorder, lane=lane, count=count):
            driver.mend()
            return len(recorder.ids(lane)) >= count

        driver.until(have_all, f"all {count} have gone {way} on {lane.name}")
        assert recorder.ids(lane) == [str(number) for number in range(count)]
    assert driver.above.events.count("joined") == driver.below.events.count("joined") == 1
    assert "left" not in driver.above.events + driver.below.events


def test_a_cut_peer_that_comes_back_is_silent_meanwhile(driver):
    driver.start(keep=True)
    driver.cut(Lane.WORK)
    driver.until(lambda: "silent" in driver.above.events, "the server has noticed", [driver.server_loop])
    driver.until(lambda: "silent" in driver.below.events, "the connector has noticed", [driver.loop])
    driver.mend()
    driver.until(lambda: "heard" in driver.above.events and "heard" in driver.below.events, "both are well again")


def test_a_receiver_that_does_not_read_bounds_the_senders_memory(driver):
    """P7, with credit only: the sender learns that there is no room, and when there is room again."""
    driver.start()
    accepted = 0
    while driver.up("stream", accepted, content={"text": "x" * 10_000}):
        accepted += 1
        driver.loop.run_once()
        assert accepted < 10_000
    end = driver.connector._link.end(Lane.WORK)
    limits = driver.settings.work
    assert driver.connector.queued(Lane.WORK) <= limits.limit_bytes
    assert end.outbox.unacknowledged_bytes <= limits.window_bytes
    assert driver.up("px_state", "other lane")
    driver.until(lambda: len(driver.above.ids(Lane.WORK)) == accepted, "all that was accepted has arrived")
    assert driver.above.ids(Lane.WORK) == [str(number) for number in range(accepted)]
    assert driver.below.events.count("drained WORK") == 1
    assert driver.up("stream", accepted)


def test_a_refused_hello_shows_its_line(driver):
    """P10."""
    driver.above.why_not = "rank 3 is taken by process 4711; a rank has one process"
    driver.start(joined=False)
    what = "the refusal is known"
    if driver.connector.__class__.__name__ == "UnixListener":
        driver.until(lambda: "hello" in driver.above.events and driver.connector._free_lane() is Lane.WORK, what)
    else:
        driver.until(lambda: driver.below.error, what)
        assert isinstance(driver.below.error, UsageError)
        assert str(driver.below.error) == driver.above.why_not
        assert driver.connector.error is driver.below.error
    assert "joined" not in driver.above.events + driver.below.events
    assert not driver.server.peers


def test_another_version_is_refused_by_name(driver):
    """P10."""
    driver.start(joined=False, hello=make_hello(driver.role, version="0.0.9", protocol=0))
    if driver.connector.__class__.__name__ == "UnixListener":
        driver.until(lambda: driver.connector._free_lane() is Lane.WORK, "it was refused")
    else:
        driver.until(lambda: driver.below.error, "the refusal is known")
        # Both ends of a test have one version; what the refused end makes of another one is tested with its words.
        assert "0.0.9 (protocol 0)" in str(driver.below.error)
    assert driver.above.events == []


def test_a_role_that_nothing_proves_is_refused(driver):
    """P9."""
    if driver.__class__.__name__ == "Inprocess":
        pytest.skip("this driver lets every role in")
    other = Role.OPERATOR if driver.role is not Role.OPERATOR else Role.NODE
    driver.start(joined=False, hello=make_hello(other))
    if driver.connector.__class__.__name__ == "UnixListener":
        driver.until(lambda: driver.connector._free_lane() is Lane.WORK, "it was refused")
    else:
        driver.until(lambda: driver.below.error, "the refusal is known")
        assert isinstance(driver.below.error, AuthenticationError)
    assert driver.above.events == []


def test_a_type_that_the_role_may_not_send_is_denied_and_not_delivered(driver):
    """P9."""
    driver.start()
    assert driver.up("execute_request", "r1", origin="me")
    driver.until(lambda: driver.below.messages, "the answer is here")
    denied = driver.below.messages[0]
    assert (denied.type, denied.parent, denied.header.origin) == ("px_denied", "r1", "me")
    assert "may not send execute_request" in denied.data()["why"]
    assert driver.above.messages == []


def test_a_silent_peer_is_noticed_and_heard_again(driver):
    """P6."""
    driver.start(ping_interval=0.02, unresponsive_after=0.1)
    driver.until(lambda: "silent" in driver.above.events, "the silence is noticed", [driver.server_loop])
    driver.until(lambda: "heard" in driver.above.events, "it is heard again")
    # More than once if this process stands still just then.
    assert driver.above.events[:4] == ["hello", "joined", "silent", "heard"]
    driver.until(lambda: "silent" in driver.below.events, "the server's silence is noticed", [driver.loop])


def test_ends_that_are_watched_closely_notice_each_others_silence_in_shorter_time(driver):
    """P8: an editor's tunnel needs it; by the other limits neither would notice anything within this test."""
    driver.start(ping_interval=1000.0, unresponsive_after=1000.0, close_interval=0.02, close_after=0.1)
    driver.server.watch_closely(driver.above.peer, closely=True)
    driver.until(lambda: driver.connector._is_close, "the connector has heard of it")
    driver.until(lambda: "silent" in driver.above.events, "the silence is noticed", [driver.server_loop])
    driver.until(lambda: "heard" in driver.above.events, "it is heard again")
    driver.until(lambda: "silent" in driver.below.events, "the server's silence is noticed", [driver.loop])
    driver.until(lambda: "heard" in driver.below.events, "and it too is heard again")
    driver.server.watch_closely(driver.above.peer, closely=False)
    driver.until(lambda: not driver.connector._is_close, "the connector has heard of the end of it")


def test_a_closed_connector_has_left_once(driver):
    driver.start(keep=True)
    driver.connector.close()
    driver.until(lambda: "left" in driver.above.events, "it has left")
    for _ in range(20):
        driver.step()
    assert driver.above.events == ["hello", "joined", "left"]
    assert driver.below.events == ["joined"]
    assert driver.above.why_left == "it has left"
    assert not driver.up("stream")
    assert not driver.down("execute_request")


def test_a_dropped_peer_learns_why_once(driver):
    driver.start(keep=True)
    driver.server.drop(driver.above.peer, "rank 3 was restarted since")
    assert driver.above.events[-1] == "left"
    driver.until(lambda: "left" in driver.below.events, "it knows")
    for _ in range(20):
        driver.step()
    assert driver.above.events.count("left") == driver.below.events.count("left") == 1
    assert driver.below.why_left == "rank 3 was restarted since"


def test_a_closed_server_has_left_once(driver):
    driver.start()
    driver.server.close()
    driver.until(lambda: "left" in driver.below.events, "it knows")
    assert driver.below.events == ["joined", "left"]
    assert driver.above.events == ["hello", "joined"]


def test_a_cut_without_return_ends_the_link_on_both_sides_once(driver):
    driver.start()
    driver.cut(Lane.CONTROL)
    driver.until(lambda: "left" in driver.above.events and "left" in driver.below.events, "both know")
    for _ in range(20):
        driver.step()
    assert driver.above.events.count("left") == driver.below.events.count("left") == 1


def test_a_peer_that_does_not_come_back_in_time_has_left(driver):
    driver.start(keep=True, keep_for=0.05)
    driver.cut(Lane.CONTROL)
    driver.until(lambda: "left" in driver.above.events, "it has left", [driver.server_loop])
    assert "did not come back" in driver.above.why_left


def test_closing_with_linger_delivers_everything_first(driver):
    """P2."""
    driver.start()
    count = 0
    while driver.up("stream", count, content={"text": "x" * 10_000}):
        count += 1
    done = []
    driver.connector.close(linger=20.0, done=lambda: done.append(True))
    assert not driver.up("stream")
    driver.until(lambda: done and "left" in driver.above.events, "all is done")
    assert driver.above.ids(Lane.WORK) == [str(number) for number in range(count)]


def test_a_server_that_ends_meanwhile_ends_the_lingering(driver):
    driver.start()
    driver.up("stream")
    done = []
    driver.connector.close(linger=60.0, done=lambda: done.append(True))
    driver.server.close()
    driver.until(lambda: done, "it is over", [driver.loop])
    assert done == [True]


def test_closing_with_linger_does_not_wait_for_ever(driver):
    driver.start()
    driver.up("stream")
    done = []
    driver.connector.close(linger=0.05, done=lambda: done.append(True))
    driver.until(lambda: done, "it is over", [driver.loop])
    assert done == [True]


def test_messages_sent_before_joining_arrive_after_it(driver):
    driver.start(joined=False)
    assert driver.up("stream", 1)
    driver.until(lambda: driver.above.messages, "it has arrived")
    assert driver.above.events == ["hello", "joined", "stream"]


def test_a_process_that_was_forgotten_joins_anew_and_sends_again_what_was_not_acknowledged(driver):
    """P8: the server has died and another one is there; requests are idempotent by their id."""
    driver.start(keep=True, acknowledge_after=60.0)
    driver.up("stream", "first")
    driver.until(lambda: driver.above.messages, "it has arrived, and was not acknowledged")
    session = driver.server._sessions.pop(driver.above.peer.id)
    session.link.release()
    for wire in driver.server._wires_of(session):
        driver.server._wires.pop(wire)
        wire.close()
    for lane in Lane:
        driver.cut(lane)

    def is_joined_again():
        driver.mend()
        return driver.above.events.count("joined") == driver.below.events.count("joined") == 2

    driver.until(is_joined_again, "they have joined again")
    assert driver.below.events.count("left") == 1
    driver.up("stream", "second")
    driver.until(lambda: len(driver.above.messages) == 3, "both are there")
    assert driver.above.ids(Lane.WORK) == ["first", "first", "second"]


def test_a_failing_handler_takes_no_link_down(driver, caplog):
    driver.start()
    driver.above.message_received = lambda *_: 1 / 0
    driver.up("stream", 1)
    driver.until(lambda: "ZeroDivisionError" in caplog.text, "it has failed")
    del driver.above.message_received
    driver.up("stream", 2)
    driver.until(lambda: driver.above.ids(Lane.WORK) == ["2"], "the next has arrived")


def test_a_handler_may_drop_the_peer_while_it_takes_a_message(driver):
    driver.start()
    driver.above.message_received = lambda peer, *_: driver.server.drop(peer, "enough")
    driver.up("stream", 1)
    driver.up("stream", 2)
    driver.until(lambda: "left" in driver.below.events, "it is dropped")
    assert driver.above.events.count("left") == 1


def test_descriptors_go_with_their_message(driver):
    if not driver.passes_fds:
        pytest.skip("descriptors do not travel over ZeroMQ")
    driver.start()
    out, into = os.pipe()
    assert driver.down("execute_request", "before")
    message = driver.below.messages
    from pxshell.protocol.message import Message

    assert driver.server.send(driver.above.peer, Message.make("px_output", "o", {"token": "t"}), (into,))
    os.close(into)
    driver.until(lambda: driver.below.fds, "it is here")
    assert [each.id for each in message] == ["before", "o"]
    (copy,) = driver.below.fds
    assert not os.get_inheritable(copy)
    os.write(copy, b"text")
    os.close(copy)
    assert os.read(out, 10) == b"text"
    # The sender's copy goes with the acknowledgement, and the reader sees the end.
    outbox = driver.server._sessions[driver.above.peer.id].link.end(Lane.WORK).outbox
    driver.until(lambda: outbox.is_empty, "it is acknowledged")
    assert os.read(out, 10) == b""
    os.close(out)


def test_nobody_to_connect_to_is_one_error(driver):
    if driver.__class__.__name__ == "UnixListening":
        pytest.skip("it waits for whoever comes")
    driver.start_server()
    driver.server.close()
    driver.connect(make_hello(driver.role))
    driver.until(lambda: driver.below.error, "it is known")
    assert isinstance(driver.below.error, LinkLostError)
    assert driver.below.events == ["failed"]


def test_the_error_for_another_version_names_both():
    """P10."""
    from pxshell.protocol.prefix import Refused
    from pxshell.transport.admission import refusal_error

    error = refusal_error(Refused(why="x", version="9.9", protocol=9), "the controller")
    assert isinstance(error, VersionMismatchError)
    assert "pxshell 9.9 (protocol 9)" in str(error)
    assert msgspec.msgpack.encode(Refused(why="x"))


def test_an_idle_link_wakes_its_connector_at_most_twice_a_second(driver):
    driver.start()

    def wakes():
        count, end = 0, time.monotonic() + 2.0
        while (left := end - time.monotonic()) > 0:
            driver.server_loop.run_once(0.002)
            count += driver.loop.run_once(min(left, 0.002))
        return count

    # What joining says may still be under way on a busy machine, and make the first two seconds livelier.
    driver.until(lambda: wakes() <= 5, "it is idle")


def test_a_lane_whose_other_one_hangs_takes_no_more_than_its_window(inprocess):
    """P7, P2: a flood on the lane that is welcomed waits at its sender, and comes whole and once when both are."""
    inprocess.start(keep=True, joined=False)
    inprocess.connector._attempts[Lane.CONTROL].wire.is_held = True
    inprocess.until(lambda: "joined" in inprocess.above.events, "the server has both")
    accepted = 0
    while inprocess.down("execute_request", accepted, content={"text": "x" * 10_000}):
        accepted += 1
        inprocess.step()
        assert accepted < 1000
    held = sum(len(frame) for _, frames, _ in inprocess.connector._early for frame in frames)
    assert 0 < held <= inprocess.settings.work.window_bytes
    assert inprocess.below.events == []
    inprocess.cut(Lane.WORK)
    inprocess.until(lambda: inprocess.connector._attempts[Lane.WORK].is_welcome, "the lane has come back")
    control = inprocess.connector._attempts[Lane.CONTROL].wire
    control.release()
    inprocess.until(lambda: len(inprocess.below.messages) == accepted, "all have come")
    assert inprocess.below.ids(Lane.WORK) == [str(number) for number in range(accepted)]
    assert inprocess.below.events[0] == "joined"
