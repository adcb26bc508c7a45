"""Worlds that nobody launched for us: engines leave a socket where whoever looks later finds it.

Each world has a directory ``worlds/WORLD`` in the runtime directory, with ``world.json`` and one socket an engine,
``RANK.PID.sock``. Nothing runs until somebody connects. What killed engines leave is cleaned away by whoever lists.
"""

from __future__ import annotations

import os
import re
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pxshell.rendezvous.directories import check_socket_path, runtime_subdirectory
from pxshell.rendezvous.files import InsecureFileError, read_private, write_private
from pxshell.rendezvous.processes import has_run_since

__all__ = [
    "EngineSocket",
    "World",
    "WorldInfo",
    "engine_socket_path",
    "engine_sockets",
    "forget_engine",
    "list_worlds",
    "register_world",
    "world_directory",
]

_INFO = "world.json"
_SOCKET = re.compile(r"([0-9]{1,8})\.([0-9]{1,10})\.sock")
_YOUNG = 60.0
"""Seconds for which a world without engines is left alone: its first one may be about to bind its socket."""


class WorldInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine knows about its world.

    Attributes:
        world: The world's id, as ``discover`` found it.
        script: The user's script or module, for names and lists.
        size: How many ranks there are, on all machines.
        started: When the rank that wrote this started, in seconds since the epoch.
        command: The user's command.
    """

    world: str
    script: str
    size: int
    started: float
    command: list[str]


@dataclass(frozen=True)
class EngineSocket:
    """The socket of one engine that runs."""

    rank: int
    pid: int
    path: Path


@dataclass(frozen=True)
class World:
    """A world with engines on this machine, by rank."""

    info: WorldInfo
    directory: Path
    engines: tuple[EngineSocket, ...]


def world_directory(world: str) -> Path:
    """Return the directory of a world, created when missing; its name is short whatever the world's id is."""
    return runtime_subdirectory("worlds", _short(world))


def engine_socket_path(world: str, rank: int, pid: int) -> Path:
    """Return where an engine binds its socket; ``DirectoryError`` when that is no path for a socket."""
    return check_socket_path(world_directory(world) / f"{rank}.{pid}.sock")


def engine_sockets(directory: Path, judge: Callable[[int, float], bool] = has_run_since) -> list[Path]:
    """Return the sockets of the engines of one world that run, by rank; none when the directory is gone."""
    return [engine.path for engine in _running(directory, judge)]


def register_world(info: WorldInfo) -> Path:
    """Write down what is known of a world and return its directory; every rank does, before it binds its socket."""
    directory = world_directory(info.world)
    write_private(directory / _INFO, msgspec.json.encode(info))
    return directory


def forget_engine(path: Path) -> None:
    """Remove an engine's socket, and its world's directory when it was the last one there."""
    _remove_socket(path)
    if not any(_sockets(path.parent)):
        _remove_world(path.parent)


def list_worlds(judge: Callable[[int, float], bool] = has_run_since, now: float | None = None) -> list[World]:
    """Return the worlds with engines that run, oldest first, and clean away what dead engines left.

    Args:
        judge: Says whether a process runs and already did at a moment.
        now: The time, in seconds since the epoch.
    """
    moment = time.time() if now is None else now
    directories = [path for path in runtime_subdirectory("worlds").iterdir() if path.is_dir()]
    found = [world for path in directories if (world := _look_at(path, judge, moment)) is not None]
    return sorted(found, key=lambda world: (world.info.started, world.info.world))


def _look_at(directory: Path, judge: Callable[[int, float], bool], now: float) -> World | None:
    engines = _running(directory, judge)
    info = _read_info(directory)
    if engines and info is not None:
        return World(info, directory, tuple(engines))
    with suppress(FileNotFoundError):
        if not engines and now - directory.stat().st_mtime > _YOUNG:
            _remove_world(directory)
    return None


def _running(directory: Path, judge: Callable[[int, float], bool]) -> list[EngineSocket]:
    engines = [engine for engine in _sockets(directory) if _keep(engine, judge)]
    return sorted(engines, key=lambda engine: (engine.rank, engine.pid))


def _sockets(directory: Path) -> Iterator[EngineSocket]:
    for path in _entries(directory):
        match = _SOCKET.fullmatch(path.name)
        if match:
            yield EngineSocket(int(match[1]), int(match[2]), path)


def _entries(directory: Path) -> list[Path]:
    # The last engine removes its world's directory, also while somebody looks.
    try:
        return list(directory.iterdir())
    except FileNotFoundError:
        return []


def _keep(engine: EngineSocket, judge: Callable[[int, float], bool]) -> bool:
    """Return whether the engine runs; remove its socket when not."""
    try:
        bound = engine.path.lstat().st_mtime
    except FileNotFoundError:
        return False
    # A process that started after the socket was bound has the pid of an engine that is gone.
    if judge(engine.pid, bound):
        return True
    _remove_socket(engine.path)
    return False


def _remove_socket(path: Path) -> None:
    """Remove an engine's socket and the lock beside it, which a killed engine leaves; its pid is in both names."""
    path.unlink(missing_ok=True)
    Path(f"{path}.lock").unlink(missing_ok=True)


def _read_info(directory: Path) -> WorldInfo | None:
    try:
        return msgspec.json.decode(read_private(directory / _INFO), type=WorldInfo)
    except (OSError, InsecureFileError, msgspec.DecodeError):
        return None


def _remove_world(directory: Path) -> None:
    (directory / _INFO).unlink(missing_ok=True)
    # An engine that came in between keeps its directory, and the next rank to come writes the file again.
    with suppress(OSError):
        directory.rmdir()


def _short(world: str) -> str:
    """Return a name for a directory that tells worlds apart and can be recognised."""
    readable = re.sub("[^A-Za-z0-9]+", "-", world).strip("-")
    # The checksum only tells apart what the readable part does not; hashlib would cost each rank 4 MB.
    return f"{readable[-20:]}-{zlib.crc32(os.fsencode(world)):08x}".lstrip("-")
