"""A cell in flight wakes the face when there is something to do, and at once when the last rank has answered."""

import threading
from typing import Any, cast

from pxshell.protocol.message import Message
from pxshell.ranks import RankSet
from pxshell.session.flight import Flight
from pxshell.testing.scripted import ScriptedRequest

NOBODY: Any = None


def said(kind: str, ranks: str, content: dict[str, object]) -> Message:
    return Message.make(kind, f"{kind}-{ranks}", content, ranks=RankSet.parse_folded(ranks), parent="q1")


class Face(threading.Thread):
    """Takes until every rank is accounted for, and counts how often it was woken."""

    def __init__(self, flight: Flight, request: ScriptedRequest) -> None:
        super().__init__()
        self.flight, self.request, self.wakes = flight, request, 0
        self._takes = threading.Event()
        self.start()
        assert self._takes.wait(60)

    def run(self) -> None:
        while not self.request.done:
            self._takes.set()
            self.flight.take(60)
            self.wakes += 1


def test_answers_of_some_ranks_wake_nobody_and_the_last_one_does():
    """P3: the prompt comes back with the last answer, and the face sleeps until then."""
    flight = Flight(NOBODY, NOBODY, 1, on_done=cast("Any", None))
    request = ScriptedRequest("q1", RankSet([0, 1]), flight.on_message)
    flight.request = request
    face = Face(flight, request)
    request.take(said("execute_result", "0-1", {"data": {"text/plain": "2"}, "metadata": {}}))
    request.take(said("execute_reply", "0", {"status": "ok"}))
    request.take(said("execute_reply", "1", {"status": "ok"}))
    face.join(30)
    assert not face.is_alive(), "the last answer has woken nobody"
    assert face.wakes == 1


def test_an_answer_that_comes_before_the_request_is_known_wakes_the_face():
    """P3: a cluster that answers at once is not waited for."""
    flight = Flight(NOBODY, NOBODY, 1, on_done=cast("Any", None))
    request = ScriptedRequest("q1", RankSet([0]), flight.on_message)
    request.take(said("execute_reply", "0", {"status": "ok"}))
    flight.request = request
    took = threading.Thread(target=flight.take, args=(60,))
    took.start()
    took.join(30)
    assert not took.is_alive(), "the answer was not seen"
