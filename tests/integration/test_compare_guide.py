"""The transcripts of docs/guide/compare.md, on the simulation on four MPI ranks: what is typed, and what is seen."""

import re
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from loaded import without_load
from pxshell.magics import load, unload_ipython_extension
from traitlets.config import Config as IPythonConfig

from pxshell import Cluster
from pxshell.render import to_plain
from pxshell.session import Config, Session
from pxshell.terminal.cells import CellRunner
from pxshell.testing.scripted import RecordingDisplay
from pxshell.testing.waiting import wait_until

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide" / "compare.md"
SIM = ROOT / "examples" / "mpi_sim" / "sim.py"

BLOCK = re.compile(r"<!-- tested: (\w+) -->\n```console\n(.*?)```", re.DOTALL)
PROMPT = re.compile(r"px\[[^\]]*\][^>]*> ")
DRAWN = re.compile(r"[ ░▒▓█×]+(?: [\d.]+)?")  # noqa: RUF001 - the sign of a NaN
LABEL = re.compile(r"\[[\d,-]+\] ")
RANKS = re.compile(r"\([\d,-]+\)")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")

pytestmark = pytest.mark.mpi


def steps_of(kind):
    """Return the commands of the guide's blocks of a kind, each with what it shows."""
    steps = []
    for name, text in BLOCK.findall(GUIDE.read_text()):
        for line in text.splitlines() if name == kind else ():
            if PROMPT.match(line):
                steps.append((PROMPT.sub("", line, count=1), []))
            elif not line.startswith("$"):
                steps[-1][1].append(line)
    return steps


def normal(lines):
    """Return lines without what differs from run to run: numbers but ranks, and how many rows a drawing has."""
    out = []
    for line in lines:
        label = LABEL.match(line)
        head = label[0] if label else ""
        rest = line[len(head) :]
        if not rest.strip() or DRAWN.fullmatch(rest):
            marks = sorted(set(rest) & set("×"))  # noqa: RUF001 - as above
            said = f"{head}drawn"
            if not out or out[-1] != said:
                out.append(said)
            out += [f"with {mark}" for mark in marks if f"with {mark}" not in out]
        else:
            out.append(head + " ".join(NUMBER.sub("N", RANKS.sub("(ranks)", rest)).split()))
    return [line for number, line in enumerate(out) if line != "drawn" or out[number - 1 : number] != ["drawn"]]


class Typist:
    """The magics of an IPython on a real cluster."""

    def __init__(self, session, display, shell):
        self.session = session
        self.display = display
        self.shell = shell
        self.runner = CellRunner(session, display, self._here, lambda text: None)

    def _here(self, text):
        self.shell.run_cell(text.removeprefix("%local "))
        return 0

    def type(self, text):
        """Run a line and return the lines that were shown for it, but for what the program prints."""
        self.display.events.clear()
        self.runner.run(text)
        events = [event for event in self.display.events if type(event).__name__ != "Text"]
        shown = "".join(to_plain(event, self.session.world, 80) for event in events)
        return without_load(shown).splitlines()


@pytest.fixture(scope="module")
def typist():
    """The simulation, running beyond the step of its fault."""
    config = IPythonConfig()
    config.HistoryManager.enabled = False  # no thread that saves history
    shell = InteractiveShell(config=config)
    script = [str(SIM), "--nan-at", "3,3", "--steps", "1000000", "--every", "1000000"]
    with Cluster.start(4, launcher="mpi", script=script, hold=True) as cluster:
        client, display = cluster.client(), RecordingDisplay()
        # Of a busy machine's ranks, too, all answer.
        with Session(client, display, Config(control_deadline=60.0, pause_deadline=60.0)) as session:
            load(shell, session, display)
            client.ask("px_attend_request", {"stay": False})
            client.request("px_start_request", {}, client.ranks).wait(30)
            wait_until(lambda: _is_beyond(session), 60, "the step of the fault is over")
            yield Typist(session, display, shell)
            unload_ipython_extension(shell)
    shell.reset(new_session=False)
    InteractiveShell.clear_instance()


def _is_beyond(session):
    steps = session.pull("step", peek=True)
    return len(steps) == 4 and min(steps.values()) > 3


@pytest.mark.shared_directories
def test_the_guide_shows_what_is_seen(typist, tmp_path, monkeypatch):
    """P4, P6: the running program is looked at, the paused one compared and plotted."""
    monkeypatch.chdir(tmp_path)
    running, paused = steps_of("running"), steps_of("paused")
    assert len(running) == 3 and len(paused) > 15
    for typed, expected in [*running, *paused]:
        shown = typist.type(typed.replace("step > 600", "step > 3"))
        assert normal(shown) == normal(expected), f"{typed}\n" + "\n".join(shown)
