"""How a process ended is said in words."""

import pytest

from pxshell.protocol.endings import end_line, status_text


@pytest.mark.parametrize(
    ("status", "text", "line"),
    [
        (0, "exit 0", "ended: exit 0"),
        (3, "exit 3", "ended: exit 3"),
        (-9, "signal 9 (KILL)", "ended: signal 9 (KILL)"),
        (-11, "signal 11 (SEGV)", "ended: signal 11 (SEGV)"),
        (-200, "signal 200 (unknown)", "ended: signal 200 (unknown)"),
        (None, "status unknown", "gone, status unknown"),
    ],
)
def test_a_status_is_an_exit_a_signal_or_unknown(status, text, line):
    """P3: why a rank is missing."""
    assert status_text(status) == text
    assert end_line(status) == line


def test_what_was_sent_explains_an_unknown_status_only():
    """A status that is known needs no explanation."""
    assert end_line(None, "KILL was sent to 1") == "gone, status unknown (KILL was sent to 1)"
    assert end_line(3, "KILL was sent to 1") == "ended: exit 3"
