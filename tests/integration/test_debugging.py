"""The debugger on real clusters: breakpoints that survive a restart, steps that fold."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from loaded import without_load

from pxshell.cluster import Cluster
from pxshell.ranks import RankSet
from pxshell.render import to_plain
from pxshell.session import Config, Session
from pxshell.testing.scripted import RecordingDisplay

pytestmark = pytest.mark.timeout(90)

LIMIT_S = 30.0
LOOP = """\
import time
def f(n):
    time.sleep(0.001)
    return n
for i in range(10**9):
    f(i)
"""


@contextmanager
def debugged(directory, text, n=2):
    """Start a script whose ranks wait for us; give a session, and a function that returns what was shown."""
    (directory / "loop.py").write_text(text)
    cluster = Cluster.start(n, script=["loop.py"], hold=True, cwd=directory)
    display = RecordingDisplay()
    try:
        with Session(cluster.client(), display, Config(control_deadline=LIMIT_S)) as session:

            def shown():
                events, display.events = display.events, []
                return without_load("".join(to_plain(event, session.world) for event in events))

            yield session, shown
    finally:
        cluster.stop()


def wait_paused(session, ranks):
    """Wait until just these ranks stand, and that has been told."""
    client = session.client
    assert client.wait_until(lambda: client.states.where("paused") == ranks, LIMIT_S), client.states.groups()
    # A state is known before its notice is shown, by the thread that brings this answer after both.
    client.ask("px_status_request", {}, LIMIT_S)


def test_a_breakpoint_that_is_set_before_the_start_stops_also_after_a_restart(tmp_path):
    """P8: the same numbers, the same breakpoints; they are there before user code is."""
    one = RankSet.of(1)
    with debugged(tmp_path, LOOP) as (session, shown):
        session.debugger.add_breakpoint(file="loop.py", line=3, condition="n == 5 and rank == 1")
        session.client.request("px_start_request", {}, session.world).wait(LIMIT_S)
        wait_paused(session, one)
        session.restart()
        wait_paused(session, one)
        assert session.run_cell("n", one).status == "ok"
        assert shown().endswith("[1]    5\n")
        session.debugger.clear()
        session.debugger.go_on(one)
        assert session.client.wait_until(lambda: not session.client.states.where("paused"), LIMIT_S)


def test_exceptions_are_stopped_at_also_after_a_restart_which_is_one_line(tmp_path):
    """P8: what was asked of all ranks holds for their new processes; deaths that were asked for are not told."""
    raising = "for n in range(10**9):\n    try:\n        {}[n]\n    except KeyError:\n        pass\n"
    with debugged(tmp_path, raising) as (session, shown):
        session.stop_on_raise(["KeyError"])
        session.client.request("px_start_request", {}, session.world).wait(LIMIT_S)
        wait_paused(session, session.world)
        shown()
        session.restart()
        wait_paused(session, session.world)
        lines = shown().splitlines()
        assert [line for line in lines if "died" in line or "answer" in line] == []
        assert [line.split(" (")[0] for line in lines].count("0-1 restarted") == 1


def test_ranks_step_together_and_what_they_show_folds(tmp_path):
    """P4, P5: one line for both; a rank alone is its own."""
    with debugged(tmp_path, LOOP) as (session, shown):
        session.debugger.add_breakpoint(function="f", once=True)
        session.client.request("px_start_request", {}, session.world).wait(LIMIT_S)
        wait_paused(session, session.world)
        shown()
        assert session.debugger.step("next") == session.world
        assert shown() == "[0-1]  loop.py:4 in f  return n\n"
        assert session.debugger.step("next", RankSet.of(0)) == RankSet.of(0)
        assert shown() == "[0]    loop.py:5  for i in range(10**9):\n"
        session.debugger.where()
        assert shown() == (
            "[0]\n▸ <module>  loop.py:5  for i in range(10**9):\n"
            "[1]\n  <module>  loop.py:6  f(i)\n▸ f         loop.py:4  return n\n"
        )
        session.resume()
