"""A real torchrun on the CPU: what the README says of it. In an environment of its own, for torch is large."""

import os
import re
import shlex
import subprocess
from contextlib import contextmanager
from pathlib import Path

import attack
import environments
import pytest

from pxshell import Cluster
from pxshell.cluster import list_clusters
from pxshell.ranks import RankSet
from pxshell.session import Session
from pxshell.testing.waiting import wait_until

ROOT = Path(__file__).parents[2]
LIMIT_S = 100.0

pytestmark = [pytest.mark.torchrun, pytest.mark.slow, pytest.mark.timeout(240)]

#: Gradients are averaged by gloo; the program begins when the file is there.
TRAIN = """
import os, time
import torch, torch.distributed as dist

def main():
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    while not os.path.exists("go"):
        time.sleep(0.01)
    for step in range(1, 201):
        time.sleep(0.01)  # so that a busy front end finds it at work
        loss = model(torch.full((8, 4), (rank + 1) / step)).square().mean()
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for weight in model.parameters():
                dist.all_reduce(weight.grad)
                weight -= 0.01 / size * weight.grad
    with torch.no_grad():
        print(f"checksum {sum(weight.sum() for weight in model.parameters()).item():.9f}\\n", end="", flush=True)
    dist.destroy_process_group()

main()
"""
#: The first attempt fails on rank 1, which torchrun answers with a second one.
FAIL = """
import os, time
attempt, rank = int(os.environ["TORCHELASTIC_RESTART_COUNT"]), int(os.environ["RANK"])
step = 0
while not os.path.exists(f"go{attempt}"):
    step += 1
    time.sleep(0.01)
if attempt == 0 and rank == 1:
    raise SystemExit(3)
while attempt == 0:
    time.sleep(0.01)
"""


#: Rank 0 is in a collective, rank 1 waits for a message that nobody sends.
HANG = """
import torch, torch.distributed as dist

def total(part):
    dist.all_reduce(part)
    return part

def fetch():
    box = torch.zeros(2)
    dist.recv(box, src=0)
    return box

dist.init_process_group("gloo")
total(torch.ones(2)) if dist.get_rank() == 0 else fetch()
"""


class Silent:
    """A display that shows nothing."""

    def show(self, event):
        pass

    def progress(self, progress):
        pass

    def ask(self, prompt, *, password=False):
        raise EOFError


@contextmanager
def torchrun(directory, program, *words):
    """Start torchrun; end it if the test does not."""
    python = environments.python_of("torch")
    # The torchrun of a line that is pasted is that of an activated environment.
    env = os.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    (directory / "train.py").write_text(program)
    output = subprocess.PIPE
    with subprocess.Popen(
        words, cwd=directory, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True
    ) as job:
        try:
            yield job
        finally:
            if job.poll() is None:
                job.terminate()


def readme_line(*more):
    """Return the words of the README's line for torchrun, for two ranks."""
    (line,) = re.findall(r"^\$ (torchrun .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    return [*more, *shlex.split(line.replace("--nproc-per-node 4", "--nproc-per-node 2"))[1:]]


def wait_joined():
    wait_until(lambda: [len(found.world.engines) for found in joined()] == [2], LIMIT_S, "both ranks listen")


def joined():
    return [found for found in list_clusters() if found.state == "joined"]


def checksums(text):
    return re.findall(r"checksum (\S+)", text)


def test_the_line_of_the_readme_is_reached_paused_and_resumed(tmp_path):
    """P5: two ranks of torchrun at the same step; their checksums are those of a run without pxshell."""
    (tmp_path / "go").touch()
    with torchrun(tmp_path, TRAIN, "torchrun", "--nproc-per-node", "2", "train.py") as job:
        undisturbed = checksums(job.communicate(timeout=LIMIT_S)[0])
    (tmp_path / "go").unlink()
    with torchrun(tmp_path, TRAIN, *readme_line("torchrun")) as job:
        wait_joined()
        cluster = Cluster.attach("train-1")
        with cluster, Session(cluster.client(), Silent()) as session:
            (tmp_path / "go").touch()
            session.pause(sync="step")
            states = [cluster.client().states.of(rank) for rank in range(2)]
            assert {str(state.activity) for state in states} == {"paused"}, states
            assert len({(state.line, state.value) for state in states}) == 1, states
            outcome = session.run_cell("(rank, size, model.weight.grad is None or model.weight.grad.shape[1])")
            assert outcome.exit_status == 0
            session.resume()
            out, err = job.communicate(timeout=LIMIT_S)
    assert job.returncode == 0, err
    assert len(undisturbed) == 2
    assert checksums(out) == undisturbed
    wait_until(lambda: not list_clusters(), LIMIT_S, "node and controller have followed their ranks")


@pytest.mark.leaves_files
def test_the_stacks_of_a_hung_job_say_in_which_call_of_torch_each_rank_waits(tmp_path):
    """P6: although both wait in C, below torch's own Python."""
    with torchrun(tmp_path, HANG, *readme_line("torchrun")):
        wait_joined()
        cluster = Cluster.attach("train-1")
        with cluster, Session(cluster.client(), Silent()) as session:

            def waits():
                return {str(one.ranks): one.end.text for one in session.stacks().stacks()}

            # Before, both wait in init_process_group.
            expected = {"0": "in torch.distributed all_reduce", "1": "in torch.distributed recv from 0"}
            wait_until(lambda: waits() == expected, LIMIT_S, lambda: f"each waits in its call: {waits()}")


def test_the_ranks_that_torchrun_starts_anew_are_a_world_of_their_own(tmp_path):
    """A rank fails while it is looked at; torchrun ends the other, also from a pause, and the next attempt is found."""
    more = ["--max-restarts", "1", "--redirects", "3", "--log-dir", str(tmp_path / "logs")]
    with torchrun(tmp_path, FAIL, *readme_line("torchrun", *more)) as job:
        wait_joined()
        first = joined()[0].directory
        cluster = Cluster.attach("train-1")
        with cluster, Session(cluster.client(), Silent()) as session:
            client = cluster.client()
            session.pause(sync="step")
            assert len(client.states.where("paused")) == 2
            (tmp_path / "go0").touch()
            session.resume()
            assert client.wait_until(lambda: not any(state.is_alive for _, state in client.states.groups()), LIMIT_S)
            assert client.states.of(1).exit == 3
        wait_joined()
        assert joined()[0].directory != first
        with Cluster.attach(joined()[0].name) as cluster:
            client = cluster.client()
            answer = attack.run(client, "attempt", RankSet.of(1), places=[["peek", "1"]])
            assert answer.wait(LIMIT_S)
            assert attack.results_of(answer) == {"1": "1"}
            (tmp_path / "go1").touch()
            _, err = job.communicate(timeout=LIMIT_S)
    assert job.returncode == 0, err
    wait_until(lambda: not list_clusters(), LIMIT_S, "nothing of either attempt is left")
