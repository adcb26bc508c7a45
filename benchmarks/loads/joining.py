"""Say how many milliseconds `pxshell.join()` takes."""

import time

begin = time.perf_counter()
import pxshell  # noqa: E402 - what is measured

pxshell.join()
print((time.perf_counter() - begin) * 1000)
