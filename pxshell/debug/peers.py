"""Who is at the other end of a TCP connection of this machine: the kernel knows the user (P9)."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

__all__ = ["can_tell_users", "user_of_peer"]

_TABLE = Path("/proc/net/tcp")


def can_tell_users() -> bool:
    """Tell whether this system says whose a local connection is."""
    return _TABLE.exists()


def user_of_peer(connection: socket.socket) -> int | None:
    """Return the user id of the process that has connected over 127.0.0.1; None when the kernel does not say.

    The peer's end of the connection has a row of its own in /proc/net/tcp, with its owner: proc_net_tcp.rst of the
    kernel's documentation.
    """
    ours, theirs = _written(connection.getsockname()), _written(connection.getpeername())
    for line in _TABLE.read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[1] == theirs and fields[2] == ours:
            return int(fields[7])
    return None


def _written(address: tuple[str, int]) -> str:
    """Write an address as the kernel does: the number in the machine's byte order."""
    host, port = address
    (number,) = struct.unpack("=I", socket.inet_aton(host))
    return f"{number:08X}:{port:04X}"
