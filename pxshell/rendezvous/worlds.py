"""Worlds that nobody launched for us: engines leave a socket where whoever looks later finds it.

Each world has a directory ``worlds/WORLD`` in the runtime directory, where each engine has two files of its own:
``RANK.PID.json``, what it knows of the world, and then ``RANK.PID.sock``. Nothing runs until somebody connects. What
killed engines leave is cleaned away by whoever lists.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from pxshell.rendezvous.directories import check_socket_path, runtime_subdirectory
from pxshell.rendezvous.files import InsecureFileError, read_private
from pxshell.rendezvous.processes import has_run_since

__all__ = [
    "EngineSocket",
    "World",
    "WorldInfo",
    "engine_sockets",
    "enter_world",
    "forget_engine",
    "list_worlds",
    "world_directory",
]

_NAME = re.compile(r"([0-9]{1,8})\.([0-9]{1,10})\.(sock|json)")
_TRIES = 100
"""How often an engine enters a world whose directory others, who end, take away under its hands."""

Bound = TypeVar("Bound")


class WorldInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine knows about its world.

    Attributes:
        world: The world's id, as ``discover`` found it.
        script: The user's script or module, for names and lists.
        size: How many ranks there are, on all machines.
        started: When the rank that wrote this joined, in seconds since the epoch.
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


def engine_sockets(directory: Path, judge: Callable[[int, float], bool] = has_run_since) -> list[Path]:
    """Return the sockets of the engines of one world that run, by rank; none when the directory is gone."""
    return [engine.path for engine in _running(directory, judge)]


def enter_world(info: WorldInfo, rank: int, pid: int, bind: Callable[[Path], Bound]) -> tuple[Path, Bound]:
    """Write down what an engine knows of its world, and bind its socket; return the path, and what ``bind`` returns.

    Args:
        info: What it knows.
        rank: Which rank it is.
        pid: Its process.
        bind: Binds a socket at a path.

    Raises:
        DirectoryError: The runtime directory is not safe, or too deep for sockets.
        OSError: As ``bind``, or the directory cannot be written to.
    """
    for left in reversed(range(_TRIES)):
        try:
            directory = world_directory(info.world)
            path = check_socket_path(directory / f"{rank}.{pid}.sock")
            _write_info(path.with_suffix(".json"), info)
            return path, bind(path)
        except FileNotFoundError:
            # The last engine that was there has ended, and taken the directory along.
            if not left:
                raise
    raise AssertionError  # pragma: no cover - the last try returns or raises


def _write_info(path: Path, info: WorldInfo) -> None:
    path.unlink(missing_ok=True)  # of a process that had this pid and was killed
    # Nobody reads it before the socket is there.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(info))


def forget_engine(path: Path) -> None:
    """Remove what an engine has in its world, and the world's directory when it was the last one there."""
    for file in (path, path.with_suffix(".json")):
        file.unlink(missing_ok=True)
    _remove_empty(path.parent)


def list_worlds(judge: Callable[[int, float], bool] = has_run_since) -> list[World]:
    """Return the worlds with engines that run, oldest first, and clean away what dead engines left.

    Args:
        judge: Says whether a process runs and already did at a moment, in seconds since the epoch.
    """
    directories = [path for path in runtime_subdirectory("worlds").iterdir() if path.is_dir()]
    found = [world for path in directories if (world := _look_at(path, judge)) is not None]
    return sorted(found, key=lambda world: (world.info.started, world.info.world))


def _look_at(directory: Path, judge: Callable[[int, float], bool]) -> World | None:
    engines = _running(directory, judge)
    info = next(filter(None, (_read_info(engine.path) for engine in engines)), None)
    if info is not None:
        return World(info, directory, tuple(engines))
    if not engines:
        _remove_empty(directory)
    return None


def _running(directory: Path, judge: Callable[[int, float], bool]) -> list[EngineSocket]:
    sockets = [EngineSocket(*who, path) for who, path in _files(directory, judge) if path.suffix == ".sock"]
    return sorted(sockets, key=lambda engine: (engine.rank, engine.pid))


def _files(directory: Path, judge: Callable[[int, float], bool]) -> Iterator[tuple[tuple[int, int], Path]]:
    """Yield (rank, pid) and path of the files of engines that run; remove those of engines that do not."""
    for path in _entries(directory):
        match = _NAME.fullmatch(path.name)
        if match is None:
            continue
        rank, pid = int(match[1]), int(match[2])
        # It may be removed meanwhile, by its engine, which ends.
        with suppress(FileNotFoundError):
            # A process that started after the file was made has the pid of an engine that is gone.
            if judge(pid, path.lstat().st_mtime):
                yield (rank, pid), path
            else:
                path.unlink()


def _entries(directory: Path) -> list[Path]:
    # The last engine removes its world's directory, also while somebody looks.
    try:
        return list(directory.iterdir())
    except FileNotFoundError:
        return []


def _read_info(path: Path) -> WorldInfo | None:
    try:
        return msgspec.json.decode(read_private(path.with_suffix(".json")), type=WorldInfo)
    except (OSError, InsecureFileError, msgspec.DecodeError):
        return None


def _remove_empty(directory: Path) -> None:
    # An engine that is there keeps its directory; one that is about to enter makes it anew.
    with suppress(OSError):
        directory.rmdir()


def _short(world: str) -> str:
    """Return a name for a directory that tells worlds apart and can be recognised."""
    readable = re.sub("[^A-Za-z0-9]+", "-", world).strip("-")
    # The checksum only tells apart what the readable part does not; hashlib would cost each rank 4 MB.
    return f"{readable[-20:]}-{zlib.crc32(os.fsencode(world)):08x}".lstrip("-")
