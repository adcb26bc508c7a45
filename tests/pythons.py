"""Run the tests of the engine, and what it stands on, under the other supported Pythons of this machine.

    python tests/pythons.py [PYTEST OPTIONS]

Frames, tracing and signals differ from version to version; the front ends do not, and are tested under one.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import environments

PART = ("tests/ranks", "tests/protocol", "tests/engine", "tests/integration/test_simulation.py")


def main(options: list[str]) -> int:
    """Return 0 when all that could be run passed; the versions run beside each other, for they wait much."""
    mine = f"{sys.version_info.major}.{sys.version_info.minor}"
    with ThreadPoolExecutor() as pool:
        return max(pool.map(lambda version: run(version, options), [v for v in environments.PYTHONS if v != mine]))


def run(version: str, options: list[str]) -> int:
    """Run the part under one version, and print what it says when it is done; a missing Python is no failure."""
    if environments.find_python(version) is None:
        print(f"=== Python {version}: not on PATH or in pyenv, not tested", flush=True)
        return 0
    started = time.monotonic()
    python = environments.make(version)
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PART, *options]
    # What CI repeats more often than a developer is repeated under the first Python.
    env = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        command,
        cwd=environments.ROOT,
        env=env,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(
        f"=== Python {version}: {' '.join(PART)}\n{done.stdout}"
        f"=== Python {version}: exit status {done.returncode}, {time.monotonic() - started:.0f} s",
        flush=True,
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
