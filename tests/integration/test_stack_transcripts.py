"""The transcripts of docs/guide/stacks.md, typed on real MPI ranks: what is shown is what the page says."""

import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from pxshell.magics import unload_ipython_extension
from traitlets.config import Config as IPythonConfig
from transcripts import DEADLINE, ROOT, Prompt, parted, transcripts, without_numbers

from pxshell import Cluster
from pxshell.testing.waiting import wait_until

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(120)]

TIGHT = """
import numpy as np
from mpi4py import MPI
comm = MPI.COMM_WORLD
a = np.ones(200_000)
b = np.empty_like(a)
def loop():
    while True:
        comm.Allreduce(a, b)
loop()
"""


def transcripts_here():
    return [pytest.param(program, text, id=Path(program).stem) for program, text in transcripts("stacks.md")]


@pytest.fixture(scope="module")
def ipython():
    config = IPythonConfig()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)
    yield shell
    shell.reset(new_session=False)
    InteractiveShell.clear_instance()


@pytest.fixture
def prompt_on(ipython):
    """Return a function that starts a program on 4 MPI ranks and gives a prompt on it."""
    opened = []

    def start(program):
        cluster = Cluster.start(4, launcher="mpi", script=[str(ROOT / program)], hold=True)
        opened.append(cluster)
        client = cluster.client()
        prompt = Prompt(client, ipython)
        opened.append(prompt)
        client.request("px_start_request", {}, client.ranks).wait(DEADLINE)
        return prompt

    yield start
    unload_ipython_extension(ipython)
    for one in reversed(opened):
        one.session.close() if isinstance(one, Prompt) else one.stop(0.0)


@pytest.mark.parametrize(("program", "text"), transcripts_here())
def test_what_the_page_shows_is_what_is_seen(prompt_on, program, text):
    """P3, P4, P6: every rank is accounted for, whatever it waits in, and an odd one stands out."""
    prompt = prompt_on(program)
    unasked, cells = parted(text)
    if unasked:
        prompt.session.watch()
        for line in without_numbers(unasked).splitlines():
            wait_until(lambda line=line: line in prompt.shown(prompt.display.events), DEADLINE, f"it says {line!r}")
    for typed, shows in cells:
        expected, seen = without_numbers(shows), []

        def is_seen(typed=typed, expected=expected, seen=seen):
            seen.append(prompt.type(typed))
            return seen[-1] == expected

        # A look may come before the ranks are where they stay.
        looks = typed.startswith("%pxdebug stacks")
        told = f"it shows\n{expected}\nbut"
        wait_until(is_seen, DEADLINE if looks else 0.0, lambda told=told, seen=seen: f"{told}\n{seen[-1]}")


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="its interpreter counts nothing at calls that it knows")
def test_a_loop_around_one_call_of_mpi_moves_although_no_name_changes(prompt_on, tmp_path):
    """P4: a program that communicates all the time is none that hangs."""
    program = tmp_path / "tight.py"
    program.write_text(TIGHT)
    prompt = prompt_on(program)
    wait_until(lambda: "in MPI Allreduce" in prompt.type("%pxdebug stacks"), DEADLINE, "the loop runs")
    last = without_numbers("4 looks in 0.3 s: 0-3 have moved")
    wait_until(lambda: last in prompt.type("%pxdebug stacks --every 0.1 --count 4"), DEADLINE, "all ranks move")


def test_the_page_has_a_transcript_of_each_kind_of_hang():
    assert [Path(program).stem for program, _ in transcripts("stacks.md")] == [
        "hang",
        "collective",
        "endless",
        "gil",
        "stopped",
    ]
