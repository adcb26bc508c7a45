"""Ranks as plain processes of this machine, each with torchrun's variables."""

from __future__ import annotations

import socket
from dataclasses import replace

from pxshell.cluster.launchers.base import Command, Launcher, LaunchSpec

__all__ = ["LocalLauncher", "reserve_port"]

_MASTER_ADDRESS = "127.0.0.1"


class LocalLauncher(Launcher):
    """N processes, which see what `torchrun --nproc-per-node N` would show them."""

    name = "local"

    def check(self, spec: LaunchSpec) -> LaunchSpec:
        """Reserve the port that MASTER_PORT names, unless the user names one."""
        if spec.is_set("MASTER_PORT"):
            return spec
        return replace(spec, facts={**spec.facts, "port": str(reserve_port())})

    def prepare(self, spec: LaunchSpec) -> list[Command]:
        """One command for each rank."""
        argv = spec.program.engine_argv(hold=spec.hold)
        forks = not spec.program.target
        return [Command(argv, _env_of_rank(spec, rank), str(rank), forks=forks) for rank in range(spec.size)]


def reserve_port() -> int:
    """Return a port that nobody listens on: bound and closed again, as torchrun does; rank 0 binds it later."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((_MASTER_ADDRESS, 0))
        port: int = probe.getsockname()[1]
        return port


def _env_of_rank(spec: LaunchSpec, rank: int) -> dict[str, str | None]:
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": spec.size, "LOCAL_WORLD_SIZE": spec.size}
    env: dict[str, str | None] = {name: str(value) for name, value in numbers.items()}
    env |= {"PXSHELL_RANK": str(rank), "PXSHELL_SIZE": str(spec.size), "PXSHELL_LOCAL_RANK": str(rank)}
    # Without a limit every rank takes all cores for its threads, N times over.
    defaults = {
        "MASTER_ADDR": _MASTER_ADDRESS,
        "MASTER_PORT": spec.facts.get("port", ""),
        "OMP_NUM_THREADS": str(max(1, spec.cores // spec.size)),
    }
    return spec.base_env() | {name: value for name, value in defaults.items() if not spec.is_set(name)} | env
