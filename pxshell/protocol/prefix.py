"""The link's own frame, first in every frame list, and what opens a lane: hello, welcome, refused.

After the prefix comes: for DATA a message's frames or a piece of them, for HELLO and WELCOME a `Hello`, for REFUSED a
`Refused`, for BYE the reason as UTF-8 text. Every prefix carries the number of the last message that its sender has
received, so that everything acknowledges.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

import msgspec

from pxshell.protocol.message import Buffer

__all__ = ["Hello", "Kind", "LinkError", "Part", "Prefix", "Refused"]


class LinkError(ValueError):
    """The peer broke the protocol of links; its connection is of no use any more."""


class Kind(IntEnum):
    """What a frame list is."""

    DATA = 1
    ACK = 2
    HELLO = 3
    WELCOME = 4
    REFUSED = 5
    PING = 6
    PONG = 7
    BYE = 8
    #: "I do not know this connection: connect anew and say hello."
    AGAIN = 9


class Part(IntEnum):
    """Which part of a message a DATA frame list holds."""

    WHOLE = 0
    FIRST = 1
    MIDDLE = 2
    LAST = 3


_PREFIX = struct.Struct("<BBQQ")
_KINDS = {int(kind): kind for kind in Kind}
_PARTS = {int(part): part for part in Part}


class Prefix(NamedTuple):
    """The link's own frame, first in every frame list."""

    kind: Kind
    part: Part = Part.WHOLE
    #: DATA: the number of this frame list on its lane.
    number: int = 0
    #: The number of the last DATA frame list that the sender of this one has received.
    received: int = 0

    def pack(self) -> bytes:
        """Encode."""
        return _PREFIX.pack(*self)

    @classmethod
    def unpack(cls, frame: Buffer) -> Prefix:
        """Decode.

        Raises:
            LinkError: it is no prefix.
        """
        try:
            kind, part, number, received = _PREFIX.unpack(frame)
            return cls(_KINDS[kind], _PARTS[part], number, received)
        except (struct.error, KeyError) as error:
            raise LinkError(f"no prefix: {error}") from error


class Hello(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is there: the first frame of a lane, and the server's welcome to it.

    A map with a default for every field, so that any version reads enough of any other's to refuse it by name.
    """

    role: str = ""
    #: New for each process, so that a repeated hello is known as such.
    id: str = ""
    protocol: int = 0
    version: str = "unknown"
    python: str = ""
    lane: int = 0
    host: str = ""
    pid: int = 0
    rank: int | None = None
    size: int | None = None
    local_rank: int | None = None
    world: str = ""
    epoch: int = 0
    script: str = ""
    #: The last number received on this lane.
    received: int = 0
    #: The server's name for this link, from its welcome; "" in the first hello.
    link: str = ""
    #: The connecting end comes back when the connection is cut.
    keep: bool = False


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a hello that is not accepted."""

    why: str = ""
    version: str = "unknown"
    protocol: int = 0
    #: It was the key or the role that was not accepted.
    authentication: bool = False
