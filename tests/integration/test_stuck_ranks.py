"""Looks from the side at ranks that sleep, compute, hold the GIL in C, or are stopped (P6)."""

import re

import pytest

from pxshell import Cluster
from pxshell.ranks import RankSet
from pxshell.render import to_plain
from pxshell.session import Session, Side
from pxshell.testing.scripted import RecordingDisplay
from pxshell.testing.waiting import wait_until

SCRIPT = """
import ctypes, os, time

def wait(tag):
    if tag == 1:
        ctypes.PyDLL(None).sleep(600)  # keeps the GIL
    while True:
        if tag == 3:
            sum(range(1000))
        else:
            time.sleep(0.05)

wait(int(os.environ["RANK"]))
"""
SILENT = "it is stopped, or C code holds its GIL"


@pytest.fixture(scope="module")
def looking(tmp_path_factory):
    """A session on four ranks: 0 sleeps, 1 holds the GIL, 2 is stopped by a signal, 3 computes."""
    script = tmp_path_factory.mktemp("stuck") / "stuck.py"
    script.write_text(SCRIPT)
    with Cluster.start(4, script=[str(script)], hold=True) as cluster:
        client, display = cluster.client(), RecordingDisplay()
        with Session(client, display) as session:
            client.ask("px_attend_request", {"stay": False})
            client.request("px_start_request", {}, client.ranks).wait(30)
            looking = RankSet([0, 2, 3])
            wait_until(lambda: _are_in(client, looking, "wait"), 30, "all but the one that holds the GIL wait")
            session.signal("STOP", RankSet.of(2))
            silent = RankSet([1, 2])
            wait_until(lambda: client.states.where("unresponsive") >= silent, 30, "the node has noticed")
            yield session, display
            session.signal("CONT", RankSet.of(2))


def _are_in(client, ranks, function):
    request = client.request("px_where_request", {}, ranks)
    request.wait(1)
    return {content.get("function") for _, content in request.replies()} == {function} and request.done


@pytest.fixture
def sees(looking):
    """Look until it shows what is expected: on a loaded machine the node may miss a rank that is well, for a while."""
    session, display = looking

    def look(what, expected):
        def is_seen():
            display.events.clear()
            what(session)
            return expected("".join(to_plain(event, session.world) for event in display.events))

        wait_until(is_seen, 60, lambda: str(display.events))

    return look


pytestmark = pytest.mark.shared_directories


def test_a_look_names_the_ranks_that_cannot_answer(sees):
    """The others answer; nobody waits for these."""
    answers = f"[0]    0\n[3]    3\n[1-2]  no answer: {SILENT}\n"
    sees(lambda session: session.run_cell("tag", peek=True), lambda shown: answers in shown)


def test_status_says_where_the_others_are(looking, sees):
    _, display = looking
    place = r"running +stuck\.py:\d+ in wait, for \d+ s"
    rows = rf"\[0\] +{place}\n\[1-2\] +unresponsive +{SILENT}\n\[3\] +{place}\n"
    sees(lambda session: display.show(session.whereabouts()), lambda shown: re.search(rows, shown))


def test_values_of_the_others_are_compared_and_plotted(sees):
    """Those that cannot answer are named first."""
    silent = f"[1-2]  no answer: {SILENT}\n"
    expected = f"{silent}[0]    @a  0\n[3]    @b  3\n"
    sees(lambda session: session.compare(Side("tag", session.world), peek=True), lambda shown: expected in shown)
    drawn = f"{silent}tag on 0,3\n"
    sees(lambda session: session.plot("tag", peek=True), lambda shown: drawn in shown)


def test_completion_and_inspection_do_not_wait_for_them(looking):
    session, _ = looking
    assert "tag" in session.complete("ta", 2, timeout=60)["matches"]
    assert session.inspect("tag", 3, timeout=60)["found"]
