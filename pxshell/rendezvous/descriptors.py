"""File descriptors: how many a node needs for its ranks, and whether it may have them."""

from __future__ import annotations

import resource

from pxshell.errors import UsageError

__all__ = ["PER_RANK", "check_descriptors", "most_ranks", "raise_limit"]

#: Of a node, for each of its ranks: two sockets, two pipes, the log, and the watch of its process twice (as a rank and
#: as a child).
PER_RANK = 7
#: Of a node for itself: its links, the event loop, ZeroMQ, imports, and what starting a process takes for a moment.
_OWN = 64


def most_ranks(limit: int) -> int:
    """Return the number of ranks of a node that may have so many descriptors."""
    return max(0, (limit - _OWN) // PER_RANK)


def check_descriptors(ranks: int) -> None:
    """Check that a node of this machine can have so many ranks.

    Raises:
        UsageError: even the hard limit on descriptors is too low.
    """
    hard = _limits()[1]
    if _needed(ranks) > hard:
        raise UsageError(
            f"{ranks} ranks on one machine need {_needed(ranks)} file descriptors, and the hard limit is {hard}:"
            f" start at most {most_ranks(hard)}, or have the limit raised (ulimit -Hn)"
        )


def raise_limit(ranks: int) -> None:
    """Raise this process's soft limit, only when so many ranks need more; its ranks inherit it.

    Raises:
        UsageError: as `check_descriptors`.
    """
    check_descriptors(ranks)
    soft, _ = _limits()
    if _needed(ranks) > soft:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (_needed(ranks), hard))


def _needed(ranks: int) -> int:
    return _OWN + PER_RANK * ranks


def _limits() -> tuple[int, int]:
    """Return the soft and the hard limit; no limit as a number that no cluster reaches."""
    soft, hard = (
        limit if limit != resource.RLIM_INFINITY else 1 << 30 for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    return soft, hard
