"""The table of message types: each has a lane, a way, a sender and a way to fold."""

import re
from pathlib import Path

import pytest

from pxshell.protocol import types
from pxshell.protocol.types import TYPES, Direction, Fold, Lane, Role, lane_of, may_send, type_of

CLIENTS = (Role.OPERATOR, Role.OBSERVER)
READ_ONLY = {
    *("px_stacks_request", "px_where_request", "px_status_request", "px_log_request"),
    *("px_limits_request", "px_history_request", "px_pace"),
}


def test_each_type_has_one_row():
    assert len(TYPES) == len(types._ROWS)
    assert all(TYPES[row.name] is row for row in types._ROWS)


def test_what_is_urgent_is_on_control():
    """P6: it overtakes work."""
    for name in ("px_pause_request", "px_signal_request", "px_stacks_request", "interrupt_request", "px_state"):
        assert lane_of(name) is Lane.CONTROL
    for name in ("execute_request", "execute_reply", "stream", "px_place", "px_cut"):
        assert lane_of(name) is Lane.WORK


def test_requests_and_their_replies_share_a_lane():
    """P1: a reply cannot overtake what was said before it. What a person types for input() is urgent."""
    for name in TYPES:
        reply = name.replace("_request", "_reply")
        if name.endswith("_request") and TYPES[name].direction is Direction.DOWN and reply in TYPES:
            assert lane_of(name) == lane_of(reply), name


def test_observers_only_look():
    """P9: what runs code, stops or changes anything needs an operator."""
    assert {name for name in TYPES if may_send(Role.OBSERVER, name)} == READ_ONLY


@pytest.mark.parametrize("name", TYPES)
def test_clients_send_down_and_ranks_send_up(name):
    """P9: nobody speaks in another's place."""
    row = TYPES[name]
    for role in (Role.NODE, Role.ENGINE):
        assert may_send(role, name) == (row.direction is not Direction.DOWN)
    if row.direction is Direction.UP or row.needs is Role.NODE:
        assert not any(may_send(role, name) for role in CLIENTS)
    else:
        assert may_send(Role.OPERATOR, name)


def test_an_unknown_type_is_nobodys_and_delays_nobody():
    """P9, P6."""
    assert type_of("from_the_future") is None
    assert lane_of("from_the_future") is Lane.WORK
    assert not any(may_send(role, "from_the_future") for role in Role)


def test_only_what_ranks_say_folds():
    """P4: never what is for one rank: comms, input, values."""
    assert all(row.direction is Direction.UP for row in TYPES.values() if row.fold is not Fold.NEVER)
    for name in ("comm_msg", "input_request", "px_pull_reply", "px_apply_reply", "px_cut"):
        assert TYPES[name].fold is Fold.NEVER
    assert TYPES["stream"].fold is Fold.LINES


def test_every_documented_type_exists():
    text = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
    rows = [row.split("|") for row in text.splitlines() if row.startswith("| `")]
    documented = {name for cells in rows for name in re.findall(r"`(\w+_(?:request|reply)|px_\w+)`", cells[1])}
    assert documented and documented - set(TYPES) == set()
