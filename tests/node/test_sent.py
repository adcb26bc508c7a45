"""What explains an end whose status nobody knows."""

import signal

from pxshell.node.sent import SentSignals


def test_a_deadly_signal_explains_the_ends_that_follow():
    """P3: each rank ends with the reason, as far as it can be known."""
    now = [0.0]
    sent = SentSignals(lambda: now[0])
    assert sent.text == ""
    sent.note(1, signal.SIGKILL)
    sent.note(2, signal.SIGKILL)
    assert sent.text == "KILL was sent to 1-2"
    sent.note(0, signal.SIGTERM)
    assert sent.text == "TERM was sent to 0"
    now[0] = 60.0
    assert sent.text == ""
    sent.note(3, signal.SIGTERM)
    assert sent.text == "TERM was sent to 3"


def test_a_signal_that_ends_nothing_explains_nothing():
    """USR1 is for the program."""
    sent = SentSignals(lambda: 0.0)
    sent.note(1, signal.SIGUSR1)
    assert sent.text == ""
