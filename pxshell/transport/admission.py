"""Who may come in, who may say what, and the lines that explain a refusal: the same for every driver."""

from __future__ import annotations

import uuid
from collections.abc import Collection

import msgspec

from pxshell.errors import AuthenticationError, PermissionDeniedError, PxshellError, UsageError, VersionMismatchError
from pxshell.protocol.message import Message
from pxshell.protocol.prefix import Hello, Refused
from pxshell.protocol.types import Role, may_send
from pxshell.transport.base import Peer, Proof
from pxshell.version import PROTOCOL, __version__

__all__ = [
    "decode_hello",
    "decode_refused",
    "encode",
    "is_allowed",
    "make_denied",
    "make_peer",
    "make_refused",
    "refusal_error",
    "refusal_of",
]

encode = msgspec.msgpack.encode
decode_hello = msgspec.msgpack.Decoder(Hello).decode
decode_refused = msgspec.msgpack.Decoder(Refused).decode

_ROLES = {role.value: role for role in Role}


def refusal_of(hello: Hello, proof: Proof, roles: Collection[Role]) -> Refused | None:
    """Return why a hello is refused whoever says it: another version, or a role that it may not have."""
    if (hello.protocol, hello.version) != (PROTOCOL, __version__):
        return make_refused(f"here is {_speech(__version__, PROTOCOL)}, not {_speech(hello.version, hello.protocol)}")
    allowed = {proof.role} if proof.role is not None else set(roles)
    if _ROLES.get(hello.role) not in allowed:
        return make_refused(f"its key does not allow the role {hello.role!r}", authentication=True)
    return None


def make_refused(why: str, *, authentication: bool = False) -> Refused:
    """Say no, in one line, and what we are."""
    line = " ".join(why.split())
    return Refused(why=line, version=__version__, protocol=PROTOCOL, authentication=authentication)


def refusal_error(refused: Refused, where: str) -> PxshellError:
    """Return the error for the refused end."""
    if (refused.version, refused.protocol) != (__version__, PROTOCOL):
        theirs = _speech(refused.version, refused.protocol)
        return VersionMismatchError(_speech(__version__, PROTOCOL), theirs, where)
    return AuthenticationError(where, refused.why) if refused.authentication else UsageError(refused.why)


def make_peer(hello: Hello, proof: Proof) -> Peer:
    """Describe the other end: its hello, corrected by what is proved."""
    pid = proof.pid or hello.pid
    name = f"{hello.role or 'controller'} on {hello.host} (pid {pid})"
    return Peer(hello.id, proof.role or _ROLES.get(hello.role), hello, pid, name)


def is_allowed(peer: Peer, message: Message) -> bool:
    """Tell whether a peer may send this to a server (P9)."""
    return peer.role is not None and may_send(peer.role, message.type)


def make_denied(peer: Peer, message: Message) -> Message:
    """Answer a message that its sender may not send."""
    action = f"send {message.type}"
    is_observer = peer.role is Role.OBSERVER
    why = str(PermissionDeniedError(action)) if is_observer else f"{peer.name} may not {action}"
    origin, ranks = message.header.origin, message.ranks
    return Message.make("px_denied", uuid.uuid4().hex, {"why": why}, parent=message.id, origin=origin, ranks=ranks)


def _speech(version: str, protocol: int) -> str:
    return f"pxshell {version} (protocol {protocol})"
