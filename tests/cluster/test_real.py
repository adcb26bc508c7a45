"""Real clusters: started, listed, attached to, restarted, stopped, with nothing left behind."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pxshell import Client, Cluster
from pxshell.cluster.controller import processes_of
from pxshell.cluster.info import list_clusters
from pxshell.errors import ConnectionFileError, LaunchError, RemoteError, UsageError
from pxshell.node.leavings import segments_of
from pxshell.protocol.message import Message
from pxshell.rendezvous import connection
from pxshell.rendezvous.processes import is_running
from pxshell.testing.waiting import wait_until

pytestmark = pytest.mark.timeout(120)


def text_of(client, expression):
    """Run one expression on all ranks and return its answers by folded ranks."""
    content = {
        "code": expression,
        "silent": False,
        "store_history": False,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
        "cell": 1,
        "filename": "<cell 1>",
        "places": [["idle", str(client.ranks)]],
        "queue": False,
    }
    request = client.request("execute_request", content, client.ranks)
    assert request.wait(60)
    results = [message for message in request.messages if message.type == "execute_result"]
    return {str(message.ranks): message.data()["data"]["text/plain"] for message in results}


def test_a_local_cluster_from_start_to_stop():
    """The whole life: 2 ranks with torchrun's variables, in the list, attached to by name, stopped without a trace."""
    cluster = Cluster.start(2, name="calm-fox")
    try:
        assert {info.name: (info.state, info.ranks) for info in Cluster.list()} == {"calm-fox": ("running", 2)}
        with Client("calm-fox") as client:
            assert text_of(client, "__import__('os').environ['RANK']") == {"0": "'0'", "1": "'1'"}
        again = Cluster.attach()
        assert (again.name, again.size) == ("calm-fox", 2)
        again.disconnect()
        with pytest.raises(UsageError, match="there is a cluster 'calm-fox' already"):
            Cluster.start(1, name="calm-fox")
    finally:
        cluster.stop()
    assert Cluster.list() == []


def test_with_stops_what_it_started_as_in_ipyparallel():
    """`with Cluster(n=2) as client`: a connected client, and the end of all processes at the end."""
    with Cluster(n=2) as client:
        directory = client.connection.directory
        assert len(client.ranks) == 2
    assert list_clusters() == []
    assert processes_of(directory) == []


def test_a_cluster_has_a_client_again_when_its_last_one_was_closed():
    """As in ipyparallel: closing a client ends a connection, not the cluster."""
    with Cluster.start(1) as cluster:
        cluster.client().close()
        assert cluster.client() is cluster.client()
        assert cluster.client()[:].apply_sync(int) == [0]
    assert list_clusters() == []


def test_with_leaves_alone_what_it_attached_to():
    """Another one's cluster runs on."""
    with Cluster.start(1) as cluster:
        with Cluster.attach(cluster.name) as other:
            assert other.client().ranks == cluster.client().ranks
        assert [info.state for info in Cluster.list()] == ["running"]


def test_a_script_gives_its_name_to_the_cluster(tmp_path):
    """sim.py becomes sim-1, held until a front end lets it start."""
    (tmp_path / "sim.py").write_text("import time\nwhile True: time.sleep(1)\n")
    with Cluster.start(1, script=["sim.py", "--steps", "5"], cwd=tmp_path, hold=True) as cluster:
        assert cluster.name == "sim-1"
        assert cluster.client().snapshot.script == "sim.py"
        assert cluster.client().request("px_start_request", {}, cluster.client().ranks).wait(60)
        assert cluster.client().wait_until(lambda: bool(cluster.client().states.where("busy")), 60)


def test_a_restart_gives_new_processes_with_the_same_numbers():
    """P8: same ranks, next epoch."""
    with Cluster.start(2) as cluster:
        before = text_of(cluster.client(), "__import__('os').getpid()")
        cluster.restart()
        after = text_of(cluster.client(), "__import__('os').getpid()")
        assert set(before) == set(after)
        assert not set(before.values()) & set(after.values())


def test_ranks_that_cannot_start_are_reported_with_their_last_line_and_the_log():
    """P10: why, and where to read on; nothing runs on."""
    with pytest.raises(LaunchError) as failed:
        Cluster.start(2, name="calm-fox", env={"PYTHONHOME": "/nowhere"})
    assert str(failed.value).startswith("cluster calm-fox did not start: ")
    assert "(logs: " in str(failed.value)
    assert list_clusters() == []


def test_a_cluster_whose_controller_was_killed_is_stale_and_stop_cleans_up():
    """P8: its ranks are not lost from sight: attaching says what to do, and stop ends node and ranks."""
    cluster = Cluster.start(1, name="calm-fox")
    cluster.disconnect()
    info = connection.find("calm-fox")
    os.kill(info.pid, signal.SIGKILL)
    wait_until(lambda: not is_running(info.pid, info.started), 30, "the controller is gone")
    assert [found.state for found in Cluster.list()] == ["stale"]
    with pytest.raises(ConnectionFileError, match="pxshell stop calm-fox"):
        Cluster.attach("calm-fox")
    with pytest.raises(UsageError, match="has lost its controller"):
        Cluster.start(1, name="calm-fox")
    Cluster.find("calm-fox").stop()
    assert Cluster.list() == []
    assert processes_of(cluster_directory := info.directory) == [], cluster_directory


def test_a_name_is_free_when_the_processes_of_its_last_cluster_have_gone(on_disk, monkeypatch, tmp_path):
    """P10: they say goodbye when its connection file has gone already; there is nothing to be stopped by hand."""
    files = on_disk("calm-fox", state=os.environ["PXSHELL_DIR"])
    connection.remove("calm-fox")
    (tmp_path / "node.py").write_text("import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\n")
    words = [sys.executable, "node.py", "pxshell.node", str(files.directory)]

    def look(directory):
        found = processes_of(directory)
        (tmp_path / "go").touch()
        return found

    with subprocess.Popen(words, cwd=tmp_path) as node:
        wait_until(lambda: [pid for pid, _ in processes_of(files.directory)] == [node.pid], 30, "it runs")
        monkeypatch.setattr("pxshell.cluster.starting.processes_of", look)
        with Cluster.start(1, name="calm-fox") as cluster:
            assert cluster.name == "calm-fox"


@pytest.mark.mpi
def test_a_program_that_nobody_launched_for_us_is_listed_attached_to_and_left(tmp_path, mpiexec):
    """Scene 2 with the user's own mpiexec: nothing of ours runs before the attach, and nothing after the stop."""
    (tmp_path / "sim.py").write_text(
        "import os, time\nwhile not os.path.exists('end'): time.sleep(0.05)\nprint('done\\n', end='')\n"
    )
    command = [mpiexec, "-n", "2", sys.executable, "-m", "pxshell.engine", "sim.py"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, **pipes) as job:
        wait_until(lambda: [len(info.world.engines) for info in list_clusters()] == [2], 30, "both ranks have joined")
        (found,) = list_clusters()
        assert (found.name, found.state, found.ranks, found.script) == ("sim-1", "joined", 2, "sim.py")
        cluster = Cluster.attach()
        assert {info.name: info.state for info in Cluster.list()} == {"sim-1": "running"}
        try:
            assert cluster.client().states.ranks == cluster.client().ranks
            cluster.stop()
            assert job.poll() is None
            assert [info.state for info in Cluster.list()] == ["joined"]
        finally:
            (tmp_path / "end").touch()
        output, _ = job.communicate(timeout=60)
    assert (job.returncode, output) == (0, "done\ndone\n")
    assert list_clusters() == []


@pytest.mark.mpi
def test_an_mpi_cluster_is_one_world():
    """4 real ranks: the size that was asked for, ranks by MPI's own numbers."""
    with Cluster.start(4, launcher="mpi") as cluster:
        client = cluster.client()
        assert client.snapshot.mpi
        answers = text_of(client, "(lambda c: (c.rank, c.size))(__import__('mpi4py.MPI').MPI.COMM_WORLD)")
        assert answers == {str(rank): f"({rank}, 4)" for rank in range(4)}


def test_two_state_directories_with_one_runtime_directory_share_its_names(tmp_path, monkeypatch):
    """P8: a cluster of the other one is neither overwritten nor swept away; its name is refused, or passed over."""
    (tmp_path / "sim.py").write_text("import time\nwhile True: time.sleep(0.01)\n")
    with Cluster.start(1, script=["sim.py"], cwd=tmp_path) as first:
        assert first.name == "sim-1"
        with monkeypatch.context() as other:
            other.setenv("PXSHELL_DIR", str(tmp_path / "other"))
            other.setattr("pxshell.cluster.files._KEPT", 1)
            with pytest.raises(UsageError, match="'sim-1' runs here already, of PXSHELL_DIR /"):
                Cluster.start(1, name="sim-1")
            with Cluster.start(1, script=["sim.py"], cwd=tmp_path) as second:
                assert second.name == "sim-2"
                assert [info.name for info in list_clusters()] == ["sim-2"]
        assert [info.name for info in list_clusters()] == ["sim-1"]
        assert first.client().ask("px_status_request", {})["name"] == "sim-1"


def test_large_values_travel_in_shared_memory_and_are_each_ranks_own():
    """P1: what one rank changes no other sees; P3: what cannot be read is an error; nothing is left in memory."""
    with Cluster(n=2) as client:
        link = Path(client.connection.directory, "shared")
        if not link.is_symlink():
            pytest.skip("no shared memory here")
        memory = link.resolve()
        values = bytes(range(256)) * 8192
        view = client[:]
        view.push({"values": pickle.PickleBuffer(bytearray(values)), "small": b"x"}, block=True)
        wait_until(lambda: not list(memory.iterdir()), 30, "nothing is left in memory")
        view.execute("values[0] = 10 + rank", block=True)
        first, second = view.pull("values", block=True)
        assert (first[0], second[0]) == (10, 11)
        assert bytes(first[1:]) == bytes(second[1:]) == values[1:]
        assert view.apply_sync(len, values) == [len(values)] * 2
        with pytest.raises(RemoteError, match="ZeroDivisionError"):
            view.apply_sync(lambda _values: 1 / 0, pickle.PickleBuffer(values))
        wait_until(lambda: not list(memory.iterdir()), 30, "nothing is left in memory")
        gone = {"status": "ok", "shared": {"0": ["a" * 32, 10]}}
        read = client._with_shared(Message.make("px_pull_reply", "x", gone, buffers=[b""]))
        assert read.data()["ename"] == "FileNotFoundError"
    assert not memory.exists()


@pytest.mark.mpi
@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no memory that files lie in")
def test_a_stopped_program_of_mpi_leaves_no_shared_memory(tmp_path):
    """P8: its ranks are ended in the middle, before MPI_Finalize could remove it."""
    (tmp_path / "sim.py").write_text(
        "from mpi4py import MPI\nimport time\nMPI.COMM_WORLD.Barrier()\nprint('on', flush=True)\ntime.sleep(100)\n"
    )
    with Cluster.start(2, launcher="mpi", script=["sim.py"], cwd=tmp_path) as cluster:
        client = cluster.client()
        pids = [one["pid"] for one in client.ask("px_status_request", {})["descriptions"]]
        wait_until(lambda: all(segments_of(pid) for pid in pids), 30, "the ranks share memory")
        segments = set().union(*map(segments_of, pids))
        cluster.stop(0.0)
    assert not [path for path in segments if path.exists()]
