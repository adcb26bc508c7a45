"""Paths of unix sockets: bound by one process at a time, open to its user alone; and who is at the other end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

from pxshell.errors import LaunchError
from pxshell.transport.base import Proof

__all__ = ["BoundSocket", "PathLock", "prove", "socket_address"]

# sun_path has 108 bytes on Linux and 104 on macOS.
_MAX_PATH_BYTES = 100
_BACKLOG = 4096

_SOL_LOCAL = 0
_LOCAL_PEERCRED = 1
_LOCAL_PEERPID = 2


def socket_address(path: Path) -> str:
    """Return the path as an address.

    Raises:
        LaunchError: it is too long for a socket.
    """
    address = str(path)
    length = len(os.fsencode(address))
    if length > _MAX_PATH_BYTES:
        raise LaunchError(
            f"{address}: {length} bytes are too many for the path of a socket, {_MAX_PATH_BYTES} is the most; "
            "set PXSHELL_RUNTIME_DIR to a short path"
        )
    return address


class PathLock:
    """The right to bind a path: a lock in a file beside it, which the kernel drops with the process.

    Raises:
        LaunchError: another process has it, or the path is too long.
    """

    def __init__(self, path: Path) -> None:
        self.address = socket_address(path)
        self._path = path
        self._lock_path = Path(f"{path}.lock")
        while (descriptor := self._try_lock()) is None:
            pass
        self._descriptor = descriptor
        # Whoever bound it before does not live any more: the lock was free.
        path.unlink(missing_ok=True)

    def release(self) -> None:
        """Remove path and lock; nobody listens there any more."""
        self._path.unlink(missing_ok=True)
        self._lock_path.unlink(missing_ok=True)
        self.abandon()

    def abandon(self) -> None:
        """Close the descriptor; the files stay."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)

    def _try_lock(self) -> int | None:
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have removed the file between our two calls.
            if os.path.samestat(os.fstat(descriptor), self._lock_path.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise LaunchError(f"{self._path}: another process listens there; stop it, or take another name") from None
        except FileNotFoundError:
            pass
        os.close(descriptor)
        return None


class BoundSocket:
    """A listening socket at a path, under its lock.

    Raises:
        LaunchError: another process listens there, or the path is too long.
    """

    def __init__(self, path: Path) -> None:
        self._lock = PathLock(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.setblocking(False)
            self.socket.bind(self._lock.address)
            # Nobody can connect before listen, so the umask, which belongs to the whole process, can stay as it is.
            path.chmod(0o600)
            self.socket.listen(_BACKLOG)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove path and lock."""
        self.socket.close()
        self._lock.release()

    def abandon(self) -> None:
        """Close the descriptors; the files stay."""
        self.socket.close()
        self._lock.abandon()


def prove(sock: socket.socket) -> Proof:
    """Ask the kernel who is at the other end: the process that connected, or that called listen."""
    if sys.platform == "darwin":
        return _prove_on_macos(sock)
    pid, uid, _ = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII")))
    # A process of another pid namespace has the pid 0 here.
    return Proof(pid=pid or None, uid=uid)


def _prove_on_macos(sock: socket.socket) -> Proof:
    # struct xucred: version, uid, number of groups, 16 groups.
    credentials = sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, struct.calcsize("IIh16I"))
    _, uid = struct.unpack_from("II", credentials)
    (pid,) = struct.unpack("i", sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID, struct.calcsize("i")))
    return Proof(pid=pid or None, uid=uid)
