"""A cluster keeps what was run in it, for whoever attaches later."""

from pxshell.client import Client
from pxshell.cluster import Cluster
from pxshell.render import Text
from pxshell.rendezvous import connection
from pxshell.session import Session
from pxshell.testing.scripted import RecordingDisplay
from pxshell.testing.waiting import wait_until


def test_a_cell_that_its_session_did_not_wait_for_is_found_by_the_next_one(tmp_path):
    """P3: a reply after its deadline enters history. P9: observers see it too."""
    go = tmp_path / "go"
    slow = f"import os, time\nprint('on')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nrank * 2"
    with Cluster.start(2) as cluster:
        with Client(cluster.name) as client, Session(client, RecordingDisplay()) as first:
            assert first.run_cell(slow, timeout=0.0).status == "running"
            # The question may overtake the cell: it is on the other lane.
            wait_until(lambda: [one.is_own for one in first.history()] == [True], 30, "the cell is kept")
        go.touch()
        for role in ("operator", "observer"):
            display = RecordingDisplay()
            with Client(connection.find(cluster.name, role=role)) as client, Session(client, display) as second:
                wait_until(lambda s=second: s.history()[-1].state == "ok", 30, "both ranks have answered")
                [past] = second.history()
                assert (past.number, past.cell, past.is_own, past.code, str(past.ranks)) == (1, 1, False, slow, "0-1")
                answers = second.result(1)
                assert sorted((str(one.ranks), one.text) for one in answers.answers) == [("0", "0"), ("1", "2")]
                texts = [(str(event.ranks), event.text) for event in display.events if isinstance(event, Text)]
                assert texts == [("0-1", "on\n")]
