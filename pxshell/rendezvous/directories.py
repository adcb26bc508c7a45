"""The two directories: one of state, which may be anywhere, and a short one of sockets, which must be safe.

Connection files lie in the state directory, ``$PXSHELL_DIR``. Sockets, SQLite and logs lie in the runtime directory,
``$PXSHELL_RUNTIME_DIR`` or ``/tmp/pxshell-UID``: local (a network file system has neither sockets nor locks to trust)
and short (the path of a unix socket has room for about 100 bytes).
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from pxshell.errors import DirectoryError

__all__ = [
    "SOCKET_PATH_LIMIT",
    "check_private_directory",
    "check_socket_path",
    "cluster_directory",
    "connection_directory",
    "runtime_directory",
    "runtime_subdirectory",
    "state_directory",
]

SOCKET_PATH_LIMIT = 100
"""Bytes in the path of a unix socket: the kernels' limits are 104 (macOS) and 108 (Linux), with the final zero."""


def state_directory() -> Path:
    """Return the directory of what outlives processes; nothing is created."""
    if chosen := os.environ.get("PXSHELL_DIR"):
        return Path(chosen)
    # Not at the top: ranks of a program that nobody launched never need it.
    import platformdirs

    return platformdirs.user_state_path("pxshell")


def connection_directory() -> Path:
    """Return the directory of connection files, created when missing; its files are checked one by one."""
    path = state_directory() / "clusters"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DirectoryError(path, f"{error.strerror}; set PXSHELL_DIR to a directory that can be written") from error
    return path


def runtime_directory() -> Path:
    """Return the directory of sockets, created when missing; ``DirectoryError`` when somebody else could use it."""
    path = Path(os.environ.get("PXSHELL_RUNTIME_DIR") or f"/tmp/pxshell-{os.geteuid()}")  # noqa: S108 - checked below
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise DirectoryError(path, f"{error.strerror}; set PXSHELL_RUNTIME_DIR to one that can be made") from error
    check_private_directory(path)
    return path


def check_private_directory(path: Path) -> None:
    """Raise ``DirectoryError`` unless the path is a real directory, ours, with mode 0700."""
    why = _fault(path.lstat())
    if why:
        raise DirectoryError(path, f"{why}; remove it, or set PXSHELL_RUNTIME_DIR to another directory")


def runtime_subdirectory(*parts: str) -> Path:
    """Return a directory below the runtime directory, created when missing; others may remove it at any moment."""
    path = runtime_directory()
    for part in parts:
        path /= part
        # Not exist_ok, which looks whether it is there once more: it fails when others remove it at that moment.
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
    return path


def cluster_directory(name: str) -> Path:
    """Return the runtime directory of one cluster, created when missing."""
    return runtime_subdirectory("run", name)


def check_socket_path(path: Path) -> Path:
    """Return the path when a unix socket can be bound there; ``DirectoryError`` when it is too long."""
    size = len(os.fsencode(path))
    if size > SOCKET_PATH_LIMIT:
        why = f"a socket's path has at most {SOCKET_PATH_LIMIT} bytes, this one {size}"
        raise DirectoryError(path, f"{why}; set PXSHELL_RUNTIME_DIR to a shorter directory")
    return path


def _fault(status: os.stat_result) -> str | None:
    if stat.S_ISLNK(status.st_mode):
        return "it is a symbolic link"
    if not stat.S_ISDIR(status.st_mode):
        return "it is no directory"
    if status.st_uid != os.geteuid():
        return f"it belongs to user {status.st_uid}"
    if status.st_mode & 0o777 != 0o700:
        return f"its mode is {status.st_mode & 0o777:04o}, not 0700"
    return None
