"""A process that has imported what a rank needs, and forks ranks: each starts warm, and shares its memory.

Its only thread waits for the node. It imports neither numpy, whose random state ranks would share, nor mpi4py, and
nothing of the user's.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import socket
import sys
import threading
from collections.abc import Mapping

__all__ = ["FORKS", "fork_ranks"]

#: The option of `python -m pxshell.engine` that is followed by the number of the descriptor that leads to the node.
FORKS = "--forks"

_LONGEST = 1 << 20


def fork_ranks(control: socket.socket) -> bool:
    """Fork a rank for each request of the node, until the node has gone.

    A request is what the rank's environment has beside this process's own. Each is answered with the rank's pid and its
    pidfd, so that the node signals exactly this process; once the rank has ended, the node is told its exit status.

    Returns:
        True in a new rank, False when there is no more to do.
    """
    import_what_ranks_need()
    server = _ForkServer(control)
    # What is there now is there for good: a collection in a rank would copy all of it.
    gc.collect()
    gc.freeze()
    return server.serve()


def import_what_ranks_need() -> None:
    """Import what the first cell and the first failure of a rank would, and fill the caches that they fill."""
    from pxshell.engine.warming import warm_up

    warm_up()
    assert threading.active_count() == 1, "a fork copies one thread; what the others hold stays locked"


class _ForkServer:
    """The loop; `_children` are the pidfds of ranks that run."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[int, int] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)

    def serve(self) -> bool:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._control:
                    self._reap(int(key.fd))
                    continue
                request = self._control.recv(_LONGEST)
                if not request:
                    return False
                if self._fork(json.loads(request)):
                    return True

    def _fork(self, environment: Mapping[str, str]) -> bool:
        try:
            pid = os.fork()
        except OSError as error:
            print(f"cannot fork a rank: {error.strerror}", file=sys.stderr, flush=True)  # noqa: T201 - to the launch log
            self._tell({"error": error.strerror})
            return False
        if not pid:
            self._become_a_rank(environment)
            return True
        fd = os.pidfd_open(pid)
        self._children[fd] = pid
        self._selector.register(fd, selectors.EVENT_READ)
        self._tell({"pid": pid}, fd)
        return False

    def _become_a_rank(self, environment: Mapping[str, str]) -> None:
        os.setsid()
        self._selector.close()
        self._control.close()
        for fd in self._children:
            os.close(fd)
        os.environ.update(environment)
        sys.argv[1:] = []

    def _reap(self, fd: int) -> None:
        pid = self._children.pop(fd)
        self._selector.unregister(fd)
        os.close(fd)
        _, status = os.waitpid(pid, 0)
        self._tell({"pid": pid, "status": os.waitstatus_to_exitcode(status)})

    def _tell(self, said: Mapping[str, object], *fds: int) -> None:
        try:
            socket.send_fds(self._control, [json.dumps(said).encode()], fds)
        except (BrokenPipeError, ConnectionResetError):
            return  # the node has gone, which the next look finds
