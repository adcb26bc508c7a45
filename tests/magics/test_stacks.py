"""`%pxdebug stacks` as it is typed."""

import pytest

from pxshell.protocol.stacks import NO_END, Frame
from pxshell.protocol.stacktree import reply_of
from pxshell.testing.scripted import replies


@pytest.fixture
def seen(magician):
    """Note what the session is asked for."""
    noted = []
    magician.session.stacks = lambda ranks, **options: noted.append((ranks and str(ranks), options))
    return noted


@pytest.mark.parametrize(
    ("line", "ranks", "options"),
    [
        ("", None, {}),
        ("-t 0-1 --full", "0-1", {"full": True}),
        ("--locals step,u.shape", None, {"names": ("step", "u.shape")}),
        ("--every 0.5 --count 3", None, {"every": 0.5, "count": 3}),
        ("--every 2", None, {"every": 2.0, "count": 5}),
        ("--timeout 9", None, {"timeout": 9.0}),
    ],
)
def test_options_are_read(magician, seen, line, ranks, options):
    assert magician.run(f"%pxdebug stacks {line}") == ""
    assert seen == [(ranks, options)]


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("everywhere", "what is 'everywhere'? %pxdebug stacks [-t RANKS]"),
        ("--locals f()", "'f()' is no name"),
        ("--count none", "--count takes a number of looks from 1 on, not 'none'"),
        ("--count 0", "--count takes a number of looks from 1 on, not '0'"),
        ("--every soon", "'soon' is no number of seconds"),
        ("-t 9", "9"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(magician, seen, line, refused):
    """P10."""
    text = magician.run(f"%pxdebug stacks {line}")
    assert refused in text
    assert text.count("\n") == 1
    assert seen == []


def test_the_tree_is_shown(magician):
    reply = reply_of([Frame("/home/me/sim.py", 3, "<module>")], NO_END)
    magician.client.on("px_stacks_request", replies("px_stacks_reply", (None, reply)))
    assert magician.run("%pxdebug stacks") == "<module>  sim.py:3   [0-3]\n"


def test_the_watchdog_is_set(magician):
    magician.run("%pxconfig --watchdog 60")
    assert magician.session.config.watchdog == 60.0
