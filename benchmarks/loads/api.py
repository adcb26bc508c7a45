"""A program with pxshell's Python API or ipyparallel's: `api.py pxshell|ipyparallel RANKS small|large WHAT ...`."""

import json
import statistics
import sys
import time

import numpy as np

NAME, RANKS, SIZE, WHAT = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
BYTES = 100_000_000 if SIZE == "large" else 100_000
LINES = 10_000 if SIZE == "large" else 100
#: Many ranks take the peer minutes for each.
ROUNDS = 3 if RANKS <= 16 else 1
PRINT = f"for number in range({LINES}): print('line', number, 'of an output', flush=True)"


def timed(do):
    """Return milliseconds until its value is there; what giving it back takes comes after."""
    since = time.perf_counter()
    value = do()
    took = (time.perf_counter() - since) * 1000
    del value
    return took


def start_pxshell():
    """Start; return the client, how many lines an answer has, and how to stop."""
    from pxshell.cluster import Cluster

    cluster = Cluster.start(RANKS, launcher="local")

    def run_lines(client):
        told = client.request("execute_request", cell(PRINT), client.ranks)
        assert told.wait(300)
        streams = [message for message in told.messages if message.type == "stream"]
        assert not [message for message in told.messages if message.type == "px_cut"], "text was cut"
        return sum(message.data()["text"].count("\n") * len(message.ranks) for message in streams)

    return cluster.client(), run_lines, cluster.stop


def cell(code):
    """Return the content of a request."""
    fixed = {"silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    return fixed | {"code": code, "stop_on_error": True, "cell": 1, "filename": "<lines>", "places": [], "queue": False}


def start_ipyparallel():
    """Start; return the same."""
    import ipyparallel

    cluster = ipyparallel.Cluster(n=RANKS, log_level=40)
    client = cluster.start_and_connect_sync()

    def run_lines(client):
        told = client[:].execute(PRINT, block=False)
        told.get()
        # Output comes on another channel, after the answer.
        end = time.monotonic() + 300
        while (count := sum(text.count("\n") for text in told.stdout)) < LINES * RANKS and time.monotonic() < end:
            time.sleep(0.001)
        return count

    def stop():
        client.close()
        cluster.stop_cluster_sync()

    return client, run_lines, stop


def main():
    """Measure."""
    client, run_lines, stop = {"pxshell": start_pxshell, "ipyparallel": start_ipyparallel}[NAME]()
    said = {}
    try:
        view = client[:]
        view.execute("import numpy", block=True)
        if "push" in WHAT:
            array = np.random.default_rng(1).random(BYTES // 8)
            rounds = 5 if SIZE == "large" else 1
            said["push"] = [timed(lambda: view.push({"a": array}, block=True)) for _ in range(rounds)]
            said["pull"] = [timed(lambda: view.pull("a", block=True)) for _ in range(rounds)]
            (first, *_) = view.pull("a", block=True)
            assert np.array_equal(first, array)
        for key in ("flushed", "equal"):
            if key in WHAT:
                seconds = []
                for _ in range(ROUNDS):
                    since = time.perf_counter()
                    count = run_lines(client)
                    seconds.append(time.perf_counter() - since)
                    assert count == LINES * RANKS, count
                said[key] = LINES * RANKS / statistics.median(seconds)
    finally:
        stop()
    print(json.dumps(said))


main()
