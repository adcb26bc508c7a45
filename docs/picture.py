"""Draws the picture in the README: a real session of `pxshell run` in a real (pseudo) terminal.

    python docs/picture.py            writes docs/images/session.svg

Types what is in STEPS, waits for what the screen must show after each, and draws the screen as it is then.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import ptyprocess
import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
ROWS, COLUMNS = 30, 104
DEADLINE = 60.0

#: What is typed (None: nothing), and what the screen must show before the next step.
STEPS = [
    (None, r"step 500 "),
    ("%pxsignal pause --sync step", r"paused at .* = \d+ on all"),
    ("step, u.shape, float(u.max()) < 2", r"True"),
    ("int(np.isnan(u).sum())", r"differs"),
    ("%pxfocus @odd", r"focus: 3"),
    ("rows, cols = np.where(np.isnan(u)); rows.min(), rows.max()", r"int64"),
    ("u[np.isnan(u)] = 1.0", r"px\[3\] sim\.py:\d+>$"),
    ("%pxfocus all", r"focus: 0-3"),
    ("float(np.isnan(u).any())", r"0\.0"),
    ("%pxsignal resume", r"checksum"),
]


def main() -> int:
    """Run the session and draw it."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    program = Path(sysconfig.get_path("scripts")) / "pxshell"
    script = ["examples/mpi_sim/sim.py", "--steps", "3000", "--nan-at", "3,400"]
    with tempfile.TemporaryDirectory(prefix="px") as directory:
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "PXSHELL_DIR": f"{directory}/d",
            "PXSHELL_RUNTIME_DIR": f"{directory}/r",
            "IPYTHONDIR": f"{directory}/i",
        }
        command = [str(program), "run", "--mpi", "-n", "4", "--", *script]
        child = ptyprocess.PtyProcess.spawn(command, dimensions=(ROWS, COLUMNS), env=environment, cwd=ROOT)
        # The terminal's answers, such as where the cursor is.
        screen.write_process_input = lambda text: child.write(text.encode())
        try:
            for typed, shown in STEPS:
                if typed is not None:
                    child.write(f"{typed}\r".encode())
                wait_for(child, stream, screen, shown)
            draw(screen, ROOT / "docs/images/session.svg")
        finally:
            child.write(b"\x04")
            wait_for(child, stream, screen, r"\[[DdSs]/[DdSs]\]")
            child.write(b"s\r")
            wait_for(child, stream, screen, r"stopped|^$")
            child.terminate(force=True)
            shutil.rmtree(f"{directory}/r", ignore_errors=True)
    return 0


def wait_for(child: ptyprocess.PtyProcess, stream: pyte.ByteStream, screen: pyte.Screen, pattern: str) -> None:
    """Feed the screen until it shows the pattern, and then until it is quiet.

    Raises:
        TimeoutError: it does not.
    """
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        is_quiet = not select.select([child.fd], [], [], 0.3)[0]
        if not is_quiet:
            try:
                stream.feed(child.read(65536))
            except EOFError:
                return
        elif any(re.search(pattern, line.rstrip()) for line in screen.display):
            return
    raise TimeoutError(f"the screen does not show {pattern!r}:\n" + "\n".join(screen.display))


def draw(screen: pyte.Screen, path: Path) -> None:
    """Write the screen as SVG."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(width=COLUMNS, record=True, file=nowhere, force_terminal=True, color_system="truecolor")
        for row in range(ROWS):
            line = Text()
            for column in range(COLUMNS):
                cell = screen.buffer[row][column]
                style = Style(color=color(cell.fg), bgcolor=color(cell.bg), bold=cell.bold, reverse=cell.reverse)
                line.append(cell.data or " ", style)
            console.print(line, no_wrap=True, crop=True)
        path.parent.mkdir(exist_ok=True)
        picture = console.export_svg(title="pxshell run --mpi -n 4 -- sim.py")
    # The reader's own font in place of one from the network.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    path.write_text(picture.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas"), encoding="utf-8")


def color(name: str) -> str | None:
    """Translate pyte's name of a colour into rich's."""
    if name == "default":
        return None
    if re.fullmatch("[0-9a-f]{6}", name):
        return f"#{name}"
    return {"brown": "yellow", "brightbrown": "bright_yellow"}.get(name, re.sub("^bright(?!_)", "bright_", name))


if __name__ == "__main__":
    sys.exit(main())
