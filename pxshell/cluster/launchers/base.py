"""A launcher: from what is wanted to the commands that start it, without starting anything."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pxshell.cluster.program import Program
from pxshell.errors import UsageError
from pxshell.rendezvous.discovery import launcher_variables

__all__ = ["Command", "LaunchSpec", "Launcher", "find_launcher"]

# Variables of a launcher around us that are the user's settings, not the number of a rank.
_SETTINGS = re.compile(r"MASTER_(ADDR|PORT)|HYDRA_\w+|\w+_(MCA|ALLOW)_\w+")

_BUILT_IN = {
    "local": "pxshell.cluster.launchers.local:LocalLauncher",
    "mpi": "pxshell.cluster.launchers.mpi:MpiLauncher",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSpec:
    """What to start."""

    size: int
    program: Program
    #: One per launch: the ranks of one world tell it from another by it.
    world: str
    #: Path of the socket where the engines find their node.
    node_socket: str
    #: Engines wait for `px_start_request` before user code runs.
    hold: bool = False
    launch_args: tuple[str, ...] = ()
    #: The make of MPI asked for; "" for any.
    flavour: str = ""
    #: Cores that the ranks share.
    cores: int = 1
    #: The environment that the commands inherit.
    environ: Mapping[str, str] = field(default_factory=dict)
    #: The user's changes of it; None removes.
    env: Mapping[str, str | None] = field(default_factory=dict)
    #: What `Launcher.check` found out about this machine.
    facts: Mapping[str, str] = field(default_factory=dict)

    def is_set(self, name: str) -> bool:
        """Tell whether the user has set a variable, here or in the environment."""
        return (self.env[name] is not None) if name in self.env else name in self.environ

    def base_env(self) -> dict[str, str | None]:
        """Return the changes every launcher makes: no foreign rank numbers, our node, our world, the user's last."""
        # A rank that inherits the number of a rank around us (a shell under srun, say) takes it for its own.
        foreign = {name: None for name in launcher_variables(self.environ) if not _SETTINGS.fullmatch(name)}
        return {**foreign, "PXSHELL_NODE": self.node_socket, "PXSHELL_WORLD": self.world, **self.env}


@dataclass(frozen=True, slots=True)
class Command:
    """One process for the node to start: an engine, or a launcher of several."""

    argv: tuple[str, ...]
    #: Changes of the inherited environment; None removes.
    env: Mapping[str, str | None]
    #: Folded rank set: one rank is this process itself, several come from a launcher.
    ranks: str
    #: A rank that dies takes the others along, and the launcher leaves it to the node to end them.
    ends_together: bool = False
    #: It is an engine without a script: the node may fork it from a warm process in place of running `argv`.
    forks: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `launch.json`."""
        facts = {"ends_together": self.ends_together, "forks": self.forks}
        return {"argv": list(self.argv), "env": dict(self.env), "ranks": self.ranks, **facts}


class Launcher(ABC):
    """Starts ranks in one way. Others add theirs by an entry point of the group `pxshell.launchers`."""

    name: ClassVar[str]

    @abstractmethod
    def check(self, spec: LaunchSpec) -> LaunchSpec:
        """Look at this machine and return the spec with `facts`; the fact `mpi` ("MPICH 5.0.2") is shown to people.

        Raises:
            LaunchError: it cannot be started here; one line with what, why and what to do.
        """

    @abstractmethod
    def prepare(self, spec: LaunchSpec) -> list[Command]:
        """Return the commands for a checked spec. Pure: the same spec gives the same commands."""


def find_launcher(name: str) -> Launcher:
    """Return the launcher of that name.

    Raises:
        UsageError: there is none.
    """
    from importlib.metadata import EntryPoint, entry_points

    if name in _BUILT_IN:
        # Known without reading the metadata of every installed package (some 20 ms).
        entry = EntryPoint(name, _BUILT_IN[name], "pxshell.launchers")
        return _loaded(entry)
    others = entry_points(group="pxshell.launchers")
    if name not in others.names:
        known = ", ".join(sorted({*_BUILT_IN, *others.names}))
        raise UsageError(f"no launcher {name!r}; there are: {known}")
    return _loaded(others[name])


def _loaded(entry: Any) -> Launcher:
    launcher = entry.load()()
    if not isinstance(launcher, Launcher):
        raise UsageError(f"the launcher {entry.name!r} ({entry.value}) is no pxshell.cluster.launchers.base.Launcher")
    return launcher
