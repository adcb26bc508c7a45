"""What a node starts: the commands of launch.json, as processes that it reaps."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from pxshell.node.forks import ForkedProcess, ForkServer
from pxshell.node.remains import children_of
from pxshell.node.warm import CAN_FORK, WarmProcess, environment_of, open_log, start_warm
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
    #: It is a bare engine, which may be forked from a warm process in place of being started.
    forks: bool = False


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
        self._process = subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=cwd,
            env=environment_of(command.env, environment),
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
    """Starts the commands of one launch, again for each epoch.

    Args:
        reactor: the loop that hears of their ends.
        file: what to start.
        directory: of the cluster.
        ended: called with each process whose end is known.
        warm: the process to fork from, if it is there already.
    """

    def __init__(
        self,
        reactor: Reactor,
        file: LaunchFile,
        directory: Path,
        ended: Callable[[StartedProcess | ForkedProcess], None],
        warm: WarmProcess | None = None,
    ) -> None:
        self.file = file
        self.epoch = 0
        self._reactor = reactor
        self._directory = directory
        self._ended = ended
        self.processes: list[StartedProcess | ForkedProcess] = []
        self._warm = warm
        self._forks: ForkServer | None = None
        self.log = directory / "logs" / "launch.log"
        #: Of processes that have been reaped.
        self._statuses: dict[int, int | None] = {}
        #: Launchers and proxies that stand still at the moment.
        self._held: list[int] = []

    @property
    def size(self) -> int:
        """How many ranks the commands have."""
        return sum(len(RankSet.parse_folded(command.ranks)) for command in self.file.commands)

    def start(self) -> None:
        """Start all commands.

        Raises:
            OSError: a program is not there, or cannot be run.
        """
        environment = dict(os.environ) | {
            "PXSHELL_NODE": str(self._directory / "node.sock"),
            "PXSHELL_EPOCH": str(self.epoch),
        }
        log = open_log(self._directory)
        try:
            for command in self.file.commands:
                start = self._fork if command.forks and CAN_FORK else self._start
                self.processes.append(start(command, environment, log))
        finally:
            os.close(log)

    def _start(self, command: Command, environment: Mapping[str, str], log: int) -> StartedProcess:
        return StartedProcess(self._reactor, command, environment, self.file.cwd, log, self._finished)

    def _fork(self, command: Command, environment: Mapping[str, str], _log: int) -> ForkedProcess:
        if self._forks is None or not self._forks.is_there:
            warm, self._warm = self._warm or start_warm(self._directory, msgspec.to_builtins(self.file)), None
            assert warm is not None, "there is a command that forks"
            self._forks = ForkServer(self._reactor, warm)
        name, ranks = Path(command.argv[0]).name, RankSet.parse_folded(command.ranks)
        return self._forks.fork(ranks, name, environment_of(command.env, environment), self._finished)

    def close(self) -> None:
        """No more is started, and nothing is left standing."""
        self.let_launcher_go()
        if self._forks is not None:
            self._forks.close()
        elif self._warm is not None:
            self._warm.kill()

    def _finished(self, process: StartedProcess | ForkedProcess) -> None:
        self.processes.remove(process)
        self._statuses[process.pid] = process.returncode
        self._ended(process)

    def awaits_status(self, pid: int) -> bool:
        """Tell whether this is a process of ours whose exit status will be told, but has not been yet."""
        return any(isinstance(process, ForkedProcess) and process.pid == pid for process in self.processes)

    def exit_status(self, pid: int, otherwise: int | None) -> int | None:
        """Return the exit status of a process that has ended, if it was our child; else what is known otherwise."""
        for process in self.processes:
            if process.pid == pid:
                return otherwise if process.returncode is None else process.returncode
        return self._statuses.get(pid, otherwise)

    def ends_together(self, rank: int) -> bool:
        """Tell whether the death of this rank is that of its world, which we have to end."""
        return any(process.ends_together and rank in process.ranks for process in self.processes)

    def hold_launcher(self) -> None:
        """Stop the launchers whose ranks end together, with the proxies that they have started, for a moment.

        The ranks are the proxies' children, and are not stopped.
        """
        together = [process.pid for process in self.processes if process.ends_together]
        self._held += [one for pid in together for one in (pid, *children_of(pid))]
        _signal_all(self._held, signal.SIGSTOP)

    def let_launcher_go(self) -> None:
        """Let those go on that were stopped, whether or not their own parent still lives."""
        _signal_all(self._held, signal.SIGCONT)
        self._held.clear()

    def send_signal(self, number: int) -> None:
        """Send a signal to every process that still runs; none of them is held any more."""
        self.let_launcher_go()
        for process in self.processes:
            process.send_signal(number)

    def log_tail(self, count: int = 2000) -> str:
        """Return the end of the launch log: what processes said before they were connected."""
        return self.log.read_bytes()[-count:].decode("utf-8", "replace") if self.log.exists() else ""


def _signal_all(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
