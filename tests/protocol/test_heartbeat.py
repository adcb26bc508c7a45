"""Signs of life, with the time as an argument."""

from pxshell.protocol.heartbeat import Heartbeat, Sign


def signs_at(heartbeat, times):
    return {
        time: signs for time in times if (signs := [sign for sign in heartbeat.tick(time) if sign is not Sign.PING])
    }


def test_every_tick_asks_for_a_sign_of_life():
    heartbeat = Heartbeat(1.0, 2.0, 5.0, now=0.0)
    assert [heartbeat.tick(float(time))[0] for time in range(1, 5)] == [Sign.PING] * 4


def test_a_peer_is_silent_and_lost_once_each():
    """P3."""
    heartbeat = Heartbeat(1.0, 2.0, 5.0, now=0.0)
    assert signs_at(heartbeat, range(1, 20)) == {2: [Sign.SILENT], 5: [Sign.LOST]}
    assert heartbeat.is_silent


def test_a_peer_that_is_heard_is_well_again_and_may_be_silent_again():
    heartbeat = Heartbeat(1.0, 2.0, None, now=0.0)
    assert not heartbeat.heard(0.5)
    assert signs_at(heartbeat, range(1, 6)) == {3: [Sign.SILENT]}
    assert heartbeat.heard(6.0)
    assert not heartbeat.is_silent
    assert signs_at(heartbeat, range(6, 12)) == {8: [Sign.SILENT]}


def test_without_a_limit_nobody_is_lost():
    heartbeat = Heartbeat(1.0, 2.0, None, now=0.0)
    assert signs_at(heartbeat, range(1, 1000)) == {2: [Sign.SILENT]}


def test_a_pause_of_our_own_is_not_held_against_the_peer():
    """P6: a stopped or suspended observer learns nothing about others meanwhile."""
    heartbeat = Heartbeat(1.0, 2.0, 5.0, now=0.0)
    assert signs_at(heartbeat, [1.0, 100.0, 101.0]) == {101.0: [Sign.SILENT]}
    heartbeat = Heartbeat(1.0, 2.0, 5.0, now=0.0)
    heartbeat.tick(1.0)
    heartbeat.heard(1.0)
    assert signs_at(heartbeat, [100.0]) == {}
