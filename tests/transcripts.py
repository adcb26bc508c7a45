"""Transcripts of the guide, typed on real MPI ranks: what is shown is what the page says."""

import re
import shlex
from pathlib import Path

from loaded import without_load
from pxshell.magics import load

from pxshell import Cluster
from pxshell.render import to_plain
from pxshell.render.events import Text
from pxshell.session import Config, Session
from pxshell.testing.scripted import RecordingDisplay
from pxshell.testing.waiting import wait_until

ROOT = Path(__file__).parents[1]
TRANSCRIPT = re.compile(r"^```transcript ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"^px\[[^>]*> ", re.MULTILINE)
#: Seconds until a program has come to where it hangs or fails; the machine may be slow.
DEADLINE = 60.0


def transcripts(page):
    """Return the programs of a page of the guide, with their options, each with its transcript."""
    return TRANSCRIPT.findall((ROOT / "docs" / "guide" / page).read_text())


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
        """Return what is shown of events, but for what the program prints, which comes when it comes."""
        events = [event for event in events if not isinstance(event, Text)]
        return without_numbers("".join(to_plain(event, self._client.ranks) for event in events))

    def type(self, line):
        before = len(self.display.events)
        self._shell.run_cell(line)
        return without_load(self.shown(self.display.events[before:]))

    def wait_for_lines(self, text):
        """Wait until each line of a text has been shown."""
        for line in without_numbers(text).splitlines():
            wait_until(lambda line=line: line in self.shown(self.display.events), DEADLINE, f"it says {line!r}")


def start(program, shell, **options):
    """Start a program, with its options, on 4 MPI ranks that wait for `px_start_request`; return cluster and prompt."""
    script, *words = shlex.split(program)
    cluster = Cluster.start(4, launcher="mpi", script=[str(ROOT / script), *words], hold=True, **options)
    return cluster, Prompt(cluster.client(), shell)


def begin(prompt):
    """Let user code start."""
    client = prompt.session.client
    assert client.request("px_start_request", {}, client.ranks).wait(DEADLINE)
