"""The Debug Adapter Protocol's framing: messages of JSON behind a Content-Length.

https://microsoft.github.io/debug-adapter-protocol/overview#base-protocol
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["Framer", "FramingError", "encode"]

#: A message's limit: the longest that an editor asks for is a variable's text or a source file.
_MAX_BYTES = 64 << 20
_MAX_HEAD = 4096
_LENGTH = re.compile(rb"(?im)^content-length: *([0-9]{1,9})\r?$")


class FramingError(ValueError):
    """Bytes that are no message of the protocol."""


def encode(message: Mapping[str, Any]) -> bytes:
    """Write one message."""
    data = json.dumps(message, separators=(",", ":")).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(data), data)


class Framer:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take bytes; return the messages that are complete.

        Raises:
            FramingError: no message begins so.
        """
        self._bytes += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> dict[str, Any] | None:
        end = self._bytes.find(b"\r\n\r\n")
        if end < 0:
            if len(self._bytes) > _MAX_HEAD:
                raise FramingError("no header of the Debug Adapter Protocol")
            return None
        length = self._length(bytes(self._bytes[:end]))
        start = end + 4
        if len(self._bytes) < start + length:
            return None
        body = bytes(self._bytes[start : start + length])
        del self._bytes[: start + length]
        return _decoded(body)

    @staticmethod
    def _length(head: bytes) -> int:
        found = _LENGTH.search(head)
        if found is None or int(found[1]) > _MAX_BYTES:
            raise FramingError(f"no length of a message: {head[:80]!r}")
        return int(found[1])


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:  # the second: brackets within brackets, thousands deep
        raise FramingError(f"no JSON: {error}") from error
    if not isinstance(message, dict):
        raise FramingError("a message is an object")
    return message
