"""A cluster as Python code holds it: started, attached to, entered, stopped."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pxshell.cluster import starting
from pxshell.cluster.controller import end_process, processes_of, ranks_of
from pxshell.cluster.files import ClusterFiles, clear, read_launch
from pxshell.cluster.info import ClusterInfo, choose, list_clusters
from pxshell.cluster.readiness import restart_ranks, wait_for_joined, wait_for_ranks
from pxshell.cluster.starting import Wish
from pxshell.errors import ConnectionFileError, LaunchError, PxshellError, UsageError
from pxshell.ranks import RankSet
from pxshell.rendezvous import connection
from pxshell.rendezvous.connection import ConnectionInfo

if TYPE_CHECKING:
    from pxshell.client import Client

__all__ = ["Cluster"]

_log = logging.getLogger(__name__)

_STOP_S = 5.0
_JOIN_S = 10.0


class Cluster:
    """One cluster, by whoever it was started.

    `Cluster.start(4)` and `Cluster.attach()` give running ones; with one of these, `with` gives the cluster itself.
    As in ipyparallel, `Cluster(n=4)` is one that is still to be started, and `with` gives a connected client. Either
    way `with` stops at its end what was started here, and leaves alone what was attached to.

    Args:
        n: Number of ranks; by default that of the cores.
        engines: Name of the launcher: `"local"`, `"mpi"`.
        name: Its name; made up, or after the script, by default.
        script: A python command line to run as N ranks: `["sim.py", "--steps", "5"]`, `["-m", "pkg"]`.
        hold: User code waits for the first front end that says so.
        launch_args: More words for mpiexec or srun: text, or a list.
        env: Changes of the ranks' environment; None removes.
        cwd: Directory of the ranks; the present one by default.
        mpi: Make of MPI to take: `"mpich"`, `"openmpi"`, `"intel"`, `"mvapich"`.
        mesh: Axes along which the ranks are arranged, the slowest first, as `"dp=2,tp=4"`; it gives their number too.
        deadline: Seconds until all ranks must be there.
    """

    def __init__(
        self,
        n: int | None = None,
        *,
        engines: str = "local",
        name: str | None = None,
        script: Sequence[str] | None = None,
        hold: bool = False,
        launch_args: str | Sequence[str] = (),
        env: Mapping[str, str | None] | None = None,
        cwd: str | Path | None = None,
        mpi: str = "",
        mesh: str = "",
        deadline: float = 60.0,
    ) -> None:
        self._wish = Wish(
            size=starting.size_of(n, mesh),
            launcher=engines,
            name=name,
            script=tuple(script or ()),
            hold=hold,
            launch_args=launch_args,
            env=env or {},
            cwd=Path.cwd() if cwd is None else Path(cwd).absolute(),
            flavour=mpi,
            mesh=mesh,
            deadline=deadline,
        )
        self._info: ConnectionInfo | None = None
        self._client: Client | None = None
        self._is_ours = False
        self._gives_client = True

    @classmethod
    def start(cls, n: int | None = None, *, launcher: str = "local", **options: Any) -> Self:
        """Start a cluster and wait until all its ranks are there; the other arguments are those of the class.

        Raises:
            UsageError: the arguments make no sense; nothing was started.
            LaunchError: it could not be started; the message names the log.
        """
        cluster = cls(n, engines=launcher, **options)
        cluster._gives_client = False
        cluster.start_cluster_sync()
        return cluster

    @classmethod
    def attach(cls, name: str | None = None) -> Self:
        """Attach to a cluster that runs, or to a program that joined; your only one by default.

        Raises:
            ClusterNotFoundError: none of that name.
            NoClusterError: none at all.
            UsageError: several, and no name.
            PxshellError: its controller has ended, or its connection file must not be used.
        """
        if name is None and os.environ.get("PXSHELL_CONNECT"):
            return cls._of_connection(connection.find())
        return cls._of(_usable(choose(name)))

    @classmethod
    def find(cls, name: str | None = None) -> Self:
        """Return a cluster to stop or to look at, whether its controller lives or not; raises as `attach`."""
        found = choose(name)
        return cls._of(found if found.state == "stale" else _usable(found))

    @classmethod
    def _of(cls, found: ClusterInfo) -> Self:
        if found.world is None:
            return cls._of_connection(connection.find(found.name))
        cluster = cls._of_connection(starting.adopt(found))
        wait_for_joined(cluster.client(), RankSet(engine.rank for engine in found.world.engines), _JOIN_S)
        return cluster

    @classmethod
    def _of_connection(cls, info: ConnectionInfo) -> Self:
        cluster = cls(max(1, read_launch(Path(info.directory)).get("size", 1)), name=info.name)
        cluster._gives_client = False
        cluster._info = info
        return cluster

    @staticmethod
    def list() -> list[ClusterInfo]:
        """Return what clusters there are."""
        return list_clusters()

    @property
    def name(self) -> str:
        """The cluster's name.

        Raises:
            UsageError: it has not been started.
        """
        return self._connection.name

    @property
    def directory(self) -> Path:
        """Where its sockets and logs are, on the controller's machine."""
        return Path(self._connection.directory)

    @property
    def size(self) -> int:
        """Number of ranks; once there is a client, as the controller counts them."""
        return self._wish.size if self._client is None else self._client.snapshot.size

    @property
    def launch(self) -> dict[str, Any]:
        """The content of its `launch.json`; empty on another machine."""
        return read_launch(self.directory)

    @property
    def _connection(self) -> ConnectionInfo:
        if self._info is None:
            raise UsageError("this cluster is not running; start it: Cluster(n=4).start_and_connect_sync()")
        return self._info

    def client(self, timeout: float = 10.0) -> Client:
        """Return the client of this object, connected within `timeout` seconds; `stop` closes it.

        It is the same one again, unless that was closed.
        """
        from pxshell.client import Client

        if self._client is None or self._client.is_closed:
            self._client = Client(self._connection, timeout=timeout)
        return self._client

    def start_cluster_sync(self) -> None:
        """Start, and wait until all ranks are there, as `Cluster.start`."""
        if self._info is not None:
            raise UsageError(f"this cluster is already running, as {self.name}; stop it first, or make another")
        end = time.monotonic() + self._wish.deadline
        self._info = starting.start(self._wish)
        self._is_ours = True
        try:
            is_running = bool(self._wish.script) and not self._wish.hold
            seconds = max(1.0, end - time.monotonic())
            wait_for_ranks(self.client(), seconds, is_held=self._wish.hold, may_end=is_running)
        except PxshellError as error:
            line = self._why_not_ready(error)
            self.stop(0.0)
            raise LaunchError(line) from error
        except BaseException:
            self.stop(0.0)
            raise

    def connect_client_sync(self) -> Client:
        """Return a connected client: ipyparallel's name of `client`."""
        return self.client()

    def start_and_connect_sync(self) -> Client:
        """Start and return a connected client, as ipyparallel does."""
        self.start_cluster_sync()
        return self.client()

    def stop_cluster_sync(self) -> None:
        """Stop: ipyparallel's name of `stop`."""
        self.stop()

    def restart(self, timeout: float = 60.0) -> None:
        """Start all ranks anew: same numbers, next epoch; views and focus stay valid.

        Raises:
            RefusedError: pxshell did not start them.
            DeadlineError: they are not all there in time.
        """
        restart_ranks(self.client(), timeout)

    def stop(self, grace: float = _STOP_S) -> None:
        """End ranks, node and controller, and remove the connection files; the logs stay until they are old.

        Args:
            grace: Seconds that ranks get to end by themselves, before SIGTERM, then SIGKILL.
        """
        info = self._connection
        was_asked = connection.is_alive(info) and self._ask_to_stop(grace)
        self.disconnect()
        if Path(info.directory).is_dir():
            _end_processes(info, grace, was_asked=was_asked)
        connection.remove(info.name)
        self._info = None

    def _ask_to_stop(self, grace: float) -> bool:
        try:
            self.client().ask("px_stop_request", {"grace": grace})
        except PxshellError as error:
            # Not the end: what does not answer is ended by signals.
            _log.warning("cluster %s was not told to stop: %s", self.name, error)
            return False
        return True

    def disconnect(self) -> None:
        """Close this object's client; the cluster runs on."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _why_not_ready(self, error: Exception) -> str:
        files = ClusterFiles(self.name, self.directory)
        said = files.tail()
        cause = f"; the last line of its logs: {said}" if said and said not in str(error) else ""
        return f"cluster {self.name} did not start: {error}{cause} (logs: {files.logs})"

    def __enter__(self) -> Any:
        if self._gives_client:
            return self.client() if self._info is not None else self.start_and_connect_sync()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_ours and self._info is not None:
            self.stop()
        else:
            self.disconnect()

    def __repr__(self) -> str:
        return f"<Cluster {self._info.name if self._info else 'not started'}, {self.size} ranks>"


def _end_processes(info: ConnectionInfo, grace: float, *, was_asked: bool) -> None:
    """Wait for the ends of node and controller that were asked; end by signals what was not, or does not end."""
    directory = Path(info.directory)
    # Ranks have their grace first, then the node's signals; node and controller follow at once.
    patience = grace + _STOP_S if was_asked else 0.0
    for process in sorted(processes_of(directory), key=lambda process: process[0] == info.pid):
        end_process(process, patience)
    if not was_asked and read_launch(directory).get("launcher") != "none":
        for process in ranks_of(directory):
            end_process(process, 0.0)
    clear(directory)


def _usable(found: ClusterInfo) -> ClusterInfo:
    """Return what can be attached to.

    Raises:
        ConnectionFileError: it cannot.
    """
    if found.is_usable:
        return found
    path = connection.connection_path(found.name)
    if found.state == "stale":
        raise ConnectionFileError(path, f"{found.why}; clean up what it left: pxshell stop {found.name}")
    # Read again for the error with its own type: a wrong protocol is another fault than a wrong mode.
    connection.read_connection(path)
    raise ConnectionFileError(path, f"{found.why}; remove it")
