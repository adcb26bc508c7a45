"""A loop that calls a function for ever, and keeps how long each chunk of calls has taken."""

import os
import sys
import time

CHUNK = 20_000
times = []


def called(number):
    """Be called."""
    return number & 7


def main():
    """Loop on."""
    while True:
        begin = time.perf_counter()
        total = 0
        for number in range(CHUNK):
            total += called(number)
        times.append((time.perf_counter() - begin) / CHUNK)
        del times[:-2000]
        marked = total  # noqa: F841 - a breakpoint of the benchmark


if os.environ.get("PXBENCH_LISTEN"):
    import debugpy  # noqa: T100 - the peer

    debugpy.configure(subProcess=False)
    port = debugpy.listen(("127.0.0.1", 0))[1]  # noqa: T100 - as above
    print(port, file=sys.stdout, flush=True)
main()
