"""The transcripts of docs/guide/stacks.md, typed on real MPI ranks: what is shown is what the page says."""

import re
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from pxshell.magics import load, unload_ipython_extension
from traitlets.config import Config as IPythonConfig

from pxshell import Cluster
from pxshell.render import to_plain
from pxshell.session import Config, Session
from pxshell.testing.scripted import RecordingDisplay
from pxshell.testing.waiting import wait_until

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guide" / "stacks.md"
TRANSCRIPT = re.compile(r"^```transcript (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"^px\[[^>]*> ", re.MULTILINE)
#: Seconds until a program has come to where it hangs; the machine may be slow.
DEADLINE = 60.0
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


def transcripts():
    found = TRANSCRIPT.findall(PAGE.read_text())
    return [pytest.param(program, text, id=Path(program).stem) for program, text in found]


def parted(text):
    """Part a transcript into what comes unasked, and each line that is typed with what it shows."""
    unasked, *cells = PROMPT.split(text)
    return unasked, [cell.partition("\n")[::2] for cell in cells]


def without_numbers(text):
    """Return a text without times, and without the name of a C function that not every system can tell."""
    text = re.sub(r"\d+(?:\.\d+)? s\b", "N s", text)
    return re.sub(r"holds the GIL, in \w+", "holds the GIL", text)


class Prompt:
    """A session on a cluster, typed at."""

    def __init__(self, client, shell):
        self._client = client
        self._shell = shell
        self.display = RecordingDisplay()
        # Not to wait 10 s for the watchdog.
        self.session = Session(client, self.display, Config(watchdog=1.0))
        self.holder = load(shell, self.session, self.display)

    def shown(self, events):
        return without_numbers("".join(to_plain(event, self._client.ranks) for event in events))

    def type(self, line):
        before = len(self.display.events)
        self._shell.run_cell(line)
        return self.shown(self.display.events[before:])


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


@pytest.mark.parametrize(("program", "text"), transcripts())
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
    assert [Path(program).stem for program, _ in TRANSCRIPT.findall(PAGE.read_text())] == [
        "hang",
        "collective",
        "endless",
        "gil",
        "stopped",
    ]
