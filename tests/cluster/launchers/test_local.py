"""The local launcher: N commands with torchrun's variables."""

import sys

import pytest

from pxshell.cluster.launchers import LaunchSpec, find_launcher
from pxshell.cluster.launchers.local import LocalLauncher, reserve_port
from pxshell.cluster.program import Program


def make_spec(**changes):
    facts = {
        "size": 4,
        "program": Program(target=("sim.py", "--steps", "5")),
        "world": "w-1",
        "node_socket": "/r/n.sock",
    }
    return LaunchSpec(**{**facts, "cores": 8, **changes})


def test_each_rank_is_one_engine_with_the_script():
    """Prepare gives one command a rank: this interpreter, the engine module, the script and its arguments."""
    commands = LocalLauncher().prepare(make_spec())
    assert [command.ranks for command in commands] == ["0", "1", "2", "3"]
    assert {command.argv for command in commands} == {
        (sys.executable, "-m", "pxshell.engine", "sim.py", "--steps", "5")
    }


def test_held_engines_are_told_so_before_the_script():
    """With hold, user code waits; the option stands before the script, whose own --hold would be its argument."""
    (command,) = LocalLauncher().prepare(make_spec(size=1, hold=True))
    assert command.argv[2:5] == ("pxshell.engine", "--hold", "sim.py")


def test_ranks_see_what_torchrun_shows():
    """The variables of torchrun, and those by which the engine knows rank, world and node."""
    spec = LocalLauncher().check(make_spec())
    env = LocalLauncher().prepare(spec)[3].env
    assert env["RANK"] == env["LOCAL_RANK"] == env["PXSHELL_RANK"] == "3"
    assert env["WORLD_SIZE"] == env["LOCAL_WORLD_SIZE"] == env["PXSHELL_SIZE"] == "4"
    assert env["MASTER_ADDR"] == "127.0.0.1"
    assert 1024 <= int(env["MASTER_PORT"]) <= 65535
    assert (env["PXSHELL_NODE"], env["PXSHELL_WORLD"]) == ("/r/n.sock", "w-1")


def test_all_ranks_get_the_same_master_port():
    """A port each would leave every rank alone."""
    spec = LocalLauncher().check(make_spec())
    assert len({command.env["MASTER_PORT"] for command in LocalLauncher().prepare(spec)}) == 1


@pytest.mark.parametrize(("cores", "threads"), [(8, "2"), (4, "1"), (2, "1")])
def test_threads_of_all_ranks_together_fill_the_cores(cores, threads):
    """OMP_NUM_THREADS is cores / ranks, and at least 1."""
    assert LocalLauncher().prepare(make_spec(cores=cores))[0].env["OMP_NUM_THREADS"] == threads


@pytest.mark.parametrize("where", ["environ", "env"])
def test_what_the_user_set_is_kept(where):
    """A number of threads or a port that the user has chosen is not touched, wherever it was set."""
    spec = LocalLauncher().check(make_spec(**{where: {"OMP_NUM_THREADS": "7", "MASTER_PORT": "29501"}}))
    seen = {**spec.environ, **LocalLauncher().prepare(spec)[0].env}
    assert (seen["OMP_NUM_THREADS"], seen["MASTER_PORT"]) == ("7", "29501")


def test_variables_of_a_launcher_around_us_are_removed():
    """A shell under srun or mpiexec has a rank itself; its ranks must not take that number for theirs."""
    environ = {"PMI_RANK": "0", "PMI_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0", "HOME": "/h"}
    env = LocalLauncher().prepare(make_spec(environ=environ))[1].env
    assert {name for name, value in env.items() if value is None} == {"PMI_RANK", "PMI_SIZE", "OMPI_COMM_WORLD_RANK"}


def test_prepare_is_pure():
    """The same spec gives the same commands."""
    spec = LocalLauncher().check(make_spec())
    assert LocalLauncher().prepare(spec) == LocalLauncher().prepare(spec)


def test_a_reserved_port_can_be_bound_at_once():
    """The socket that reserved it is closed."""
    assert reserve_port() != 0


def test_the_command_is_written_to_launch_json_as_it_is():
    """argv, env with nulls for removed variables, folded ranks."""
    (command,) = LocalLauncher().prepare(make_spec(size=1, environ={"PMI_RANK": "0"}))
    entry = command.to_json()
    assert (entry["ranks"], entry["env"]["PMI_RANK"], entry["argv"][0]) == ("0", None, sys.executable)


def test_an_unknown_launcher_is_refused_with_those_that_there_are():
    """P10: one line, what there is."""
    with pytest.raises(Exception, match="no launcher 'slrm'; there are: local, mpi"):
        find_launcher("slrm")
