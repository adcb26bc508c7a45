"""A real VS Code on the ranks of a real MPI simulation, as a person sees it; the pictures of docs/guide/editor.md.

Opt-in: `make vscode` installs it and runs this. With DRAW_PICTURES=1 the pictures are drawn anew.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import attack
import pytest
from browsers import chromium_page
from pty_terminal import Pty
from vscode import workbench

ROOT = Path(__file__).parents[2]
SIM = ROOT / "examples" / "mpi_sim"
#: `mass = total_mass(...)` in the loop of `main`.
LINE = next(
    n for n, line in enumerate((SIM / "sim.py").read_text().splitlines(), 1) if line.startswith("        mass =")
)
#: A variable of rank 2, whose part of the field is the lower left one.
BLOCK = "block = (slice(16, 32, None), slice(0, 16, None))"

pytestmark = [pytest.mark.vscode, pytest.mark.mpi, pytest.mark.slow, pytest.mark.timeout(300)]


class Desk:
    """A terminal with a simulation that runs in it, and the folder that is also VS Code's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "mpi_sim"
        shutil.copytree(SIM, self.folder, ignore=shutil.ignore_patterns("__pycache__"))
        script = ("sim.py", "--steps", "100000000", "--size", "32", "--every", "1000")
        words = ("run", "--mpi", "-n", "4", "--name", "sim-1", "--", *script)
        self.terminal = Pty("-m", "pxshell", *words, rows=40, columns=160, cwd=str(self.folder))
        self.terminal.wait_for("step 1000", workbench.STEP_S)

    def type(self, line: str, until: str) -> None:
        self.terminal.type(f"{line}\r")
        self.terminal.wait_for(until, workbench.STEP_S)

    def entries(self) -> dict:
        return json.loads((self.folder / ".vscode" / "launch.json").read_text())

    def end(self) -> None:
        try:
            self.terminal.type("\x15\x04")
            self.terminal.wait_for("top it", workbench.STEP_S)
            self.type("s", "have ended")
        finally:
            self.terminal.end()


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    desk.end()


@pytest.fixture
def window(desk, tmp_path):
    """VS Code, with the folder of the simulation open."""
    with workbench.serving(tmp_path / "served") as address, chromium_page(1280, 800, workbench.STEP_S) as page:
        try:
            yield workbench.Workbench(page, address, desk.folder)
        finally:
            page.screenshot(path=str(tmp_path / "last.png"))


def draw(window, name):
    """Keep a picture for the guide, if asked to."""
    if os.environ.get("DRAW_PICTURES"):
        window.wait_rows("call-stack", lambda rows: "Load More Stack Frames" not in rows, "all frames are there")
        window.page.mouse.move(900, 560)
        window.page.screenshot(path=str(ROOT / "docs" / "images" / name))


def at(rows, line):
    return any(row == f"main sim.py {line}:1" for row in rows)


def test_an_entry_for_each_rank_is_started_by_one_for_both(desk, window):
    """Scene 4: two ranks, paused at one step, each a session with its stack and variables; one is let go alone."""
    desk.type("%pxsignal pause --sync step", "on all")
    desk.type("%pxdebug attach 1,2 --write", "editors may attach")
    window.open("sim.py", LINE)
    window.toggle_breakpoint()
    window.start(desk.entries()["compounds"][0]["name"])
    names = ["rank 1 of sim-1 (pxshell)", "rank 2 of sim-1 (pxshell)"]
    window.wait_rows("call-stack", lambda rows: rows == [f"{name} Paused" for name in names], "both stand")
    desk.terminal.wait_for("1-2 debugging sim.py:", workbench.STEP_S)
    for name in names:
        window.unfold("call-stack", name)
    window.wait_rows("call-stack", lambda rows: sum(row.startswith("main sim.py") for row in rows) == 2, "both stacks")
    window.select("call-stack", "main", -1)
    window.unfold("variables", "Locals")
    window.wait_rows("variables", lambda rows: BLOCK in rows, "the variables of rank 2")
    draw(window, "vscode-ranks.png")
    desk.type("%pxsignal resume", "0-3 resumed")
    # The breakpoint is those two ranks'; the others wait for them in MPI.
    window.wait_rows("call-stack", lambda rows: at(rows, LINE), "a breakpoint stops them")
    desk.type("%pxdebug detach", "no editor may attach any more")
    window.wait_rows("call-stack", lambda rows: not rows, "both sessions are over")
    # A pause held them when the editor came.
    desk.terminal.wait_for(f"1-2 paused sim.py:{LINE}", workbench.STEP_S)


def test_all_ranks_are_the_threads_of_one_session(desk, window):
    """Scene 4: `--together`: stops fold, one rank steps alone, a breakpoint is everybody's."""
    desk.type("%pxsignal pause --sync step", "on all")
    desk.type("%pxdebug attach all --together --write", "editors may attach")
    window.open("sim.py", LINE)
    window.toggle_breakpoint()
    window.start(desk.entries()["configurations"][0]["name"])
    window.wait_rows(
        "call-stack",
        lambda rows: (
            [row[:15] for row in rows if "·" in row] == [f"rank {rank} · paused" for rank in range(4)]
            and any("RANKS 0-3 AT SIM.PY:" in row for row in rows)
        ),
        "all stand, told as one",
    )
    window.unfold("call-stack", "rank 2")
    window.select("call-stack", "main", -1)
    window.unfold("variables", "Locals")
    window.wait_rows("variables", lambda rows: BLOCK in rows, "the variables of rank 2")
    window.page.keyboard.press("F10")
    window.wait_rows("call-stack", lambda rows: any("RANK 2 AT SIM.PY:" in row for row in rows), "rank 2 has stepped")
    draw(window, "vscode-together.png")
    desk.type("%pxdebug detach", "no editor may attach any more")
    window.wait_rows("call-stack", lambda rows: not rows, "the session is over")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_entry_that_starts_the_adapter_needs_no_port(desk, window):
    """P9: `--write --stdio`: nothing listens, here neither; the entry is as Microsoft's extension takes it."""
    desk.type("%pxsignal pause --sync step", "on all")
    desk.type("%pxdebug attach 3 --write --stdio", "without a port")
    before = attack.tcp_listeners(desk.terminal.process.pid)
    window.open("sim.py", LINE)
    window.start("rank 3 of sim-1 (pxshell)")
    window.wait_rows("call-stack", lambda rows: any(row.startswith("main sim.py") for row in rows), "rank 3 stands")
    desk.terminal.wait_for("3 debugging sim.py:", workbench.STEP_S)
    assert attack.tcp_listeners(desk.terminal.process.pid) == before == []
    window.page.keyboard.press("Shift+F5")
    window.wait_rows("call-stack", lambda rows: not rows, "the session is over")
    desk.terminal.wait_for("0-3 paused sim.py:", workbench.STEP_S)
