"""`pxshell`, `run`, `start` and `attach`, on a cluster and faces that only note what is asked of them."""

import json

import pytest

import pxshell.cluster
from pxshell.cli import main, run
from pxshell.cli.following import worst_status
from pxshell.protocol.state import Activity, Liveness, RankState, StateTable
from pxshell.ranks import RankSet


class NotedCluster:
    """Notes how it was started and what became of it."""

    name = "calm-fox"
    size = 4

    def __init__(self, notes, options):
        self.notes = notes
        self.launch = {"launcher": options.get("launcher", "local"), "mpi": options.get("make", ""), "script": None}
        if options.get("script"):
            self.launch["script"] = options["script"][0]

    def client(self):
        return "the client"

    def disconnect(self):
        self.notes.append("disconnect")

    def stop(self, grace=5.0):
        self.notes.append("stop")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


@pytest.fixture
def notes(monkeypatch):
    """What was done, in order."""
    noted = []

    def start(n=None, **options):
        kept = ("launcher", "mpi", "name", "script", "hold", "launch_args", "mesh")
        noted.append(("start", n, {key: value for key, value in options.items() if value and key in kept}))
        return NotedCluster(noted, options)

    def attach(name=None):
        noted.append(("attach", name))
        return NotedCluster(noted, {})

    def run_cells(_client, args, *, starts_script=False, waits=False):
        noted.append(("cells", args.cells, starts_script))
        return 5 if waits else 3

    def open_face(_cluster, *, was_started):
        noted.append(("face", was_started))
        return 0

    monkeypatch.setattr(pxshell.cluster.Cluster, "start", start)
    monkeypatch.setattr(pxshell.cluster.Cluster, "attach", attach)
    for module in ("run", "attach", "shell"):
        monkeypatch.setattr(f"pxshell.cli.{module}.run_cells", run_cells)
        monkeypatch.setattr(f"pxshell.cli.{module}.open_face", open_face)
    monkeypatch.setattr(run, "follow", lambda _client, *, as_json: 7)
    return noted


def test_a_number_of_ranks_starts_a_cluster_and_opens_the_shell(notes, capsys):
    """`pxshell -n 4`: the banner is the first line."""
    assert main(["-n", "4"]) == 0
    assert notes == [("start", 4, {"launcher": "local"}), ("face", True)]
    assert capsys.readouterr().out.startswith("pxshell 0.1.0: cluster calm-fox, 4 ranks on this machine, ready in 0.")


def test_a_mesh_is_a_start_of_its_own_and_gives_the_number(notes, capsys):
    """`pxshell --mesh dp=2,tp=2`: what the cluster makes of it is the cluster's, and nobody speaks of cores."""
    assert main(["--mesh", "dp=2,tp=2"]) == 0
    assert notes[0] == ("start", None, {"launcher": "local", "mesh": "dp=2,tp=2"})
    assert "cores" not in capsys.readouterr().out


def test_without_a_number_the_number_of_ranks_is_said(notes, capsys):
    """No cluster, no -n: as many ranks as cores, and a line that says so."""
    assert main([]) == 0
    assert notes[0] == ("start", None, {"launcher": "local"})
    assert "as many as this machine has cores; another number: pxshell -n N" in capsys.readouterr().out


def test_without_options_the_only_cluster_is_attached_to(notes, on_disk):
    """`pxshell` alone."""
    on_disk("sim-1")
    assert main([]) == 0
    assert notes == [("attach", "sim-1"), ("face", False), "disconnect"]


def test_with_a_number_a_new_cluster_is_started_beside_others(notes, on_disk):
    """With -n always start."""
    on_disk("sim-1")
    assert main(["-n", "2"]) == 0
    assert notes[0][:2] == ("start", 2)


def test_cells_run_and_the_cluster_is_stopped(notes, capsys):
    """`pxshell -n 4 -c CELL`: no banner, the status of the worst rank, nothing left behind."""
    assert main(["--mpi=mpich", "-n", "4", "-c", "1+1", "-c", "-x"]) == 3
    assert notes == [
        ("start", 4, {"launcher": "mpi", "mpi": "mpich"}),
        ("cells", ["1+1", "-x"], False),
        "stop",
    ]
    assert capsys.readouterr().out == ""


def test_a_script_is_held_until_the_front_end_is_there(notes, capsys):
    """`pxshell run`: user code starts when somebody can see it."""
    assert main(["run", "-n", "4", "--", "sim.py", "--steps", "5"]) == 0
    assert notes[0] == ("start", 4, {"launcher": "local", "script": ["sim.py", "--steps", "5"], "hold": True})
    assert notes[1] == ("face", True)
    assert "cluster calm-fox, 4 ranks, sim.py is running.  Ctrl-C pauses it." in capsys.readouterr().out


def test_cells_run_while_the_script_runs_and_the_front_end_leaves(notes):
    """The ranks go on: nothing is stopped."""
    assert main(["run", "-n", "4", "-c", "x", "--", "sim.py"]) == 3
    assert notes[1:] == [("cells", ["x"], True), "disconnect"]


def test_waiting_takes_the_exit_status_of_the_script(notes):
    """--wait: stay until it has ended."""
    assert main(["run", "-n", "4", "--wait", "-c", "x", "--", "sim.py"]) == 5
    assert main(["attach", "--wait", "-c", "x"]) == 5


def test_without_a_shell_the_job_is_followed_and_cleaned_up(notes):
    """--no-shell: output only, status of the worst rank."""
    assert main(["run", "-n", "4", "--no-shell", "--", "sim.py"]) == 7
    assert notes[-1] == "stop"


def test_ctrl_c_without_a_shell_ends_the_job(notes, monkeypatch, capsys):
    """As with mpiexec."""

    def interrupted(_client, *, as_json):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "follow", interrupted)
    assert main(["run", "-n", "4", "--no-shell", "--", "sim.py"]) == 130
    assert notes[-1] == "stop"
    assert capsys.readouterr().err == "pxshell: interrupted; the ranks are ended\n"


def test_a_started_cluster_is_left_with_the_line_that_comes_back(notes, capsys):
    """`pxshell start NAME`."""
    assert main(["start", "calm-fox", "-n", "4"]) == 0
    assert notes == [("start", 4, {"launcher": "local", "name": "calm-fox"}), "disconnect"]
    assert capsys.readouterr().out.endswith("Attach: pxshell attach calm-fox\n")


def test_start_as_json(notes, capsys):
    """Ranks, type and text, and the name for whoever goes on."""
    assert main(["start", "-n", "4", "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)
    assert (entry["ranks"], entry["type"], entry["name"]) == ("0-3", "px_cluster", "calm-fox")


def test_attached_cells_leave_the_cluster_running(notes):
    """`pxshell attach NAME -c CELL`."""
    assert main(["attach", "sim-1", "-c", "x"]) == 3
    assert notes == [("attach", "sim-1"), ("cells", ["x"], False), "disconnect"]


@pytest.mark.parametrize(
    ("exits", "status"), [([0, 0], 0), ([0, 3], 3), ([0, -9], 137), ([1, -15], 143), ([None, 0], 1), ([], 0)]
)
def test_the_worst_rank_gives_the_status(exits, status):
    """Signal n is 128 + n, an unknown end is a failure."""
    states = StateTable()
    for rank, number in enumerate(exits):
        ended = RankState(activity=Activity.ENDED, liveness=Liveness.DEAD, exit=number)
        states = states.updated(RankSet.of(rank), ended)
    assert worst_status(states) == status
