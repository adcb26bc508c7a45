"""A program for test_pty: the terminal on a scripted cluster whose ranks write without end."""

import sys
import threading
from pathlib import Path

from pxshell.ranks import RankSet
from pxshell.terminal.app import run_terminal
from pxshell.testing.scripted import Said, ScriptedClient
from pxshell.testing.waiting import wait_until

DONE = Said("execute_reply", {"status": "ok"})


class Flood:
    """Four ranks that write a line each, as fast as they are read, while a file-like flag says so."""

    def __init__(self, client):
        self._client = client
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def begin(self):
        self._thread.start()

    def _run(self):
        number = 0
        while not self._stop.wait(0.0005):
            number += 1
            for rank in range(4):
                content = {"name": "stdout", "text": f"step {number} of rank {rank}\n"}
                self._client.say(Said("stream", content, RankSet.of(rank)))

    def end(self):
        self._stop.set()
        if self._thread.ident:
            self._thread.join()


class Cluster:
    """A cluster of a scripted client."""

    def __init__(self, client):
        self._client = client

    def client(self):
        return self._client

    def stop(self):
        pass

    def disconnect(self):
        pass


def main():
    client = ScriptedClient(4, name="calm-fox", script="sim.py" if "flood" in sys.argv else "")
    flood = Flood(client)

    def answer_when_told(number):
        """Answer as soon as the test has made the file that the last word names."""
        wait_until(Path(sys.argv[-1]).exists, 120, "the test has seen what it waits for")
        client.say(DONE, client.requests[number])

    def answer(asked):
        if asked.content["code"] == "never":
            return
        if asked.content["code"] == "slow":
            threading.Thread(target=answer_when_told, args=(asked.id,)).start()
            return
        yield Said("execute_result", {"data": {"text/plain": asked.content["code"].upper()}, "metadata": {}})
        yield DONE

    def interrupt(asked):
        yield Said("interrupt_reply", {"outcome": "sent"})
        error = {"ename": "KeyboardInterrupt", "evalue": "", "traceback": []}
        request = client.requests[asked.content["cell"]]
        client.say(Said("error", {**error, "cell": 1, "line": 1, "source": "never", "file": ""}), request)
        client.say(Said("execute_reply", {"status": "error", **error}), request)

    client.on("execute_request", answer)
    client.on("interrupt_request", interrupt)
    if "flood" in sys.argv:
        flood.begin()
    try:
        return run_terminal(Cluster(client), was_started=True)
    finally:
        flood.end()


if __name__ == "__main__":
    sys.exit(main())
