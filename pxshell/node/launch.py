"""What a node starts: the commands of launch.json, as processes that it reaps."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from pxshell.node.remains import children_of
from pxshell.node.watch import ProcessWatch
from pxshell.ranks import RankSet
from pxshell.transport.base import Reactor

__all__ = ["Command", "Launch", "LaunchFile", "StartedProcess"]


class Command(msgspec.Struct, frozen=True):
    """One process to start.

    `env` is set over the node's own environment; a null removes the name. A command for one rank is that engine itself;
    one for several is a launcher such as mpiexec.
    """

    argv: list[str]
    ranks: str
    env: dict[str, str | None] = {}
    #: A rank of it that dies takes the others along, and to end them is left to us.
    ends_together: bool = False


class LaunchFile(msgspec.Struct, frozen=True):
    """launch.json: what the cluster consists of."""

    name: str
    launcher: str
    size: int
    commands: list[Command] = []
    hold: bool = False
    script: str | None = None
    cwd: str | None = None
    #: For launcher "none": directory with the sockets of a world that somebody else started.
    world: str | None = None
    mpi: str = ""

    @classmethod
    def read(cls, path: Path) -> LaunchFile:
        """Read the file."""
        return msgspec.json.decode(path.read_bytes(), type=cls)


class StartedProcess:
    """One process of ours, in a session of its own, with stdin from /dev/null and the launch log as output.

    Args:
        ended: called in the loop's thread with the process once it has been reaped.
    """

    def __init__(
        self,
        reactor: Reactor,
        command: Command,
        environment: Mapping[str, str],
        cwd: str | None,
        log: int,
        ended: Callable[[StartedProcess], None],
    ) -> None:
        self.ranks = RankSet.parse_folded(command.ranks)
        self.ends_together = command.ends_together
        self.name = Path(command.argv[0]).name
        self._ended = ended
        env = {**environment, **{name: value for name, value in command.env.items() if value is not None}}
        for name in (name for name, value in command.env.items() if value is None):
            env.pop(name, None)
        self._process = subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
        self._watch = ProcessWatch(reactor, self._process.pid, self._reap)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, or the negative number of the signal; None while it runs."""
        return self._process.poll()

    def _reap(self) -> None:
        self._process.wait()
        self._ended(self)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        self._process.send_signal(number)


class Launch:
    """Starts the commands of one launch, again for each epoch."""

    def __init__(
        self, reactor: Reactor, file: LaunchFile, directory: Path, ended: Callable[[StartedProcess], None]
    ) -> None:
        self.file = file
        self.epoch = 0
        self._reactor = reactor
        self._directory = directory
        self._ended = ended
        self.processes: list[StartedProcess] = []
        self.log = directory / "logs" / "launch.log"
        #: Of processes that have been reaped.
        self._statuses: dict[int, int | None] = {}

    def start(self) -> None:
        """Start all commands.

        Raises:
            OSError: a program is not there, or cannot be run.
        """
        environment = dict(os.environ) | {
            "PXSHELL_NODE": str(self._directory / "node.sock"),
            "PXSHELL_EPOCH": str(self.epoch),
        }
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            for command in self.file.commands:
                started = StartedProcess(self._reactor, command, environment, self.file.cwd, log, self._finished)
                self.processes.append(started)
        finally:
            os.close(log)

    def _finished(self, process: StartedProcess) -> None:
        self.processes.remove(process)
        self._statuses[process.pid] = process.returncode
        self._ended(process)

    def exit_status(self, pid: int, otherwise: int | None) -> int | None:
        """Return the exit status of a process that has ended, if it was our child; else what is known otherwise."""
        for process in self.processes:
            if process.pid == pid:
                return process.returncode
        return self._statuses.get(pid, otherwise)

    def ends_together(self, rank: int) -> bool:
        """Tell whether the death of this rank is that of its world, which we have to end."""
        return any(process.ends_together and rank in process.ranks for process in self.processes)

    def hold_launcher(self, held: bool) -> None:
        """Stop the launchers whose ranks end together, with the proxies that they have started; or let them go on.

        The ranks are the proxies' children, and are not stopped.
        """
        number = signal.SIGSTOP if held else signal.SIGCONT
        for process in self.processes:
            for pid in [process.pid, *children_of(process.pid)] if process.ends_together else ():
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def send_signal(self, number: int) -> None:
        """Send a signal to every process that still runs."""
        for process in self.processes:
            process.send_signal(number)

    def log_tail(self, count: int = 2000) -> str:
        """Return the end of the launch log: what processes said before they were connected."""
        return self.log.read_bytes()[-count:].decode("utf-8", "replace") if self.log.exists() else ""
