"""The verbs of `%pxcluster`."""

from __future__ import annotations

from pxshell.magics.holder import Holder

from pxshell.errors import UsageError

__all__ = ["cluster_verb"]

USAGE = "%pxcluster start -n 4 [--mpi] [--mesh dp=2,tp=2] | attach [NAME] | list | stop"


def cluster_verb(holder: Holder, words: list[str]) -> None:
    """Do what the words say.

    Raises:
        UsageError: they cannot be read.
    """
    verb, *rest = words or [""]
    if verb == "start":
        _start(holder, rest)
    elif verb == "attach" and len(rest) <= 1:
        holder.attach(rest[0] if rest else None)
    elif verb == "list" and not rest:
        _list(holder)
    elif verb == "stop" and not rest:
        holder.stop()
    else:
        raise UsageError(USAGE)


def _start(holder: Holder, words: list[str]) -> None:
    n: int | None = None
    launcher, make, name, mesh = "local", "", None, ""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "-n":
            n = _count(rest)
        elif word == "--mpi" or word.startswith("--mpi="):
            launcher, make = "mpi", word.partition("=")[2]
        elif word == "--launcher" and rest:
            launcher = rest.pop(0)
        elif word == "--name" and rest:
            name = rest.pop(0)
        elif word == "--mesh" and rest:
            mesh = rest.pop(0)
        else:
            raise UsageError(f"what is {word!r}? {USAGE}")
    holder.start(n, launcher, name=name, mpi=make, mesh=mesh)


def _count(rest: list[str]) -> int:
    text = rest.pop(0) if rest else ""
    if not text.isdecimal() or not int(text):
        raise UsageError(f"-n takes a number of ranks from 1 on, not {text!r}")
    return int(text)


def _list(holder: Holder) -> None:
    from pxshell.cluster import Cluster

    clusters = Cluster.list()
    if not clusters:
        holder.say("no cluster; start one: %pxcluster start -n 4 [--mpi]")
    for one in clusters:
        told = (one.name, one.doing or one.state, f"{one.ranks} ranks" if one.ranks else "", one.script, one.why)
        holder.say("  ".join(part for part in told if part))
