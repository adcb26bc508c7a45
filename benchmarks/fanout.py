"""The floor of the tree: a raw pyzmq ROUTER that sends one empty message to each rank and takes one from each."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bench
import zmq

__all__ = ["Fanout", "fanout"]

_PATIENCE_MS = 60_000


class Fanout:
    """A ROUTER and the routes of all ranks, which have said hello."""

    def __init__(self, sock: zmq.Socket[bytes], ranks: int) -> None:
        self._socket = sock
        self._routes = [self._received() for _ in range(ranks)]

    def round_trip(self) -> float:
        """Ask all and wait for all; return milliseconds."""
        began = time.monotonic()
        for route in self._routes:
            self._socket.send_multipart([route, b""])
        for _ in self._routes:
            self._received()
        return 1e3 * (time.monotonic() - began)

    def _received(self) -> bytes:
        return self._socket.recv_multipart()[0]


@contextmanager
def fanout(directory: Path, processes: int, each: int) -> Iterator[Fanout]:
    """Start so many processes with so many ranks each, on unix sockets without keys; end them afterwards."""
    address = f"ipc://{directory}/fan.sock"
    with zmq.Context() as context, context.socket(zmq.ROUTER) as sock:
        sock.setsockopt(zmq.SNDHWM, 0)
        sock.setsockopt(zmq.RCVHWM, 0)
        sock.setsockopt(zmq.RCVTIMEO, _PATIENCE_MS)
        sock.setsockopt(zmq.LINGER, 0)
        sock.bind(address)
        load = [sys.executable, str(bench.LOADS / "fanout.py"), address, str(each)]
        with ExitStack() as stack:
            for _ in range(processes):
                process = subprocess.Popen(load)
                stack.callback(process.wait)
                stack.callback(process.kill)
            yield Fanout(sock, processes * each)
