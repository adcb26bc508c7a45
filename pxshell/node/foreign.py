"""Ranks of a job that never loaded pxshell: which processes of this machine they are, and where each stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil

from pxshell.errors import UsageError
from pxshell.node.spying import SpyError, read_stack
from pxshell.protocol.stacktree import Stack, StackTree
from pxshell.ranks import EMPTY, RankSet
from pxshell.rendezvous.discovery import Placement, discover

__all__ = ["ranks_below", "ranks_of", "read_tree"]

#: py-spy is mostly disk and kernel; more at once only make each slower.
_AT_ONCE = 4


def ranks_below(launcher: int) -> tuple[dict[int, int], int]:
    """Return the ranks that a launcher started on this machine, with their pids, and how many there are in all.

    Raises:
        UsageError: there is no such process, or no rank below it.
    """
    try:
        children = psutil.Process(launcher).children(recursive=True)
    except psutil.NoSuchProcess:
        raise UsageError(f"there is no process {launcher}") from None
    found: dict[int, int] = {}
    size = 0
    for process in sorted(children, key=lambda one: not _is_python(one)):
        placement = _placement(process)
        if placement is not None:
            # A rank's children have its environment; psutil gives parents first, and a wrapper is no Python.
            found.setdefault(placement.rank, process.pid)
            size = max(size, placement.size)
    if not found:
        raise UsageError(f"process {launcher} has started no ranks on this machine; name them: --pid PID ...")
    return found, size


def ranks_of(pids: list[int]) -> dict[int, int]:
    """Return processes by their ranks; where their environment does not tell, by their order here.

    Raises:
        UsageError: there is no such process.
    """
    placements = []
    for pid in pids:
        if not psutil.pid_exists(pid):
            raise UsageError(f"there is no process {pid}")
        placements.append(_placement(psutil.Process(pid)))
    ranks = [placement.rank for placement in placements if placement is not None]
    if len(set(ranks)) < len(pids):
        return dict(enumerate(pids))
    return dict(zip(ranks, pids, strict=True))


def _placement(process: psutil.Process) -> Placement | None:
    try:
        environ: Mapping[str, str] = process.environ()
    except psutil.Error:
        return None
    return discover(environ, lambda: iter(()))


def _is_python(process: psutil.Process) -> bool:
    try:
        return Path(process.exe()).name.startswith(("python", "pypy"))
    except psutil.Error:
        return False


def read_tree(pids: Mapping[int, int], *, full: bool = False) -> StackTree:
    """Read the stacks of processes, by rank."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pxshell-spying") as pool:
        results = list(pool.map(lambda pid: _read(pid, full=full), pids.values()))
    stacks, failed = [], []
    for rank, result in zip(pids, results, strict=True):
        if isinstance(result, str):
            failed.append((RankSet.of(rank), result))
        else:
            stacks += [replace(stack, ranks=RankSet.of(rank)) for stack in result]
    return StackTree.of(stacks, failed)


def _read(pid: int, *, full: bool) -> list[Stack] | str:
    try:
        return list(_stacks(pid, full=full))
    except SpyError as error:
        return str(error)


def _stacks(pid: int, *, full: bool) -> Iterator[Stack]:
    spied = read_stack(pid, full=full)
    yield Stack(EMPTY, spied.frames, replace(spied.end, is_outside=False))
