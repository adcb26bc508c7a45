"""Waiting for ranks: all there, one that will not come, and a deadline."""

import threading
from types import SimpleNamespace

import pytest

from pxshell.cluster.readiness import restart_ranks, wait_for_ranks
from pxshell.errors import DeadlineError, LaunchError, RefusedError
from pxshell.protocol.message import Message
from pxshell.protocol.state import Activity, Liveness, RankState, StateTable
from pxshell.ranks import RankSet

IDLE, STARTING = RankState(activity=Activity.IDLE), RankState()
ACCEPTED = ((RankSet.span(0, 2), {"status": "ok"}),)
DEAD = RankState(liveness=Liveness.DEAD, exit=1, why="exit status 1")


class Told:
    """A request with its replies."""

    def __init__(self, replies, messages=()):
        self._replies = replies
        self.messages = list(messages)

    def wait(self, timeout=None):
        return self._replies is not None

    def replies(self):
        return self._replies


class ScriptedClient:
    """A client of two ranks whose news come when it is subscribed to, or asked.

    Args:
        news: what it hears then, in a thread of its own.
        at_once: whether all of it has come when `subscribe` returns: for deadlines that no thread has to keep.
    """

    def __init__(self, *news, notes=(), replies=ACCEPTED, messages=(), at_once=False):
        self.ranks = RankSet.span(0, 2)
        self.states = StateTable()
        self.snapshot = SimpleNamespace(notes=notes)
        self.subscribed = []
        self._news = news
        self._replies = replies
        self._messages = messages
        self._at_once = at_once
        self._thread = threading.Thread(target=self._tell)

    def subscribe(self, callback):
        self.subscribed.append(callback)
        self._thread.start()
        if self._at_once:
            self._thread.join()
        return lambda: self.subscribed.remove(callback)

    def request(self, type_, content, ranks):
        self._thread.join()
        return Told(self._replies, self._messages)

    def _tell(self):
        for message in self._news:
            if message.type == "px_state":
                self.states = self.states.updated(message.ranks, RankState.from_content(message.data()))
            for callback in list(self.subscribed):
                callback(message)


def state(ranks, value):
    return Message.make("px_state", "1", value.to_content(), ranks=RankSet.parse_folded(ranks))


def notice(text, level):
    return Message.make("px_notice", "1", {"text": text, "level": level})


def test_ranks_that_come_one_by_one_are_waited_for():
    """Ready when the last has left `starting`."""
    client = ScriptedClient(state("0", IDLE), state("1", STARTING), notice("slow", "warning"), state("1", IDLE))
    wait_for_ranks(client, 60)
    assert client.states.where("idle") == client.ranks
    assert client.subscribed == []


def test_an_error_that_the_node_reports_ends_the_waiting():
    """P3, P10: the line of the node, at once and not at the deadline."""
    client = ScriptedClient(notice("python ended (exit status 1) before ranks 0-1 were there: ImportError", "error"))
    with pytest.raises(LaunchError, match=r"before ranks 0-1 were there: ImportError"):
        wait_for_ranks(client, 60)
    assert client.subscribed == []


def test_an_error_before_we_came_is_not_missed():
    """The snapshot has it."""
    with pytest.raises(LaunchError, match="cannot start mpiexec"):
        wait_for_ranks(ScriptedClient(notes=("cannot start mpiexec",)), 60)


def test_the_deadline_names_the_missing_ranks():
    """P3."""
    with pytest.raises(DeadlineError, match=r"not done within 0\.05 s; missing: rank 1"):
        wait_for_ranks(ScriptedClient(state("0", IDLE), at_once=True), 0.05)


def test_ranks_that_die_at_once_are_no_cluster():
    """All are accounted for, and none can be asked."""
    client = ScriptedClient(state("0", IDLE), state("1", DEAD))
    with pytest.raises(LaunchError, match=r"ranks 1 have ended at their start \(exit status 1\)"):
        wait_for_ranks(client, 60)


def test_a_script_may_be_over_before_we_look():
    """A short script that was not held has run: no failure."""
    wait_for_ranks(ScriptedClient(state("0-1", DEAD)), 60, may_end=True)


def test_held_ranks_are_ready_when_they_are_there():
    """Their user code waits for a front end, so they are still starting."""
    wait_for_ranks(ScriptedClient(state("0", STARTING), state("1", STARTING)), 60, is_held=True)
    with pytest.raises(DeadlineError, match="missing: rank 1"):
        wait_for_ranks(ScriptedClient(state("0", STARTING), at_once=True), 0.05, is_held=True)


def test_a_restart_waits_for_new_processes():
    """The old ones, still idle when the request is accepted, do not count."""
    client = ScriptedClient(
        state("0-1", IDLE), state("0-1", DEAD), state("0", STARTING), state("1", STARTING), state("0-1", IDLE)
    )
    restart_ranks(client, 60)
    assert client.states.where("idle") == client.ranks


def test_a_restart_of_ranks_that_stay_the_same_is_not_done():
    """P3: the deadline names them."""
    with pytest.raises(DeadlineError, match="missing: ranks 1"):
        restart_ranks(ScriptedClient(state("0-1", IDLE), state("0", STARTING), state("0", IDLE)), 0.05)


def test_a_refused_restart_says_why():
    """Ranks that pxshell did not start cannot be started again by it."""
    refused = ((RankSet.span(0, 2), {"status": "refused", "why": "pxshell did not start them"}),)
    with pytest.raises(RefusedError, match="not restarted: pxshell did not start them"):
        restart_ranks(ScriptedClient(replies=refused), 60)


def test_a_restart_that_an_observer_asks_for_is_refused_at_once():
    """P10: nobody waits for processes that nobody starts."""
    denied = Message.make("px_denied", "d1", {"why": "observers may not send px_restart_request"})
    with pytest.raises(RefusedError, match="not restarted: observers may not send px_restart_request"):
        restart_ranks(ScriptedClient(replies=(), messages=[denied]), 1000)


def test_a_restart_that_nobody_answers_ends_at_the_deadline():
    """P3."""
    with pytest.raises(DeadlineError):
        restart_ranks(ScriptedClient(replies=None), 0.05)
