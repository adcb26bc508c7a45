"""Write down when the first line of the script ran: `first_line.py DIRECTORY`."""

import time

NOW = time.time()

import os  # noqa: E402 - after the clock
import sys  # noqa: E402 - after the clock
from pathlib import Path  # noqa: E402 - after the clock

path = Path(sys.argv[1], str(os.getpid()))
path.with_suffix(".new").write_text(str(NOW))
path.with_suffix(".new").rename(path)
