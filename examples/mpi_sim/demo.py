"""The main job, on four real MPI ranks: pause a running simulation in the middle, look, plot, resume; nothing changes.

    python demo.py [--out DIRECTORY]

Runs `sim.py` once undisturbed and once under `pxshell run`, with the cells below, and prints what a user would see.
The two checksums must be equal; the exit status says whether they are.
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
RANKS = 4
#: Seconds for everything; a run takes about fifteen.
DEADLINE = 240

CELLS = [
    "%pxsignal pause --sync step",
    "step, float(u.max()) > 1, u.shape",
    'f"{u.sum():.3f} of the water is here"',
    "%pxfocus 2",
    "kept, vx[0, 0] = float(vx[0, 0]), 123.0",
    "float(vx[0, 0])",
    "vx[0, 0] = kept",
    "before = dt; dt = 1e9",
    "dt",
    "dt = before",
    "%pxfocus all",
    "%pxpull u -t all -o parts",
    '%local import matplotlib; matplotlib.use("Agg"); import matplotlib.pyplot as plt, numpy as np',
    "%local field = np.block([[parts[0], parts[1]], [parts[2], parts[3]]])",
    '%local plt.imsave({plot}, field, cmap="viridis")',
    "%pxsignal resume",
]


def main():
    """Run both, compare, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="where the plot goes (default: beside this file)")
    parser.add_argument("--steps", default="3000", help="steps of the simulation (default: %(default)s)")
    args = parser.parse_args()
    plot = args.out.resolve() / "basin.png"
    plot.unlink(missing_ok=True)

    print("An undisturbed run:", flush=True)
    script = [str(HERE / "sim.py"), "--steps", args.steps]
    undisturbed = run([program("mpiexec"), "-n", str(RANKS), sys.executable, *script])

    print("\nThe same under pxshell, paused in the middle:", flush=True)
    cells = [word for cell in CELLS for word in ("-c", cell.replace("{plot}", json.dumps(str(plot))))]
    paused = run([program("pxshell"), "run", "--mpi", "-n", str(RANKS), *cells, "--wait", "--", *script])

    print()
    problems = list(differences(undisturbed, paused, plot))
    for problem in problems:
        print(f"FAILED: {problem}")
    if not problems:
        print(f"Both runs end with checksum {checksum(paused)}. The plot of the paused field: {plot}")
    return 1 if problems else 0


def program(name):
    """Return the program of the environment that runs this."""
    beside = Path(sysconfig.get_path("scripts")) / name
    return str(beside) if beside.exists() else name


def run(command):
    """Run a command, show it and what it prints as it comes, and return its lines."""
    print("$ " + shlex.join([Path(command[0]).name, *command[1:]]), flush=True)
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout:
            print("  " + line, end="", flush=True)
            lines.append(line)
        status = process.wait(DEADLINE)
    if status:
        sys.exit(f"FAILED: exit status {status}")
    return lines


def differences(undisturbed, paused, plot):
    """Yield what is not as it should be."""
    if checksum(undisturbed) is None or checksum(undisturbed) != checksum(paused):
        yield f"checksum {checksum(undisturbed)} undisturbed, {checksum(paused)} after the pause"
    if not any(re.search(r"0-3 paused at sim\.py:\d+ in main, step = \d+ on all", line) for line in paused):
        yield "not all ranks were paused at the same line of the same step"
    if not any("123.0" in line for line in paused):
        yield "the changed value was not seen"
    if not plot.exists():
        yield f"no plot at {plot}"


def checksum(lines):
    """Return the checksum that the simulation printed, None if it printed none."""
    found = re.findall(r"checksum ([0-9a-f]{8})", "".join(lines))
    return found[-1] if found else None


if __name__ == "__main__":
    sys.exit(main())
