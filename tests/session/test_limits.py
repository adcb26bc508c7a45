"""The line about what may expire while a program is paused."""

import time

import pytest

from pxshell.session.limits import limits_text
from pxshell.testing.scripted import Said, replies

GLOO = {"what": "collectives of torch.distributed (gloo)", "seconds": 1800.0}


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ([], ""),
        ([GLOO], "collectives of torch.distributed (gloo) after 30 min"),
        ([{"what": "the Slurm job", "end": 1000.0 + 11_570}], "the Slurm job in 3 h 12 min"),
        ([{"what": "the Slurm job", "end": 900.0}], "the Slurm job in 0 s"),
        ([{"what": "x", "seconds": 90061.0}, {"what": "x", "seconds": 59.5}], "x after 59 s"),
        ([{"what": "x", "seconds": 86700.0}], "x after 1 d"),
    ],
)  # fmt: skip
def test_the_nearest_limit_of_each_kind_is_named(limits, text):
    """P5: within its own timeouts, which the front end names when it knows them."""
    assert limits_text(limits, 1000.0) == (f"while it is paused may expire: {text}" if text else "")


@pytest.fixture
def running(make_stage):
    stage = make_stage(name="sim-1", script="sim.py", started=time.time())
    stage.client.set_state("0-3", activity="busy", cell="run")
    stage.client.on("px_limits_request", replies("px_limits_reply", (None, {"status": "ok", "limits": [GLOO]})))
    return stage


def paused(client, ranks="0-3", reason="request"):
    place = {"file": "/home/me/sim.py", "line": 87, "function": "main"}
    client.set_state(ranks, activity="paused", cell="run", pause="p1", reason=reason, **place)


def test_the_first_pause_of_a_session_names_it_once(running):
    """Design 10: a pause names once what may expire meanwhile."""

    def pause(asked):
        yield Said("px_pause_reply", {"outcome": "paused"})
        paused(running.client)

    running.client.on("px_pause_request", pause)
    running.session.pause()
    assert running.shown().endswith("may expire: collectives of torch.distributed (gloo) after 30 min\n")
    running.session.pause()
    assert "expire" not in running.shown()
    assert len(running.client.asked_for("px_limits_request")) == 1


def test_a_breakpoint_of_the_program_names_it_too(running):
    """A pause that nobody asked for holds the peers as well."""
    paused(running.client, "2", reason="breakpoint")
    lines = running.shown().splitlines()
    assert lines[0] == "2 paused at sim.py:87 in main (breakpoint)"
    assert lines[1].endswith("(gloo) after 30 min")


def test_ranks_that_do_not_answer_do_not_keep_the_prompt(running):
    """Control commands have deadlines; the line comes when they answer."""
    running.client.on("px_limits_request", lambda asked: [])
    paused(running.client)
    running.client.on("px_pause_request", replies("px_pause_reply", (None, {"outcome": "paused"})))
    running.session.pause()
    request = running.client.requests[running.client.asked_for("px_limits_request")[0].id]
    running.client.say(Said("px_limits_reply", {"limits": [GLOO]}, "0-3"), request)
    assert "may expire" in running.shown()
