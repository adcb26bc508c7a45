"""The files of one cluster: what its controller, node and clients read, and who may read them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pxshell.rendezvous import connection, directories
from pxshell.rendezvous.connection import ConnectionInfo
from pxshell.rendezvous.files import write_private
from pxshell.rendezvous.names import check_cluster_name

__all__ = ["ClusterFiles", "Keys", "clear", "ended_directory", "read_doing", "read_launch", "sweep", "unlisted"]

_KEPT = 20  # directories of clusters that have ended, for their logs


@dataclass(frozen=True, slots=True)
class Keys:
    """One CurveZMQ key pair, in z85."""

    public: str
    secret: str


@dataclass(frozen=True, slots=True)
class ClusterFiles:
    """The directory of one cluster on this machine, and its paths."""

    name: str
    directory: Path

    @classmethod
    def make(cls, name: str) -> ClusterFiles:
        """Make an empty directory; what an ended cluster of that name left is removed."""
        shutil.rmtree(directories.cluster_directory(name))
        files = cls(name, directories.cluster_directory(name))
        files.logs.mkdir(mode=0o700)
        for socket in (files.node_socket, *(Path(address) for address in files.socket_paths())):
            directories.check_socket_path(socket)
        return files

    @property
    def logs(self) -> Path:
        """The directory of the logs of ranks, launch, node and controller."""
        return self.directory / "logs"

    @property
    def node_socket(self) -> Path:
        """The socket where engines find the node."""
        return self.directory / "node.sock"

    @property
    def ready(self) -> Path:
        """The file that the controller writes when its sockets listen."""
        return self.directory / "controller.ready"

    def socket_paths(self) -> list[str]:
        """Return the paths of the controller's sockets."""
        return [str(self.directory / f"controller-{lane}.sock") for lane in ("work", "control")]

    def addresses(self) -> dict[str, list[str]]:
        """Return the controller's ZeroMQ endpoints of each lane."""
        work, control = self.socket_paths()
        return {"work": [f"ipc://{work}"], "control": [f"ipc://{control}"]}

    def write_launch(self, launch: Mapping[str, Any]) -> None:
        """Write `launch.json`: what to start."""
        self._write("launch.json", launch)

    def write_keys(self, keys: Mapping[str, Keys]) -> None:
        """Write `controller.json` and `node.json`; `keys` are those of server, operator, observer and node."""
        server, node = keys["server"], keys["node"]
        authorized = {pair.public: role for role, pair in keys.items() if role != "server"}
        controller = {
            "name": self.name,
            "server": {"public": server.public, "secret": server.secret},
            "authorized": authorized,
            "addresses": self.addresses(),
            "pid": os.getpid(),
        }
        self._write("controller.json", controller)
        entry = {"public": node.public, "secret": node.secret, "node_socket": str(self.node_socket)}
        where = {"name": self.name, "addresses": self.addresses(), "server_public": server.public}
        self._write("node.json", where | entry)

    def write_connections(self, keys: Mapping[str, Keys], pid: int, started: float) -> ConnectionInfo:
        """Write the connection files of operator and observer, and return the operator's."""
        observer, operator = (self._connection(role, keys, pid, started) for role in ("observer", "operator"))
        connection.write_connection(observer)
        # The operator's last: from then on the cluster is in the list.
        connection.write_connection(operator)
        return operator

    def tail(self) -> str:
        """Return the last line that somebody who knows why wrote to a log: engines, node, controller, in this order."""
        for name in ("launch.log", "node.log", "controller.log"):
            lines = _lines(self.logs / name)
            if lines:
                return lines[-1].strip()
        return ""

    def _connection(self, role: Any, keys: Mapping[str, Keys], pid: int, started: float) -> ConnectionInfo:
        import socket

        from pxshell.version import PROTOCOL, __version__

        return ConnectionInfo(
            name=self.name,
            version=__version__,
            python=".".join(map(str, sys.version_info[:3])),
            protocol=PROTOCOL,
            host=socket.gethostname(),
            pid=pid,
            started=started,
            addresses=self.addresses(),
            server_public=keys["server"].public,
            role=role,
            public=keys[role].public,
            secret=keys[role].secret,
            directory=str(self.directory),
        )

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        write_private(self.directory / name, json.dumps(content, indent=1).encode())


def read_launch(directory: Path) -> dict[str, Any]:
    """Return the content of `launch.json`; empty when it cannot be read, as on another machine."""
    return _read(directory / "launch.json")


def read_doing(directory: Path) -> str:
    """Return what the ranks do, as the controller has written it down: `0-2 paused, 3 running`; "" when not known."""
    doing = _read(directory / "doing.json")
    if len(doing) == 1:
        return next(iter(doing))
    return ", ".join(f"{ranks or f'{count} ranks'} {word}" for word, (count, ranks) in doing.items())


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def clear(directory: Path) -> None:
    """Remove what makes an ended cluster look alive; the logs stay."""
    for path in (*directory.glob("*.sock"), directory / "controller.ready"):
        path.unlink(missing_ok=True)


def unlisted() -> list[Path]:
    """Return the directories here of clusters that we have no connection file of.

    They have ended, or belong to another `PXSHELL_DIR`.
    """
    listed = {found.name for found in connection.list_clusters()}
    return [path for path in _root().iterdir() if path.is_dir() and path.name not in listed]


def sweep(alive: Collection[Path] = ()) -> None:
    """Remove the directories of clusters that have ended, but for the newest; those that are alive stay."""
    ended = [path for path in unlisted() if path not in alive]
    for path in sorted(ended, key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(path)


def ended_directory(name: str) -> Path | None:
    """Return the directory of a cluster that has ended, if it is still kept."""
    path = _root() / check_cluster_name(name)
    return path if path.is_dir() else None


def _root() -> Path:
    # Where `directories.cluster_directory` makes them, which would also make what is only asked for.
    return directories.runtime_subdirectory("run")


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    text = path.read_bytes()[-4000:].decode("utf-8", "replace")
    return [line for line in text.splitlines() if line.strip()]
