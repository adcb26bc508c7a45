"""`python -m pxshell.controller DIR`: the controller of one cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["main"]


def _start_node(directory: Path) -> subprocess.Popen[bytes]:
    log = os.open(directory / "logs" / "node.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "pxshell.node", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.close(log)


def main() -> int:
    """Run `python -m pxshell.controller`."""
    directory = Path(sys.argv[1])
    node = _start_node(directory)
    try:
        # Only now: it loads while we do, and tries to connect until we listen.
        import asyncio
        import logging

        from pxshell.controller.serving import serve

        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
        asyncio.run(serve(directory, node))
    except BaseException:
        node.terminate()
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
