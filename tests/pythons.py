"""Run the tests of the engine, and what it stands on, under the other supported Pythons of this machine.

    python tests/pythons.py [PYTEST OPTIONS]

Frames, tracing and signals differ from version to version; the front ends do not, and are tested under one.
"""

import os
import subprocess
import sys
import time

import environments

PART = ("tests/ranks", "tests/protocol", "tests/engine", "tests/integration/test_simulation.py")


def main(options: list[str]) -> int:
    """Return 0 when all that could be run passed."""
    mine = f"{sys.version_info.major}.{sys.version_info.minor}"
    results = [run(version, options) for version in environments.PYTHONS if version != mine]
    return max(results, default=0)


def run(version: str, options: list[str]) -> int:
    """Run the part under one version; a Python that is not here is no failure."""
    if environments.find_python(version) is None:
        print(f"=== Python {version}: not on PATH or in pyenv, not tested", flush=True)
        return 0
    started = time.monotonic()
    python = environments.make(version)
    print(f"=== Python {version}: {' '.join(PART)}", flush=True)
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PART, *options]
    # What CI repeats more often than a developer is repeated under the first Python.
    env = {name: value for name, value in os.environ.items() if name != "CI"}
    status = subprocess.run(command, cwd=environments.ROOT, env=env, check=False).returncode
    print(f"=== Python {version}: exit status {status}, {time.monotonic() - started:.0f} s", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
