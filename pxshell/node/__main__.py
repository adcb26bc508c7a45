"""`python -m pxshell.node DIR`: the node of one machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pxshell.node.warm import WarmProcess, start_warm

__all__ = ["main"]


def main() -> int:
    """Run `python -m pxshell.node`."""
    directory = Path(sys.argv[1])
    warm = _start_warm(directory)
    # Only now: it loads while we do.
    import asyncio
    import logging

    from pxshell.node.serving import serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    asyncio.run(serve(directory, warm))
    return 0


def _start_warm(directory: Path) -> WarmProcess | None:
    try:
        return start_warm(directory, json.loads((directory / "launch.json").read_bytes()))
    except OSError:
        return None  # it will be tried again, when there is somebody who can be told


if __name__ == "__main__":
    sys.exit(main())
