"""What the magics of one IPython share: the session, the cluster that they started, and how errors are said."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pxshell.magics.plain_display import PlainDisplay

from pxshell.errors import NoClusterError, PxshellError, UsageError
from pxshell.ranks import EMPTY, RankSet
from pxshell.render import Display, Notice
from pxshell.session import Session

if TYPE_CHECKING:
    from pxshell.cluster import Cluster

__all__ = ["Holder", "says_errors"]

Magic = TypeVar("Magic", bound=Callable[..., None])


class Holder:
    """The session of one IPython.

    Args:
        session: A session that a face made and keeps; None lets `%pxcluster` make one.
        display: Where lines are said while there is no session.
    """

    def __init__(self, session: Session | None = None, display: Display | None = None) -> None:
        self.display: Display = display or PlainDisplay(self._world)
        #: Whether the last magic was refused or failed; for faces that end with a status.
        self.has_failed = False
        self._session = session
        self._is_fixed = session is not None
        self._cluster: Cluster | None = None

    def _world(self) -> RankSet:
        return self._session.world if self._session else EMPTY

    @property
    def session(self) -> Session:
        """The session.

        Raises:
            NoClusterError: there is none.
        """
        if self._session is None:
            raise NoClusterError
        return self._session

    def say(self, text: str) -> None:
        """Show one line."""
        self.display.show(Notice("info", text))

    def refuse(self, error: Exception) -> None:
        """Show an error as one line."""
        self.has_failed = True
        self.display.show(Notice("error", " ".join(str(error).split("\n"))))

    def answer_asks(self, result: object = None) -> None:
        """Ask the user what ranks asked meanwhile; called after each cell of this shell."""
        if self._session is not None and not self._is_fixed:
            self._session.answer_asks()

    # Clusters.

    def start(self, n: int | None, launcher: str, **options: Any) -> None:
        """Start a cluster and make the session on it."""
        from pxshell.cluster import Cluster

        self._check_free()
        began = time.monotonic()
        self._take(Cluster.start(n, launcher=launcher, **options))
        self.say(f"{self._greeting()}, ready in {time.monotonic() - began:.1f} s")

    def attach(self, name: str | None) -> None:
        """Make the session on a cluster that runs."""
        from pxshell.cluster import Cluster

        self._check_free()
        self._take(Cluster.attach(name))
        self.say(self._greeting())

    def stop(self) -> None:
        """End the cluster of the session."""
        from pxshell.cluster import Cluster

        ranks, name = self.session.world, self.session.client.name
        began = time.monotonic()
        cluster = self._cluster or Cluster.attach(name)
        self.session.close()
        cluster.stop()
        self._session, self._cluster = None, None
        self.say(f"stopped: {ranks} {'has' if len(ranks) == 1 else 'have'} ended ({time.monotonic() - began:.1f} s)")

    def close(self) -> None:
        """Let go of session and client; the cluster runs on."""
        if self._session is not None and not self._is_fixed:
            self._session.close()
        if self._cluster is not None:
            self._cluster.disconnect()
        self._session, self._cluster = None, None

    def _check_free(self) -> None:
        if self._session is not None:
            name = self._session.client.name
            raise UsageError(f"this session is on cluster {name}; stop it first: %pxcluster stop")

    def _take(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._session = Session(cluster.client(), self.display)

    def _greeting(self) -> str:
        snapshot = self.session.client.snapshot
        mpi = f"{'MPI ' if snapshot.mpi else ''}ranks{f' ({snapshot.mpi})' if snapshot.mpi else ''}"
        return f"cluster {self.session.client.name}, {snapshot.size} {mpi}"


def says_errors(magic: Magic) -> Magic:
    """Let a magic, a method of a class with a `holder`, say what went wrong in one line, without a traceback."""

    @functools.wraps(magic)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> None:
        holder: Holder = self.holder
        holder.has_failed = False
        try:
            magic(self, *args, **kwargs)
        except PxshellError as error:
            holder.refuse(error)
        except KeyboardInterrupt:
            holder.refuse(UsageError("interrupted"))

    return cast("Magic", guarded)
