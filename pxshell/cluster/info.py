"""What clusters there are: those that pxshell started, and programs that can be attached to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pxshell.cluster.files import read_doing, read_launch
from pxshell.errors import ClusterNotFoundError, NoClusterError, UsageError
from pxshell.rendezvous import connection, worlds
from pxshell.rendezvous.connection import FoundCluster
from pxshell.rendezvous.names import name_from_script

if TYPE_CHECKING:
    from pxshell.rendezvous.worlds import World

__all__ = ["ClusterInfo", "choose", "list_clusters"]

#: running: attach to it. joined: ranks that somebody else started; attaching starts their controller. stale: the
#: controller has ended without cleaning up. unusable: the connection file must not be used.
State = Literal["running", "joined", "stale", "unusable"]


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """An entry of the list of clusters."""

    name: str
    state: State
    #: How many there are in the world; 0 when that is not known here.
    ranks: int = 0
    #: The script as people call it; "" for bare engines.
    script: str = ""
    launcher: str = ""
    #: Seconds since the epoch; 0 when not known.
    started: float = 0.0
    host: str = ""
    #: The directory with sockets and logs, on that host.
    directory: str = ""
    #: What its ranks do: `0-2 paused, 3 running`; "" when not known here.
    doing: str = ""
    #: Why it is stale or unusable, in one line.
    why: str = ""
    world: World | None = None

    @property
    def is_usable(self) -> bool:
        """Whether one can attach to it."""
        return self.state in {"running", "joined"}


def list_clusters() -> list[ClusterInfo]:
    """Return clusters by name, then joined programs, oldest first."""
    clusters = [_cluster(found) for found in connection.list_clusters()]
    return clusters + _joined(clusters)


def choose(name: str | None = None) -> ClusterInfo:
    """Return the cluster of that name, else the only usable one.

    Raises:
        ClusterNotFoundError: none of that name.
        NoClusterError: none at all.
        UsageError: several, and no name; or it is stale or unusable.
    """
    clusters = list_clusters()
    if name is None:
        return _only([info for info in clusters if info.is_usable])
    info = next((info for info in clusters if info.name == name), None)
    if info is None:
        raise ClusterNotFoundError(name, [info.name for info in clusters])
    return info


def _only(usable: list[ClusterInfo]) -> ClusterInfo:
    if not usable:
        raise NoClusterError
    if len(usable) > 1:
        names = ", ".join(info.name for info in usable)
        raise UsageError(f"there are {len(usable)} clusters: {names}; name one of them, as in {usable[0].name}")
    return usable[0]


def _cluster(found: FoundCluster) -> ClusterInfo:
    info = found.info
    if info is None:
        return ClusterInfo(found.name, "unusable", why=str(found.error))
    launch = read_launch(Path(info.directory))
    return ClusterInfo(
        found.name,
        "running" if found.is_alive else "stale",
        ranks=launch.get("size", 0),
        script=launch.get("script") or "",
        launcher=launch.get("launcher", ""),
        started=info.started,
        host=info.host,
        directory=info.directory,
        doing=read_doing(Path(info.directory)) if found.is_alive else "",
        why="" if found.is_alive else f"its controller (process {info.pid}) has ended",
    )


def _joined(clusters: list[ClusterInfo]) -> list[ClusterInfo]:
    """List the worlds that no cluster has taken up, named after their scripts."""
    taken = [info.name for info in clusters]
    adopted = {read_launch(Path(info.directory)).get("world") for info in clusters if info.state == "running"}
    joined = []
    for world in worlds.list_worlds():
        if str(world.directory) not in adopted:
            joined.append(_of_world(world, name_from_script(world.info.script or "run", taken)))
            taken.append(joined[-1].name)
    return joined


def _of_world(world: World, name: str) -> ClusterInfo:
    import socket

    script = Path(world.info.script).name
    return ClusterInfo(
        name,
        "joined",
        ranks=world.info.size,
        script=script,
        launcher="none",
        started=world.info.started,
        host=socket.gethostname(),
        directory=str(world.directory),
        world=world,
    )
