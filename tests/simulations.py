"""The state of the example simulation: of ranks that stand in it, and of a run of its own that nobody looks at.

A test that pauses a simulation so and so often cannot know how many steps it takes meanwhile: a busy machine runs it on
while the front end waits for its turn. So it has no end, and what it has computed is asked for where it stands.
"""

import os
import re
import subprocess
from pathlib import Path

from pxshell.session import Session

SIM = Path(__file__).parents[1] / "examples" / "mpi_sim" / "sim.py"
ENDLESS = [str(SIM), "--steps", "100000000", "--size", "32", "--every", "100000000"]
#: Seconds for a run of its own; as many steps as a test has seen.
LIMIT_S = 240.0

_FIRST = "if (rank, step) == args.nan_at:"
_CHECKSUM = (
    '(lambda field: "" if field is None else f"{zlib.crc32(field.tobytes()):08x}")(gather(cart, u, block, args.size))'
)


def state_of(session: Session) -> tuple[int, str]:
    """Return how many steps have been made, and the checksum of the field, on ranks that stand at one step's begin."""
    state = session.client.states.of(0)
    assert SIM.read_text().splitlines()[state.line - 1].strip() == _FIRST, state
    steps = set(session.pull("step").values())
    assert len(steps) == 1, steps
    return steps.pop() - 1, session.pull(_CHECKSUM)[0]


def undisturbed(mpiexec: Path, python: Path, steps: int, **env: str) -> str:
    """Return the checksum after so many steps of a run without pxshell."""
    command = [mpiexec, "-n", "4", python, SIM, "--steps", str(steps), "--size", "32", "--every", "100000000"]
    done = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S, env=os.environ | env
    )
    found = re.findall("checksum ([0-9a-f]{8})", done.stdout)
    assert len(found) == 1, (done.returncode, done.stdout, done.stderr)
    return found[0]
