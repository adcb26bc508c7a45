"""Ranks that are forked from one warm process in place of being started: see `pxshell.engine.forking`."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections import deque
from collections.abc import Mapping
from typing import Protocol

from pxshell.node.warm import WarmProcess
from pxshell.node.watch import ProcessWatch
from pxshell.ranks import RankSet
from pxshell.transport.base import Reactor, Timer

__all__ = ["ForkServer", "ForkedProcess"]

_LONGEST = 1 << 16
#: Seconds in which a warm process answers something, imports on a busy machine included; one that is stopped does not.
_ANSWER_S = 30.0


class _Ended(Protocol):
    def __call__(self, process: ForkedProcess, /) -> None: ...


class ForkedProcess:
    """One rank, on its way or there, as `launch.StartedProcess`.

    Args:
        ended: called in the loop's thread with the process once its end is known.
    """

    def __init__(self, ranks: RankSet, name: str, ended: _Ended) -> None:
        self.ranks = ranks
        self.name = name
        #: It has no launcher that would end others with it.
        self.ends_together = False
        self.pid = 0
        #: Exit status, or the negative number of the signal; None while it runs, or when nobody can know.
        self.returncode: int | None = None
        self._ended = ended
        self._fd = -1
        self._is_over = False
        #: What came before it was there.
        self._early_signal = 0

    def begin(self, pid: int, fd: int) -> None:
        """It is there; the descriptor refers to it."""
        self.pid, self._fd = pid, fd
        if self._early_signal:
            self.send_signal(self._early_signal)

    def end(self, status: int | None) -> None:
        """It has ended; again does nothing."""
        if self._is_over:
            return
        self._is_over = True
        self.returncode = status
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._ended(self)

    def watch(self, reactor: Reactor) -> None:
        """Learn of its end from the kernel, which does not tell the status: the server that would is gone."""
        try:
            ProcessWatch(reactor, self.pid, lambda: self.end(None))
        except ProcessLookupError:
            self.end(None)

    def send_signal(self, number: int) -> None:
        """Send a signal to exactly this process, unless it has ended; one that is on its way gets it when it comes."""
        if self._fd < 0:
            self._early_signal = number
            return
        try:
            signal.pidfd_send_signal(self._fd, number)
        except ProcessLookupError:
            return


class ForkServer:
    """What the node has asked of a warm process, and what has come of it.

    Args:
        reactor: the loop that hears of it.
        warm: ours from now on.
        answer: Seconds without an answer after which it is ended: the ranks that were asked for do not come.
    """

    def __init__(self, reactor: Reactor, warm: WarmProcess, answer: float = _ANSWER_S) -> None:
        self._reactor = reactor
        self._warm = warm
        self._answer = answer
        self._due: Timer | None = None
        #: Not sent yet: the socket holds some hundred requests.
        self._unsent: deque[bytes] = deque()
        self._is_full = False
        #: Asked for and not there yet, in order.
        self._coming: deque[ForkedProcess] = deque()
        self._running: dict[int, ForkedProcess] = {}
        warm.socket.setblocking(False)
        reactor.add_reader(warm.socket.fileno(), self._readable)

    @property
    def is_there(self) -> bool:
        """Whether it forks still."""
        return self._warm.is_there

    def fork(self, ranks: RankSet, name: str, environment: Mapping[str, str], ended: _Ended) -> ForkedProcess:
        """Ask for one rank; its environment holds at least what all ranks have in common."""
        own = environment.items() - self._warm.environment.items()
        process = ForkedProcess(ranks, name, ended)
        self._coming.append(process)
        self._unsent.append(json.dumps(dict(own)).encode())
        self._send()
        self._expect()
        return process

    def _send(self) -> None:
        try:
            while self._unsent:
                self._warm.socket.send(self._unsent[0])
                self._unsent.popleft()
        except BlockingIOError:
            if not self._is_full:
                self._is_full = True
                self._reactor.add_writer(self._warm.socket.fileno(), self._writable)
        except (BrokenPipeError, ConnectionResetError):
            self._reactor.call_later(0.0, self._lost)

    def _writable(self) -> None:
        self._ignore_room()
        self._send()

    def _ignore_room(self) -> None:
        if self._is_full:
            self._is_full = False
            self._reactor.remove_writer(self._warm.socket.fileno())

    def _expect(self) -> None:
        """Give it the time for the next answer, if it owes one."""
        if self._due is not None:
            self._due.cancel()
        self._due = self._reactor.call_later(self._answer, self._overdue) if self._coming else None

    def _overdue(self) -> None:
        # Stopped or stuck: what it has been asked for would come when nobody expects it any more.
        self._warm.end()
        self._lost()

    def _readable(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._warm.socket, _LONGEST, 1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data, fds = b"", []
        if not data:
            self._lost()
            return
        said = json.loads(data)
        if "status" in said:
            self._running.pop(said["pid"]).end(said["status"])
        elif "pid" in said:
            process = self._running[said["pid"]] = self._coming.popleft()
            process.begin(said["pid"], fds[0])
        else:
            self._coming.popleft().end(None)
        self._expect()

    def _lost(self) -> None:
        """It has ended: what was asked for does not come, and what came is watched by us."""
        if not self.is_there:
            return
        self._ignore_room()
        self._reactor.remove_reader(self._warm.socket.fileno())
        status = self._warm.wait()
        coming, running = list(self._coming), list(self._running.values())
        self._coming.clear()
        self._running.clear()
        self._unsent.clear()
        self._expect()
        for process in coming:
            process.end(status)
        for process in running:
            process.watch(self._reactor)

    def close(self) -> None:
        """End it; its ranks run on."""
        self._coming.clear()
        self._expect()
        if self.is_there:
            self._ignore_room()
            self._reactor.remove_reader(self._warm.socket.fileno())
            self._warm.kill()
