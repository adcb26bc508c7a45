"""The editor's bytes: a socket, or stdin and stdout, without blocking the loop."""

from __future__ import annotations

import os
from collections.abc import Callable

from pxshell.transport.loop import SelectLoop

__all__ = ["EditorStream"]

_READ_BYTES = 1 << 16
#: Bytes for the editor above which the ranks wait.
_HIGH_BYTES = 1 << 20


class EditorStream:
    """Both directions of one editor's connection; in the loop's thread.

    Args:
        loop: Whose thread.
        source: Descriptor to read, not blocking.
        sink: Descriptor to write, not blocking; may be the same.
        release: Closes what the descriptors belong to.
        received: Takes bytes.
        drained: Told when `is_full` has ended.
        ended: Told when the editor has closed its end, or the connection is broken; not after `close`.
    """

    def __init__(
        self,
        loop: SelectLoop,
        source: int,
        sink: int,
        release: Callable[[], None],
        *,
        received: Callable[[bytes], None],
        drained: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._source = source
        self._sink = sink
        self._release = release
        self._received = received
        self._drained = drained
        self._ended = ended
        self._out = bytearray()
        self._is_paused = False
        self._is_closing = False
        self._is_closed = False
        loop.add_reader(source, self._read)

    @property
    def is_full(self) -> bool:
        """Whether more waits for the editor than should."""
        return len(self._out) > _HIGH_BYTES

    def send(self, data: bytes) -> None:
        """Send bytes to the editor."""
        if not self._is_closed:
            self._out += data
            self._write()

    def pause(self, *, is_paused: bool) -> None:
        """Take nothing more of the editor for a while."""
        if is_paused is self._is_paused or self._is_closed:
            return
        self._is_paused = is_paused
        if is_paused:
            self._loop.remove_reader(self._source)
        else:
            self._loop.add_reader(self._source, self._read)

    def close(self) -> None:
        """Send what waits, as far as the editor takes it, and close."""
        self._is_closing = True
        if self._is_closed:
            return
        if not self._out:
            self._close()
        else:
            # An editor that takes nothing any more is not waited for.
            self._loop.call_later(1.0, self._close)

    def abort(self) -> None:
        """Close now, whatever waits."""
        self._is_closing = True
        self._close()

    def _close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if not self._is_paused:
            self._loop.remove_reader(self._source)
        self._loop.remove_writer(self._sink)
        self._release()

    def _read(self) -> None:
        try:
            data = os.read(self._source, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data and not self._is_closing:
            self._received(data)
        elif not data:
            self._lose()

    def _write(self) -> None:
        was_full = self.is_full
        try:
            sent = os.write(self._sink, self._out) if self._out else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lose()
            return
        del self._out[:sent]
        if self._out:
            self._loop.add_writer(self._sink, self._write)
            return
        self._loop.remove_writer(self._sink)
        if self._is_closing:
            self._close()
        elif was_full:
            self._drained()

    def _lose(self) -> None:
        was_closing = self._is_closing
        self._close()
        if not was_closing:
            self._is_closing = True
            self._ended()
