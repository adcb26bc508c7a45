"""What debugpy's engine takes for its socket: the bytes go through the rank's own link, and no port is opened."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pxshell.protocol.tunnel import Chunk, Tunnel, TunnelError

__all__ = ["TunnelSocket"]


class TunnelSocket:
    """The methods of a socket that debugpy's two threads call, `recv` and `sendall`, each in a thread of its own.

    Args:
        send: Takes each chunk for the other end, in order; called under a lock, must not wait.
    """

    def __init__(self, send: Callable[[Chunk], None]) -> None:
        self._send = send
        self._tunnel = Tunnel()
        self._received = bytearray()
        self._is_closed = False
        # Guards all of it; debugpy's reader waits in it for bytes, its writer for credit.
        self._changed = threading.Condition()

    # -- the link's side: control thread -------------------------------------------------------------------------------

    def feed(self, chunk: Chunk) -> str:
        """Take a chunk; return why it cannot follow what came before, or nothing."""
        with self._changed:
            try:
                self._post(self._tunnel.receive(chunk))
            except TunnelError as error:
                return str(error)
            self._received += chunk.data
            self._changed.notify_all()
        return ""

    def close(self) -> None:
        """End both directions: `recv` returns nothing, `sendall` raises."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    # -- the socket's side: debugpy's reader and writer ----------------------------------------------------------------

    def recv(self, size: int) -> bytes:
        """Wait for bytes and return at most so many; none when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._received or self._is_closed)
            if self._is_closed:
                return b""
            data = bytes(self._received[:size])
            del self._received[:size]
            self._post(self._tunnel.use(len(data)))
            return data

    def sendall(self, data: bytes) -> None:
        """Send bytes, waiting for credit.

        Raises:
            OSError: it is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._tunnel.is_full or self._is_closed)
            if self._is_closed:
                raise OSError("the debugger's tunnel is closed")
            self._post(self._tunnel.send(data))

    def settimeout(self, timeout: Any) -> None:
        """Wait without limit, which is all that debugpy asks for."""

    def shutdown(self, how: int) -> None:
        """Close: a debugger's stream has no half."""
        self.close()

    def _post(self, chunks: list[Chunk]) -> None:
        for chunk in chunks:
            self._send(chunk)
