"""Connection files: where a cluster is and with which keys one role may enter it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from pxshell.errors import (
    ClusterNotFoundError,
    ConnectionFileError,
    NoClusterError,
    UsageError,
    VersionMismatchError,
)
from pxshell.rendezvous.directories import connection_directory
from pxshell.rendezvous.files import InsecureFileError, read_private, write_private
from pxshell.rendezvous.names import check_cluster_name, is_cluster_name
from pxshell.rendezvous.processes import is_running
from pxshell.version import PROTOCOL, __version__

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ConnectionInfo",
    "FoundCluster",
    "Role",
    "connection_path",
    "find",
    "is_alive",
    "list_clusters",
    "parse_connection",
    "read_connection",
    "remove",
    "write_connection",
]

Role = Literal["operator", "observer", "node"]


class ConnectionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One role's way into one cluster.

    Attributes:
        name: The cluster's.
        version: The version of pxshell that runs it.
        python: The version of Python that runs it.
        protocol: The number of the wire protocol.
        host: The machine of the controller.
        pid: The controller's process.
        started: When that process started, in seconds since the epoch.
        addresses: ZeroMQ endpoints of each lane, ``work`` and ``control``.
        server_public: The controller's public key.
        role: Who one is with the keys below.
        public: The role's public key.
        secret: The role's secret key.
        directory: The cluster's runtime directory on the controller's machine.
    """

    name: str
    version: str
    python: str
    protocol: int
    host: str
    pid: int
    started: float
    addresses: dict[str, list[str]]
    server_public: str
    role: Role
    public: str
    secret: str
    directory: str

    def __repr__(self) -> str:
        """Show which cluster and role; keys never reach a log or a traceback this way."""
        return f"ConnectionInfo(name={self.name!r}, role={self.role!r}, host={self.host!r}, pid={self.pid})"


@dataclass(frozen=True)
class FoundCluster:
    """An entry of the list of clusters: ``info``, or ``error`` when its file cannot be used."""

    name: str
    path: Path
    info: ConnectionInfo | None
    is_alive: bool
    error: ConnectionFileError | VersionMismatchError | None = None


def connection_path(name: str, role: Role = "operator") -> Path:
    """Return where the connection file of a cluster lies, whether it is there or not."""
    suffix = "" if role == "operator" else f".{role}"
    return connection_directory() / f"{check_cluster_name(name)}{suffix}.json"


def write_connection(info: ConnectionInfo) -> Path:
    """Write the connection file of ``info.role``, with mode 0600 and in one step, and return its path."""
    path = connection_path(info.name, info.role)
    write_private(path, msgspec.json.format(msgspec.json.encode(info)))
    return path


def read_connection(path: Path) -> ConnectionInfo:
    """Read a connection file.

    Raises:
        ConnectionFileError: It is missing, malformed, not ours, or others may read or write it.
        VersionMismatchError: Its cluster speaks another protocol.
    """
    try:
        text = read_private(path)
    except InsecureFileError as error:
        raise ConnectionFileError(path, str(error)) from None
    except OSError as error:
        raise ConnectionFileError(path, f"{error.strerror}; see what there is: pxshell list") from error
    return parse_connection(text, str(path))


def parse_connection(text: bytes | str, where: str) -> ConnectionInfo:
    """Read the contents of a connection file; ``where`` is named in errors."""
    try:
        # The number first: another protocol may have other fields, and then its number is what to report.
        header = msgspec.json.decode(text, type=_Header)
        _check_protocol(header)
        info = msgspec.json.decode(text, type=ConnectionInfo)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ConnectionFileError(where, f"it is damaged ({error}); remove it or start the cluster again") from error
    missing = {"work", "control"} - {lane for lane, addresses in info.addresses.items() if addresses}
    if missing or not is_cluster_name(info.name):
        what = f"no address of {' and '.join(sorted(missing))}" if missing else "a bad name"
        raise ConnectionFileError(where, f"it is damaged ({what}); remove it or start the cluster again")
    return info


def is_alive(info: ConnectionInfo) -> bool:
    """Return whether the controller's process runs; of another machine's we cannot know, and take it to."""
    return info.host != socket.gethostname() or is_running(info.pid, info.started)


def list_clusters(judge: Callable[[ConnectionInfo], bool] = is_alive) -> list[FoundCluster]:
    """Return all clusters of which we are the operator, by name; ``judge`` says which are alive."""
    paths = sorted(connection_directory().glob("*.json"))
    suffixes = tuple(f".{role}" for role in get_args(Role) if role != "operator")
    return [_look_at(path, judge) for path in paths if not path.stem.endswith(suffixes) and path.name[0] != "."]


def find(
    name: str | None = None, role: Role = "operator", judge: Callable[[ConnectionInfo], bool] = is_alive
) -> ConnectionInfo:
    """Return the way into a cluster: that of ``name``, else of ``$PXSHELL_CONNECT``, else of the only one alive.

    A named cluster is returned dead or alive, since its controller may be started again; ask ``is_alive``.

    Raises:
        ClusterNotFoundError: There is no cluster of that name.
        NoClusterError: There is none at all.
        UsageError: There are several, and no name was given.
        ConnectionFileError: Its file must not be used, as for ``read_connection``.
    """
    if name is not None:
        return _find_named(name, role)
    if given := os.environ.get("PXSHELL_CONNECT"):
        return _read_given(given)
    alive = [cluster.name for cluster in list_clusters(judge) if cluster.is_alive]
    if not alive:
        raise NoClusterError
    if len(alive) > 1:
        raise UsageError(f"there are {len(alive)} clusters, {', '.join(alive)}; name one of them, as in {alive[0]!r}")
    return read_connection(connection_path(alive[0], role))


def remove(name: str) -> None:
    """Remove a cluster's connection files, of all roles."""
    for role in get_args(Role):
        connection_path(name, role).unlink(missing_ok=True)


class _Header(msgspec.Struct):
    """The fields that every protocol has."""

    name: str
    version: str
    protocol: int


def _check_protocol(header: _Header) -> None:
    if header.protocol != PROTOCOL:
        ours = f"pxshell {__version__} (protocol {PROTOCOL})"
        theirs = f"pxshell {header.version} (protocol {header.protocol})"
        raise VersionMismatchError(ours, theirs, f"cluster {header.name}")


def _look_at(path: Path, judge: Callable[[ConnectionInfo], bool]) -> FoundCluster:
    try:
        info = read_connection(path)
    except (ConnectionFileError, VersionMismatchError) as error:
        return FoundCluster(path.stem, path, None, is_alive=False, error=error)
    return FoundCluster(path.stem, path, info, is_alive=judge(info))


def _find_named(name: str, role: Role) -> ConnectionInfo:
    path = connection_path(name, role)
    if not path.exists():
        raise ClusterNotFoundError(name, [cluster.name for cluster in list_clusters()])
    return read_connection(path)


def _read_given(given: str) -> ConnectionInfo:
    """Read ``$PXSHELL_CONNECT``: the information itself, or the path of a file."""
    if given.lstrip().startswith("{"):
        return parse_connection(given, "$PXSHELL_CONNECT")
    return read_connection(Path(given).expanduser())
