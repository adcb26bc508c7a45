"""What clusters there are."""

import pytest

from pxshell.cluster import Cluster, list_clusters
from pxshell.cluster.info import choose
from pxshell.errors import ClusterNotFoundError, ConnectionFileError, NoClusterError, UsageError
from pxshell.rendezvous import connection


def states():
    return {info.name: info.state for info in list_clusters()}


def test_nothing_runs_and_nothing_is_listed():
    """An empty list, and an error that names the commands, when one is wanted."""
    assert list_clusters() == []
    with pytest.raises(NoClusterError, match="start -n 4"):
        choose()


def test_a_running_cluster_is_listed_with_what_it_runs(on_disk):
    """Name, ranks, script, launcher and age come from its files: nobody is asked."""
    on_disk("sim-1", size=3, script="sim.py", launcher="mpi")
    (info,) = Cluster.list()
    assert (info.name, info.state, info.ranks, info.script, info.launcher) == ("sim-1", "running", 3, "sim.py", "mpi")
    assert info.started > 0


def test_the_only_usable_cluster_needs_no_name(on_disk):
    """A stale one does not count."""
    on_disk("calm-fox")
    on_disk("old-owl", alive=False)
    assert choose().name == "calm-fox"


def test_of_several_one_must_be_named(on_disk):
    """P10: with their names and the command."""
    on_disk("a-1")
    on_disk("b-1")
    with pytest.raises(UsageError, match="there are 2 clusters: a-1, b-1; name one of them, as in a-1"):
        choose()
    assert choose("b-1").name == "b-1"


def test_an_unknown_name_is_answered_with_the_known_ones(on_disk):
    """P10."""
    on_disk("calm-fox")
    with pytest.raises(ClusterNotFoundError, match="no cluster 'clam-fox'; there are: calm-fox"):
        choose("clam-fox")


def test_a_dead_controller_makes_a_cluster_stale(on_disk):
    """It is listed as such; attaching is refused with what to do."""
    on_disk("old-owl", alive=False)
    assert states() == {"old-owl": "stale"}
    with pytest.raises(ConnectionFileError, match=r"its controller \(process \d+\) has ended; .*pxshell stop old-owl"):
        Cluster.attach("old-owl")


def test_a_file_that_others_can_read_makes_a_cluster_unusable(on_disk):
    """P9: its keys are no secret any more; the error says how to go on."""
    on_disk("calm-fox")
    path = connection.connection_path("calm-fox")
    path.chmod(0o644)
    assert states() == {"calm-fox": "unusable"}
    with pytest.raises(ConnectionFileError, match=f"mode is 0644.*chmod 600 {path}"):
        Cluster.attach("calm-fox")


def test_joined_programs_are_listed_by_their_scripts(joined, on_disk):
    """A program that nobody launched for us has no name: it gets one like a cluster of its script would."""
    on_disk("train-1")
    joined("slurm-7.0", script="/home/me/train.py", size=8)
    info = choose("train-2")
    assert (info.state, info.ranks, info.script, info.is_usable) == ("joined", 8, "train.py", True)


def test_a_program_that_has_its_controller_is_listed_once(joined, on_disk):
    """As the cluster that it has become."""
    directory = joined("slurm-7.0")
    on_disk("train-1", launcher="none", world=str(directory))
    assert states() == {"train-1": "running"}
