"""Tests of %pxcluster and of the plain display: starting, attaching, listing, stopping, and what is printed."""

from dataclasses import replace

import pytest
from pxshell.magics.plain_display import PlainDisplay

from pxshell.cluster import ClusterInfo
from pxshell.ranks import RankSet
from pxshell.render import Notice, Progress
from pxshell.testing.scripted import ScriptedClient


class FakeCluster:
    """As pxshell.cluster.Cluster, with a scripted client."""

    made = ()
    listed = ()

    def __init__(self, how, *args, **options):
        self.how = (how, args, {key: value for key, value in options.items() if value})
        self.scripted = ScriptedClient(2, name="calm-fox", mpi="MPICH 5.0.2")
        self.is_stopped = self.is_disconnected = False
        FakeCluster.made = (*FakeCluster.made, self)

    @classmethod
    def start(cls, n, **options):
        return cls("start", n, **options)

    @classmethod
    def attach(cls, name=None):
        return cls("attach", name)

    @staticmethod
    def list():
        return FakeCluster.listed

    def client(self):
        return self.scripted

    def stop(self):
        self.is_stopped = True

    def disconnect(self):
        self.is_disconnected = True


@pytest.fixture
def clusters(monkeypatch):
    monkeypatch.setattr("pxshell.cluster.Cluster", FakeCluster)
    monkeypatch.setattr(FakeCluster, "made", ())
    monkeypatch.setattr(FakeCluster, "listed", ())
    return FakeCluster


def test_a_cluster_is_started_used_and_stopped(alone, clusters):
    shown = alone.run("%pxcluster start -n 2 --mpi --name fox")
    assert shown.startswith("cluster calm-fox, 2 MPI ranks (MPICH 5.0.2), ready in ")
    assert clusters.made[0].how == ("start", (2,), {"launcher": "mpi", "name": "fox"})
    assert alone.run("%pxfocus") == "focus: 0-1\n"
    assert (
        alone.run("%pxcluster attach other") == "this session is on cluster calm-fox; stop it first: %pxcluster stop\n"
    )
    assert alone.run("%pxcluster stop").startswith("stopped: 0-1 have ended (")
    assert clusters.made[0].is_stopped
    assert alone.run("%pxfocus").startswith("no cluster: ")


def test_one_attaches_by_name_and_unloading_leaves_the_cluster_running(alone, clusters, ipython):
    from pxshell.magics import unload_ipython_extension

    assert alone.run("%pxcluster attach calm-fox") == "cluster calm-fox, 2 MPI ranks (MPICH 5.0.2)\n"
    assert clusters.made[0].how == ("attach", ("calm-fox",), {})
    unload_ipython_extension(ipython)
    assert clusters.made[0].is_disconnected
    assert not clusters.made[0].is_stopped


def test_clusters_are_listed(alone, clusters, monkeypatch):
    assert alone.run("%pxcluster list") == "no cluster; start one: %pxcluster start -n 4 [--mpi]\n"
    one = ClusterInfo("calm-fox", "running", ranks=4, script="sim.py")
    two = replace(one, name="old-owl", doing="0-2 paused, 3 running")
    monkeypatch.setattr(FakeCluster, "listed", (one, two))
    assert alone.run("%pxcluster list") == (
        "calm-fox  running  4 ranks  sim.py\nold-owl  0-2 paused, 3 running  4 ranks  sim.py\n"
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("start -n", "-n takes a number of ranks from 1 on, not ''"),
        ("start --colour", "what is '--colour'?"),
        ("start 'open", "No closing quotation"),
        ("attach a b", "%pxcluster start -n 4"),
        ("stop now", "%pxcluster start -n 4"),
    ],
)
def test_bad_words_are_refused_and_nothing_starts(alone, clusters, words, why):
    """P10: clear refusals."""
    assert why in alone.run(f"%pxcluster {words}")
    assert clusters.made == ()


def test_plain_text_is_printed_and_progress_not_every_second(capsys):
    display = PlainDisplay(lambda: RankSet.span(0, 4))
    display.show(Notice("info", "hello"))
    for _ in range(3):
        display.progress(Progress(RankSet(), RankSet.of(1)))
    display.progress(None)
    assert capsys.readouterr().out == "hello\nwaiting for 1\n"


def test_questions_are_asked_as_ipython_does(monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: f"<{prompt}>")
    monkeypatch.setattr("getpass.getpass", lambda prompt: "secret")
    display = PlainDisplay(RankSet)
    assert display.ask("[2] name? ") == "<[2] name? >"
    assert display.ask("[2] word? ", password=True) == "secret"
