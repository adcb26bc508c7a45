"""What a cluster tells a client that joins it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pxshell.protocol.state import RankState, StateTable
from pxshell.ranks import RankSet

__all__ = ["Snapshot"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A cluster as its controller knew it at one moment."""

    name: str = ""
    #: Number of ranks of the world.
    size: int = 0
    launcher: str = ""
    #: Make and version of the MPI library, as "MPICH 5.0.2"; "" without MPI.
    mpi: str = ""
    #: The user's script as people call it; "" for bare engines.
    script: str = ""
    #: Seconds since 1970.
    started: float = 0.0
    #: The axes along which the ranks are arranged, as `dp=2,tp=4`; "" for none.
    mesh: str = ""
    hosts: Mapping[str, RankSet] = field(default_factory=dict)
    #: Lines for people that were said before this client came.
    notes: tuple[str, ...] = ()
    states: StateTable = field(default_factory=StateTable)

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> Self:
        """Read the content of `px_snapshot`."""
        states = StateTable()
        for group in content["ranks"]:
            states = states.updated(RankSet.parse_folded(group["ranks"]), RankState.from_content(group["state"]))
        hosts = {host: RankSet.parse_folded(ranks) for host, ranks in content["hosts"].items()}
        plain = {name: content[name] for name in ("name", "size", "launcher", "mpi", "script", "started", "mesh")}
        return cls(**plain, hosts=hosts, notes=tuple(content["notes"]), states=states)
