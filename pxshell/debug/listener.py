"""A port of this machine for one editor at a time: 127.0.0.1, our own user only, the same until it is closed (P9)."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial

from pxshell.debug.bridge import Bridge, OpenStream
from pxshell.debug.peers import can_tell_users, user_of_peer
from pxshell.debug.stream import EditorStream
from pxshell.transport.loop import SelectLoop

__all__ = ["Listener"]

_HOST = "127.0.0.1"


class Listener:
    """Listens; in the loop's thread.

    Where the kernel does not say whose a connection is, the port takes one connection and closes.

    Args:
        loop: Whose thread.
        port: To listen on; 0 lets the system choose.
        make: Makes the bridge of a connection, given its stream's maker and what hears of its end.
        say: Told of comings and goings in one line: (text, level).
        idle_s: Seconds without an editor after which the port closes.

    Raises:
        OSError: the port is taken.
    """

    def __init__(
        self,
        loop: SelectLoop,
        port: int,
        make: Callable[[OpenStream, Callable[[str], None]], Bridge],
        say: Callable[[str, str], None],
        idle_s: float,
    ) -> None:
        self._loop = loop
        self._make = make
        self._say = say
        self._idle_s = idle_s
        self._bridge: Bridge | None = None
        self._stream: EditorStream | None = None
        self._socket: socket.socket | None = socket.create_server((_HOST, port))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self.is_one_time = not can_tell_users()
        self._timer = loop.call_later(idle_s, self._expire)
        loop.add_reader(self._socket.fileno(), self._accept)

    @property
    def is_open(self) -> bool:
        """Whether an editor can still come."""
        return self._socket is not None

    @property
    def has_editor(self) -> bool:
        """Whether one is there."""
        return self._bridge is not None

    def close(self, why: str) -> None:
        """Let the editor and the port go."""
        self._stop_listening()
        if self._bridge is not None:
            self._bridge.close(why)
        if self._stream is not None:
            self._stream.abort()  # it has had its chance

    def _stop_listening(self) -> None:
        self._timer.cancel()
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _expire(self) -> None:
        if not self.has_editor:
            self._stop_listening()
            self._say(f"port {self.port} is closed: no editor has come for {self._idle_s:g} s", "info")

    def _accept(self) -> None:
        assert self._socket is not None
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return  # it has gone again
        connection.setblocking(False)
        why = self._refusal(connection)
        if why:
            connection.close()
            self._say(f"port {self.port} refused a connection: {why}", "warning")
            return
        self._timer.cancel()
        if self.is_one_time:
            self._stop_listening()
        self._bridge = self._make(partial(self._open, connection), self._ended)

    def _refusal(self, connection: socket.socket) -> str:
        try:
            user = os.getuid() if self.is_one_time else user_of_peer(connection)
        except OSError:
            user = None
        if user != os.getuid():
            return "it is gone already" if user is None else f"it is another user's (uid {user})"
        return "an editor is connected already" if self.has_editor else ""

    def _open(
        self,
        connection: socket.socket,
        received: Callable[[bytes], None],
        drained: Callable[[], None],
        ended: Callable[[], None],
    ) -> EditorStream:
        number = connection.fileno()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = EditorStream(
            self._loop, number, number, connection.close, received=received, drained=drained, ended=ended
        )
        return self._stream

    def _ended(self, why: str) -> None:
        self._bridge = None
        if self._socket is not None:
            self._timer = self._loop.call_later(self._idle_s, self._expire)
        self._say(why, "info")
