"""The fold digest: equal messages of several ranks have equal digests (P4)."""

from __future__ import annotations

# Not from hashlib, which loads OpenSSL: 4 MB in every rank for a function that is not in it.
from _blake2 import blake2b
from collections.abc import Sequence

from pxshell.protocol.message import Buffer, Message

__all__ = ["LARGEST_FOLDED", "digest_of", "with_digest"]

#: Bytes of content and buffers; larger messages never fold, since hashing them costs more than sending them once more.
LARGEST_FOLDED = 1 << 20
_DIGEST_BYTES = 16


def digest_of(kind: str, parent: str, content: bytes, buffers: Sequence[Buffer] = ()) -> bytes:
    """Return the digest of a message whose content is in normal form; b"" (never folds) for a large one."""
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    if len(content) + sum(view.nbytes for view in views) > LARGEST_FOLDED:
        return b""
    digest = blake2b(digest_size=_DIGEST_BYTES)
    parts: list[bytes | memoryview] = [kind.encode(), parent.encode(), content, *views]
    # Lengths keep the parts apart: ("ab", "c") is not ("a", "bc").
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def with_digest(message: Message) -> Message:
    """Return the message with its digest; its content must be in normal form."""
    digest = digest_of(message.type, message.parent, message.content, message.buffers)
    return message.with_header(digest=digest)
