"""The figures of docs/performance.md, in one run with the peers.

Run: python benchmarks/run.py [--short] [--only PART ...] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from pathlib import Path

import against_ipyparallel
import against_python
import at_ranks
import bench
import echo
import editor
import floods
import interruptible
import local_ranks
import stacks
from figures import Figure, table

PARTS = {
    "python": against_python.figures,
    "ranks": at_ranks.figures,
    "typing": echo.figures,
    "editor": editor.figures,
    "stacks": stacks.figures,
    "interruptible": interruptible.figures,
    "local": local_ranks.figures,
    "floods": floods.figures,
    "ipyparallel": against_ipyparallel.figures,
}


def main() -> None:
    """Measure, print the table, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--short", action="store_true", help="a smoke test: everything once, and no peer that is slow")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(machine, flush=True)
    # Ended by somebody, end what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    found: list[Figure] = []
    with bench.private_directories():
        for part in args.only:
            for figure in PARTS[part](short=args.short):
                found.append(figure)
                print(f"  {figure.name}: {figure.ours:.3g} {figure.unit}", file=sys.stderr, flush=True)
    print(table(found))
    if args.json:
        content = {"machine": machine, "short": args.short, "figures": [figure.as_json() for figure in found]}
        args.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
