"""The files in a cluster's directory that its controller reads."""

from __future__ import annotations

import msgspec

__all__ = ["ControllerFile", "Keys", "LaunchFacts"]


class Keys(msgspec.Struct, frozen=True):
    """A CurveZMQ key pair, z85."""

    public: str
    secret: str


class ControllerFile(msgspec.Struct, frozen=True):
    """controller.json: the server's keys, who may enter, and where it listens."""

    name: str
    server: Keys
    #: Public key to role.
    authorized: dict[str, str]
    addresses: dict[str, list[str]]


class LaunchFacts(msgspec.Struct, frozen=True):
    """What the controller wants to know of launch.json."""

    launcher: str
    size: int
    script: str | None = None
    mpi: str = ""
    mesh: str = ""
