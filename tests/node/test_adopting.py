"""A node adopts the engines of a program that nobody started for it."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pxshell.node.adopting import Adoption

WORLD = Path("/run/world")


def engine(rank):
    return SimpleNamespace(rank=rank, pid=1000 + rank, path=WORLD / f"{rank}.sock")


class Adopted:
    """A node of two ranks; `there` are the engines whose sockets are there, `joined` those that speak."""

    def __init__(self):
        self.there, self.joined, self.connected, self.notices, self.later = [], {}, [], [], []
        self.file = SimpleNamespace(size=2)
        self.loop = SimpleNamespace(call_later=lambda _, call: self.later.append(call))
        self.engines = self
        worlds = lambda: [  # noqa: E731 - as the real one: a function
            SimpleNamespace(directory=Path("/run/other"), engines=(engine(7),)),
            SimpleNamespace(directory=WORLD, engines=tuple(self.there)),
        ]
        self.adoption = Adoption(self, SimpleNamespace(adopt=self.connected.append), WORLD, worlds)

    def of(self, rank):
        return self.joined.get(rank)

    def __len__(self):
        return len(self.joined)

    def notice(self, text, level, ranks):
        self.notices.append((level, str(ranks), text))

    def look(self, times=1):
        for _ in range(times):
            self.later.clear()
            self.adoption.look()


@pytest.fixture
def node():
    return Adopted()


def test_engines_are_connected_to_once_and_looked_for_until_all_have_come(node):
    node.look()
    assert node.later
    node.there = [engine(0)]
    node.look(3)
    node.there = [engine(0), engine(1)]
    node.joined = {0: "joined", 1: "joined"}
    node.look()
    assert node.connected == [WORLD / "0.sock", WORLD / "1.sock"]
    assert not node.later


def test_an_engine_that_takes_the_connection_and_says_nothing_is_told_of_once(node):
    """P3, P6: a rank that held the GIL before anybody came has no state, but a process that can be read."""
    node.there = [engine(0), engine(1)]
    node.joined = {0: "joined"}
    node.look(20)
    why = "1: it has not joined: process 1001 does not answer, it may be stopped or hold the GIL"
    assert node.notices == [("warning", "1", f"{why}.  Where it stands: pxshell stacks --pid 1001")]
