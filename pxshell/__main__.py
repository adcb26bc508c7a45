"""`python -m pxshell` is the command `pxshell`."""

from __future__ import annotations

import sys

from pxshell.cli import main

if __name__ == "__main__":
    sys.exit(main())
