"""The real controller and client of ipyparallel, and engines that run nothing: flat view and coalescing broadcast."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import bench

__all__ = ["IppFan", "ipp_fan"]

#: Seconds until all engines have registered, and until all have answered.
_PATIENCE_S = 300


def _nothing() -> None:
    """Run nowhere."""


class IppFan:
    """A client of the controller, and its two views of all engines."""

    def __init__(self, client: Any) -> None:
        broadcast = client.broadcast_view()
        broadcast.is_coalescing = True
        self._views = {"flat": client[:], "coalescing": broadcast}

    def round_trip(self, view: str) -> float:
        """Ask all and wait for all; return milliseconds."""
        began = time.monotonic()
        asked = self._views[view].apply_async(_nothing)
        if not asked.wait(_PATIENCE_S):
            raise TimeoutError(f"ipyparallel's {view} view: no answer within {_PATIENCE_S} s")
        return 1e3 * (time.monotonic() - began)


@contextmanager
def ipp_fan(processes: int, each: int) -> Iterator[IppFan]:
    """Start the controller, and so many processes with so many engines each; end all afterwards."""
    import ipyparallel

    with ExitStack() as stack:
        profile = stack.enter_context(tempfile.TemporaryDirectory(prefix="pxipp-", dir="/tmp"))
        cluster = ipyparallel.Cluster(n=0, profile_dir=profile, log_level=40)
        stack.callback(cluster.stop_controller_sync)
        cluster.start_controller_sync()
        client = cluster.connect_client_sync()
        stack.callback(client.close)
        (file,) = Path(profile, "security").glob("*-engine.json")
        loads = []
        for _ in range(processes):
            command = [sys.executable, str(bench.LOADS / "ipp_engines.py"), str(file), str(each)]
            load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            stack.callback(load.wait)
            stack.callback(load.kill)
            assert load.stdout is not None
            stack.enter_context(load.stdout)
            loads.append(load.stdout)
        for said in loads:
            assert said.readline() == "registered\n", "an engine was refused"
        client.wait_for_engines(processes * each, timeout=_PATIENCE_S, interactive=False)
        yield IppFan(client)
