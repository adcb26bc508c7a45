"""`python -m pxshell.engine`: see `main`."""

from __future__ import annotations

import sys

from pxshell.engine.main import main

if __name__ == "__main__":
    sys.exit(main())
