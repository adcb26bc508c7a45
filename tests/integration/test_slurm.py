"""A real simulation in a real Slurm of three nodes: what the README says of srun."""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import attack
import environments
import leaks
import psutil
import pytest
from slurm import PrivateSlurm

from pxshell.cluster import list_clusters
from pxshell.testing.waiting import wait_until

ROOT = Path(__file__).parents[2]
SIM = (ROOT / "examples" / "mpi_sim" / "sim.py").read_text()
ARGS = ["--steps", "400", "--size", "32"]
FIRST = "    for step in range(1, args.steps + 1):"
#: The simulation begins when this file is there.
GATE = "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.01)\n"
LIMIT_S = 60.0

pytestmark = [pytest.mark.slurm, pytest.mark.mpi, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def slurm(_module_is_clean):
    """Three machines of two cores each."""
    with PrivateSlurm(nodes=3, cpus=2) as slurm:
        # The python of a line that is pasted is that of an activated environment.
        slurm.environment["PATH"] = f"{Path(sys.executable).parent}:{slurm.environment['PATH']}"
        yield slurm


@pytest.fixture(scope="module")
def undisturbed(slurm, tmp_path_factory):
    """The checksum of a run without pxshell."""
    directory = tmp_path_factory.mktemp("plain")
    (directory / "sim.py").write_text(SIM)
    done = slurm.run("srun", "--mpi=pmi2", "-n", "4", "python", "sim.py", *ARGS, cwd=directory, timeout=LIMIT_S)
    (checksum,) = re.findall("checksum ([0-9a-f]{8})", done.stdout)
    return checksum


def readme_line():
    """Return the words of the README's line for srun."""
    (line,) = re.findall(r"^\$ (srun .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    return shlex.split(line)


def pxshell(*words, cwd=None):
    """Run the command beside the job, as in another terminal."""
    command = [sys.executable, "-m", "pxshell", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S)


def cells(looks):
    """Return the words for cells."""
    return [word for look in looks for word in ("-c", look)]


def own_directories():
    """Return the directories of the test that runs, which are younger than the Slurm of its module."""
    return {name: os.environ[name] for name in ("PXSHELL_DIR", "PXSHELL_RUNTIME_DIR")}


@contextlib.contextmanager
def started(slurm, directory, words):
    """Start a job; end it if the test does not."""
    with subprocess.Popen(
        words,
        cwd=directory,
        env=slurm.environment | own_directories(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as job:
        try:
            yield job
        finally:
            if job.poll() is None:
                job.terminate()


def test_the_line_of_the_readme_is_reached_paused_and_resumed(slurm, undisturbed, tmp_path):
    """P5: list, attach, the same step on ranks of two machines, resume; the checksum is that of an undisturbed run."""
    # So many steps a second that a busy front end finds it at work.
    slowly = SIM.replace(FIRST, f"{FIRST}\n        __import__('time').sleep(0.01)")
    assert slowly != SIM
    (tmp_path / "sim.py").write_text(slowly.replace("if __name__", f"{GATE}\nif __name__"))
    with started(slurm, tmp_path, [*readme_line(), *ARGS]) as job:
        wait_until(lambda: [len(found.world.engines) for found in list_clusters()] == [4], LIMIT_S, "all ranks listen")
        entry = json.loads(pxshell("list", "--json").stdout)
        assert (entry["name"], entry["ranks"], entry["state"]) == ("sim-1", "0-3", "joined")
        looks = [
            "%local open('go', 'w').close()",
            "%pxsignal pause --sync step",
            "step",
            "rank",
            "__import__('os').environ['SLURMD_NODENAME']",
        ]
        told = pxshell("attach", "sim-1", "--json", *cells(looks), cwd=tmp_path)
        assert told.returncode == 0, told.stderr + told.stdout
        said = [json.loads(line) for line in told.stdout.splitlines()]
        steps, *ranks = [(one["ranks"], one["text"]) for one in said if one["type"] == "execute_result"]
        assert steps[0] == "0-3", said
        assert ranks[:4] == [(str(rank), str(rank)) for rank in range(4)], said
        assert len({text for _, text in ranks[4:]}) >= 2, said
        found = listeners()
        assert any("slurmctld" in words[0] for words, _ in found)
        assert [one for one in found if not is_loopback(one[1])] == []
        assert pxshell("attach", "sim-1", "-c", "%pxsignal resume").returncode == 0
        out, err = job.communicate(timeout=LIMIT_S)
    assert (job.returncode, err) == (0, "")
    assert re.findall("checksum ([0-9a-f]{8})", out) == [undisturbed]
    wait_until(lambda: not list_clusters(), LIMIT_S, "node and controller have followed their ranks")


def listeners():
    """Return (command line, address) of the listening TCP sockets of all processes of this test run."""
    found = []
    for pid in leaks.running_processes(os.environ[leaks.MARKER]):
        with contextlib.suppress(OSError, psutil.Error):
            rows = attack.tcp_listeners(pid)
            found += [(psutil.Process(pid).cmdline(), row.split()[1]) for row in rows]
    return found


def is_loopback(address):
    """Tell of an address as the kernel's table has it: 127.0.0.1 or ::1."""
    return address.partition(":")[0] in {"0100007F", "00000000000000000000000001000000"}


def test_ranks_without_a_process_manager_are_told_of_it_once(slurm, tmp_path):
    """P10: srun without --mpi=pmi2 makes N worlds of one; the line says so and what to do."""
    (tmp_path / "alone.py").write_text("from mpi4py import MPI\nprint(f'{MPI.COMM_WORLD.size}\\n', end='')\n")
    words = [word for word in readme_line() if word not in {"--mpi=pmi2", "sim.py"}]
    with started(slurm, tmp_path, [*words, "alone.py"]) as job:
        out, err = job.communicate(timeout=LIMIT_S)
    line = (
        "pxshell: error: each of the 4 ranks sees an MPI world of 1: srun told mpi4py's library nothing of the others; "
        "start with srun --mpi=pmi2, or --mpi=pmix for Open MPI\n"
    )
    assert (job.returncode, out, err) == (0, "1\n" * 4, line)


def test_the_line_that_a_job_without_mpiexec_is_given_works(slurm, undisturbed, tmp_path):
    """P10: `pxshell run --mpi` in a job of a cluster with a library and srun alone; its line is pasted as it stands."""
    (tmp_path / "sim.py").write_text(SIM)
    bare = environments.make("bare")
    library = {"LD_LIBRARY_PATH": str(Path(sys.prefix, "lib")), "PATH": only_slurm(slurm, tmp_path)}
    words = ["salloc", "-n", "4", bare, "-m", "pxshell", "run", "--mpi", "-n", "4", "--", "sim.py", *ARGS]
    done = slurm.run(*words, cwd=tmp_path, timeout=LIMIT_S, more=own_directories() | library)
    assert done.returncode == 1, done.stderr
    (line,) = re.findall(r": (srun --mpi=pmi2 -n 4 .*)", done.stderr)
    pasted = slurm.run(*shlex.split(line), cwd=tmp_path, timeout=LIMIT_S, more=own_directories() | library)
    assert re.findall("checksum ([0-9a-f]{8})", pasted.stdout) == [undisturbed], pasted.stderr


def only_slurm(slurm, directory):
    """Return a PATH with the commands of Slurm and no mpiexec."""
    folder = directory / "bin"
    folder.mkdir()
    for name in ("srun", "salloc"):
        found = slurm.run("sh", "-c", f"command -v {name}").stdout.strip()
        (folder / name).symlink_to(found)
    return str(folder)
