"""A user in IPython, with pxshell's magics or ipyparallel's: `face.py pxshell|ipyparallel RANKS CELLS`; prints JSON.

Times are to the moment when the magic has returned, so its text is shown.
"""

import contextlib
import io
import json
import os
import signal
import sys
import threading
import time

# All that is started from here on inherits it.
os.environ["PXSHELL_BENCHMARK"] = str(os.getpid())

begin = time.perf_counter()

from IPython.core.interactiveshell import InteractiveShell  # noqa: E402

RANKS = int(sys.argv[2])


def start_pxshell(shell):
    """Start the ranks; return how to stop them."""
    shell.run_line_magic("load_ext", "pxshell")
    shell.run_line_magic("pxcluster", f"start -n {RANKS}")
    return lambda: shell.run_line_magic("pxcluster", "stop")


def start_ipyparallel(_):
    """Start the engines; return how to stop them."""
    import ipyparallel

    cluster = ipyparallel.Cluster(n=RANKS, log_level=40)
    client = cluster.start_and_connect_sync()
    view = client[:]
    view.block = True
    view.activate()

    def stop():
        client.close()
        cluster.stop_cluster_sync()

    return stop


def timed(shell, line):
    """Run a line of `%px`; return milliseconds and what was shown."""
    shown = io.StringIO()
    since = time.perf_counter()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        try:
            shell.run_line_magic("px", line)
        except BaseException as error:  # noqa: BLE001 - what the magics raise is shown
            shown.write(type(error).__name__)
    return (time.perf_counter() - since) * 1000, shown.getvalue()


def interrupted(shell):
    """Press Ctrl-C one second into `time.sleep(100)`; return milliseconds from the key until the next cell is shown."""
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(1.0, press)
    timer.start()
    timed(shell, "import time; time.sleep(100)")
    # ipyparallel returns before the engines have stopped, and its next cell may show nothing.
    while "2" not in timed(shell, "1+1")[1]:
        pass
    return (time.perf_counter() - pressed[0]) * 1000


def started():
    """Return the processes that were started, wherever they have moved."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get("PXSHELL_BENCHMARK") == str(os.getpid()):
                found.append(process)
    return found


def wait_for_ends(processes):
    """Wait until they are gone: a front end may say that it has stopped before that."""
    import psutil

    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.001)


def main():
    """Measure."""
    shell = InteractiveShell.instance()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        stop = {"pxshell": start_pxshell, "ipyparallel": start_ipyparallel}[sys.argv[1]](shell)
    try:
        ready = (time.perf_counter() - begin) * 1000
        first, shown = timed(shell, "1+1")
        assert "2" in shown, shown
        cells = [timed(shell, "1+1")[0] for _ in range(int(sys.argv[3]))]
        interrupt = interrupted(shell)
    finally:
        processes = started()
        since = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            stop()
        wait_for_ends(processes)
        stopped = (time.perf_counter() - since) * 1000
    said = {"ready": ready, "first": ready + first, "cells": cells, "interrupt": interrupt, "stopped": stopped}
    print(json.dumps(said))


main()
