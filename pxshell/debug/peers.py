"""Who is at the other end of a TCP connection of this machine: the kernel knows the user (P9)."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

__all__ = ["can_tell_users", "user_of_peer"]

_TABLE = Path("/proc/net/tcp")
#: Where a client is that connects by a socket of IPv6, as Java's do, to an address of IPv4.
_TABLE_6 = Path("/proc/net/tcp6")
_MAPPED = bytes(10) + b"\xff\xff"


def can_tell_users() -> bool:
    """Tell whether this system says whose a local connection is."""
    return _TABLE.exists()


def user_of_peer(connection: socket.socket) -> int | None:
    """Return the user id of the process that has connected over 127.0.0.1; None when the kernel does not say.

    The peer's end of the connection has a row of its own in /proc/net/tcp or tcp6, with its owner: proc_net_tcp.rst of
    the kernel's documentation.
    """
    for table, prefix in ((_TABLE, b""), (_TABLE_6, _MAPPED)):
        ours, theirs = _written(connection.getsockname(), prefix), _written(connection.getpeername(), prefix)
        for line in table.read_text(encoding="ascii").splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[1] == theirs and fields[2] == ours:
                return int(fields[7])
    return None


def _written(address: tuple[str, int], prefix: bytes) -> str:
    """Write an address as the kernel does: words of 32 bits in the machine's byte order; IPv6 maps IPv4 by a prefix."""
    host, port = address
    packed = prefix + socket.inet_aton(host)
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return f"{''.join(f'{word:08X}' for word in words)}:{port:04X}"
