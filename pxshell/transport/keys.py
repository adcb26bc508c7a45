"""Keys of CurveZMQ: pairs, and the table of who may come in as what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import zmq

from pxshell.protocol.types import Role

__all__ = ["Authorized", "KeyPair", "make_keys"]

#: Public key (Z85, 40 characters) to the role that it proves.
Authorized = Mapping[str, Role]


class KeyPair(NamedTuple):
    """Two keys in Z85 text."""

    public: str
    secret: str

    def __repr__(self) -> str:
        """Show the public key only: secrets reach no log."""
        return f"KeyPair(public={self.public!r})"


def make_keys() -> KeyPair:
    """Make a new pair."""
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())
