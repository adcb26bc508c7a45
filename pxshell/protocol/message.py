"""One message: a Jupyter message with a rank set, and its frames.

Frames of a message, in order: the header (msgpack array), the content (msgpack map), then any number of raw buffers.
Nodes and controller decode the header only; content stays bytes on the way, but for the reducers of this package.

The content's field names are Jupyter's for every type that Jupyter has
(https://jupyter-client.readthedocs.io/en/stable/messaging.html); `px_*` types are described in `types`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec

from pxshell.protocol.types import Lane, lane_of
from pxshell.ranks import EMPTY, RankSet

__all__ = ["Buffer", "Header", "Message", "MessageError", "decode_content", "encode_content"]

Buffer = bytes | bytearray | memoryview

_EMPTY_CONTENT = b"\x80"


class MessageError(ValueError):
    """Frames that are no message: the peer broke the protocol."""


class Header(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What nodes and controller read of a message.

    Every field after `id` may be absent at the end of the array and then has its default.
    """

    type: str
    id: str
    #: The request that this message belongs to; "" for none. The script of a rank has the id "run".
    parent: str = ""
    #: Down: the ranks that it is for. Up: the ranks that said it.
    ranks: bytes = b""
    #: The client that the request came from and its answers go to; "" means every client.
    origin: str = ""
    #: How many processes this rank had before this one (the speaker's; 0 on the way down).
    epoch: int = 0
    #: Digest of the normal form; b"" never folds.
    digest: bytes = b""
    #: Comm, display or tunnel id; a message with a key never folds.
    key: str = ""
    #: Engine to node only: number of the mark in the output pipes that precedes this message; 0 for none.
    mark: int = 0
    #: Said for a cell after the reply to it.
    late: bool = False


_header_encoder = msgspec.msgpack.Encoder()
_header_decoder = msgspec.msgpack.Decoder(Header)
_content_encoder = msgspec.msgpack.Encoder(order="deterministic")
_content_decoder = msgspec.msgpack.Decoder(dict[str, Any])
#: What decoding raises: no msgpack, no UTF-8 or no rank set, lists in lists without end, dates out of range, odd keys.
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError, TypeError)


def encode_content(content: Mapping[str, Any]) -> bytes:
    """Encode content so that equal contents give equal bytes: keys are sorted (P4)."""
    return _content_encoder.encode(dict(content)) if content else _EMPTY_CONTENT


def decode_content(content: Buffer) -> dict[str, Any]:
    """Decode content.

    Raises:
        MessageError: it is no msgpack map with text keys.
    """
    try:
        return _content_decoder.decode(content)
    except _UNREADABLE as error:
        raise MessageError(f"content is no msgpack map: {error}") from error


class Message(msgspec.Struct, frozen=True):
    """A header with decoded ranks, the content's bytes, and buffers.

    `ranks` is the value of `header.ranks`; build messages with `make` and change them with `with_ranks`,
    which keep the two equal.
    """

    header: Header
    ranks: RankSet
    content: bytes
    buffers: tuple[Buffer, ...] = ()

    @classmethod
    def make(
        cls,
        type: str,  # noqa: A002 - Jupyter's name of the field
        id: str,  # noqa: A002 - Jupyter's name of the field
        content: Mapping[str, Any] | bytes = b"",
        *,
        ranks: RankSet = EMPTY,
        parent: str = "",
        origin: str = "",
        epoch: int = 0,
        digest: bytes = b"",
        key: str = "",
        mark: int = 0,
        late: bool = False,
        buffers: Sequence[Buffer] = (),
    ) -> Self:
        """Build a message; `content` is a mapping or bytes that `encode_content` made."""
        encoded = content if isinstance(content, bytes) else encode_content(content)
        header = Header(type, id, parent, ranks.to_wire(), origin, epoch, digest, key, mark, late)
        return cls(header, ranks, encoded or _EMPTY_CONTENT, tuple(buffers))

    @property
    def type(self) -> str:
        """Name in the table of types."""
        return self.header.type

    @property
    def id(self) -> str:
        """The message's own id."""
        return self.header.id

    @property
    def parent(self) -> str:
        """Id of the request that it belongs to."""
        return self.header.parent

    @property
    def lane(self) -> Lane:
        """The lane of this message's type."""
        return lane_of(self.header.type)

    @property
    def size(self) -> int:
        """Bytes of content and buffers: what credit counts."""
        return len(self.content) + sum(memoryview(buffer).nbytes for buffer in self.buffers)

    def data(self) -> dict[str, Any]:
        """Decode the content anew; callers keep what they need."""
        return decode_content(self.content)

    def with_ranks(self, ranks: RankSet) -> Self:
        """Return the same message said by, or for, other ranks."""
        # Not `replace`, which asks for each field by name: a relay does this for each of its nodes.
        header = msgspec.structs.replace(self.header, ranks=ranks.to_wire())
        return type(self)(header, ranks, self.content, self.buffers)

    def with_header(self, **changes: Any) -> Self:
        """Return the same message with other header fields (not `ranks`: see `with_ranks`)."""
        header = msgspec.structs.replace(self.header, **changes)
        return type(self)(header, self.ranks, self.content, self.buffers)

    def to_frames(self) -> list[Buffer]:
        """Frames for any transport."""
        return [_header_encoder.encode(self.header), self.content, *self.buffers]

    @classmethod
    def from_frames(cls, frames: Sequence[Buffer]) -> Self:
        """Read frames.

        Raises:
            MessageError: fewer than two frames, or a header that is none.
        """
        if len(frames) < 2:
            raise MessageError(f"a message has at least 2 frames, received {len(frames)}")
        try:
            header = _header_decoder.decode(frames[0])
            ranks = RankSet.from_wire(header.ranks) if header.ranks else EMPTY
        except _UNREADABLE as error:
            raise MessageError(f"no header: {error}") from error
        return cls(header, ranks, bytes(frames[1]), tuple(frames[2:]))
