"""Ranks that say much, and front ends that send much."""

import os
import signal
import threading
from pathlib import Path

import attack
import pytest

from pxshell import Cluster
from pxshell.protocol.canonical import canonical
from pxshell.protocol.pickles import pack
from pxshell.ranks import RankSet
from pxshell.testing.waiting import wait_until

pytestmark = [pytest.mark.timeout(110), pytest.mark.slow]

FLOOD = 200_000_000
#: MB of resident memory; the flood would be 200 in one copy.
NODE_LIMIT = 250
CONTROLLER_LIMIT = 250
CLIENT_GROWTH = 150


def test_a_flood_of_one_rank_is_cut_with_notice_and_everything_stays_reachable():
    """P2, P6, P7: 200 MB: the log has all, memory is bounded, control is answered, a notice says the cut."""
    with Cluster.start(2) as cluster:
        client = cluster.client()
        watched = {"node": attack.node_of(cluster.name), "controller": attack.controller_of(cluster.name)}
        watched["client"] = os.getpid()
        before = {name: attack.rss_mb(pid) for name, pid in watched.items()}
        peak = dict(before)
        over = threading.Event()

        def watch():
            while not over.wait(0.05):
                for name, pid in watched.items():
                    peak[name] = max(peak[name], attack.rss_mb(pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            line = 1000
            code = f"for i in range({FLOOD // line}): print(str(i).rjust({line - 1}))"
            request = attack.run(client, code, RankSet.of(1))
            assert client.wait_until(lambda: bool(client.states.where("busy")), 30)
            slowest = 0.0
            asked = 0
            while not request.done:
                seconds = attack.seconds_until(
                    client.request("complete_request", {"code": "ran", "cursor_pos": 3}, client.ranks).wait, 30
                )
                slowest = max(slowest, seconds)
                asked += 1
                assert request.wait(0.2) or asked < 400
        finally:
            over.set()
            watcher.join()
        growth = {name: round(peak[name] - before[name]) for name in peak}
        print(f"slowest of {asked} completions {slowest * 1000:.0f} ms; MB grown {growth}, peak {peak}")
        streams = [m for m in request.messages if m.type == "stream"]
        cuts = [m for m in request.messages if m.type == "px_cut"]
        shown = sum(len(m.data()["text"]) for m in streams)
        cut = sum(m.data()["bytes"] for m in cuts)
        print(f"shown {shown / 1e6:.1f} MB, cut {cut / 1e6:.1f} MB in {len(cuts)} notices")
        log = Path(client.connection.directory, "logs", "rank-1.log")
        said = [line for line in log.read_text().splitlines() if not line.strip().isdigit()]
        assert said == []
        assert log.stat().st_size == FLOOD
        assert cuts, "the view was not cut"
        assert shown + cut == FLOOD
        assert peak["node"] < NODE_LIMIT
        assert peak["controller"] < CONTROLLER_LIMIT
        assert growth["client"] < CLIENT_GROWTH


def test_equal_lines_of_four_ranks_fold_and_none_is_lost():
    """P2, P4: 5,000 equal lines of 4 ranks."""
    with Cluster.start(4) as cluster:
        client = cluster.client()
        request = attack.run(client, "for i in range(5000): print('line', i)")
        assert request.wait(60)
        expected = "".join(f"line {i}\n" for i in range(5000))
        streams = [m for m in request.messages if m.type == "stream"]
        for rank in range(4):
            assert "".join(m.data()["text"] for m in streams if rank in m.ranks) == expected
        # How finely live text is split depends on time; folded again, it is what folding once would give.
        assert {str(m.ranks) for m in canonical(streams)} == {"0-3"}


def test_a_great_push_does_not_delay_a_pause_and_a_signal(monkeypatch):
    """P6: 200 MB on the work lane; what was asked after it on the control lane is answered before it.

    As between machines: shared memory would take the push off the lane.
    """
    monkeypatch.setattr("pxshell.client.client.shared_of", lambda cluster: None)
    with Cluster.start(1) as cluster:
        client = cluster.client()
        events = []
        content = {"places": [["idle", "0"]]}
        buffers = pack({"blob": bytes(FLOOD)})
        push = client.request(
            "px_push_request", content, client.ranks, buffers=buffers, on_message=lambda m: events.append(m.type)
        )
        note = {"on_message": lambda m: events.append(m.type)}
        status = client.request("px_status_request", {}, RankSet(), **note)
        client.request("px_pause_request", {"pause": "p1", "mode": "line"}, client.ranks, **note)
        client.request("px_signal_request", {"signal": int(signal.SIGWINCH)}, client.ranks, **note)
        assert push.wait(60)
        wait_until(lambda: len(events) >= 4, 60, lambda: f"all are answered: {events}")
        assert status.messages
        assert events[-1] == "px_push_reply", events
        assert attack.answers(client, "len(blob)") == {"0": str(FLOOD)}
