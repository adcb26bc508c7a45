"""One tree of exceptions: what can go wrong, by cause, with the facts as attributes.

::

    PxshellError
    ├── UsageError                 what the user asked for cannot be done; nothing was changed
    │   ├── RankSetError           a rank set that cannot be read, or selects nothing (also a ValueError)
    │   ├── ClusterNotFoundError   no cluster of that name
    │   └── NoClusterError         no cluster at all
    ├── ConnectionFileError        a connection file that must not or cannot be used
    ├── DirectoryError             a directory of ours that is not safe, or whose paths are too long
    ├── AuthenticationError        the other end does not accept our key
    ├── VersionMismatchError       the other end speaks another protocol
    ├── PermissionDeniedError      an observer asked for what needs an operator
    ├── LaunchError                ranks, node or controller could not be started
    ├── DeadlineError              an answer is missing after its deadline (also a TimeoutError)
    ├── RefusedError               a rank is not in the place that the request named
    ├── LinkLostError              the other end is gone
    ├── CallAbortedError           on a rank: the call of MPI was given up by %pxsignal abort
    └── RemoteError                a cell raised on a rank
        └── CompositeError         a cell raised, not the same everywhere

``str()`` of each is one line: what happened, why, what to do. ``args`` are the constructor's arguments, so every error
survives pickle. ``slug`` names the error's section in the documentation of messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

__all__ = [
    "AuthenticationError",
    "CallAbortedError",
    "ClusterNotFoundError",
    "CompositeError",
    "ConnectionFileError",
    "DeadlineError",
    "DirectoryError",
    "LaunchError",
    "LinkLostError",
    "NoClusterError",
    "PermissionDeniedError",
    "PxshellError",
    "RankSetError",
    "RefusedError",
    "RemoteError",
    "UsageError",
    "VersionMismatchError",
]

_SHOWN = 60
"""So many characters of a faulty text are repeated in a message."""


class PxshellError(Exception):
    """The root: everything that pxshell raises for its users."""

    slug: ClassVar[str] = "error"


class UsageError(PxshellError):
    """What the user asked for cannot be done; nothing was changed by it."""

    slug = "usage"


class RankSetError(UsageError, ValueError):
    """A rank set that cannot be read or selects no rank: ``text``, and ``position`` of the fault in it."""

    slug = "rank-set"

    def __init__(self, message: str, text: str, position: int) -> None:
        super().__init__(message, text, position)
        self.message = message
        self.text = text
        self.position = position

    def __str__(self) -> str:
        if not self.text:
            return self.message
        shown = self.text if len(self.text) <= _SHOWN else f"{self.text[:_SHOWN]}…"
        return f"{self.message} (in {shown!r}, at {self.position + 1})"

    def pointer(self) -> str:
        """Return two lines: the text, and a caret under the fault."""
        # One column for each character, so that the caret stands where it should.
        shown = "".join(character if character.isprintable() else " " for character in self.text)
        return f"{shown}\n{' ' * self.position}^"


class ClusterNotFoundError(UsageError):
    """There is no cluster called ``name``; ``known`` are the names that there are."""

    slug = "cluster-not-found"

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(name, self.known)

    def __str__(self) -> str:
        if not self.known:
            return f"there is no cluster {self.name!r}, nor any other; start it: pxshell start {self.name} -n 4"
        return f"there is no cluster {self.name!r}; there are: {', '.join(self.known)}"


class NoClusterError(UsageError):
    """No cluster is running, or none is attached here."""

    slug = "no-cluster"

    def __str__(self) -> str:
        return "no cluster: %pxcluster start -n 4 [--mpi] | attach [NAME] | list | stop"


class ConnectionFileError(PxshellError):
    """The connection file at ``path`` must not or cannot be used; ``why`` also says what to do."""

    slug = "connection-file"

    def __init__(self, path: str | Path, why: str) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why

    def __str__(self) -> str:
        return f"connection file {self.path}: {self.why}"


class DirectoryError(PxshellError):
    """The directory or socket path ``path`` is not used; ``why`` also says what to do."""

    slug = "directory"

    def __init__(self, path: str | Path, why: str) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why

    def __str__(self) -> str:
        return f"{self.path} is refused: {self.why}"


class AuthenticationError(PxshellError):
    """The other end, ``where``, does not accept our key."""

    slug = "authentication"

    def __init__(self, where: str, why: str = "it does not accept our key") -> None:
        super().__init__(where, why)
        self.where = where
        self.why = why

    def __str__(self) -> str:
        return f"{self.where}: {self.why}; take the connection file of the cluster as it runs now: pxshell list"


class VersionMismatchError(PxshellError):
    """The other end, ``where``, speaks ``theirs`` and we speak ``ours``."""

    slug = "version-mismatch"

    def __init__(self, ours: str, theirs: str, where: str) -> None:
        super().__init__(ours, theirs, where)
        self.ours = ours
        self.theirs = theirs
        self.where = where

    def __str__(self) -> str:
        return f"{self.where} has {self.theirs}, here is {self.ours}; use the same on both sides"


class PermissionDeniedError(PxshellError):
    """An observer asked for ``action``, which needs an operator."""

    slug = "permission-denied"

    def __init__(self, action: str) -> None:
        super().__init__(action)
        self.action = action

    def __str__(self) -> str:
        return f"observers may not {self.action}; connect with the operator's connection file"


class LaunchError(PxshellError):
    """Ranks, node or controller could not be started; the message says why and what to do."""

    slug = "launch"


class DeadlineError(PxshellError, TimeoutError):
    """``what`` was not done after ``seconds``; ``missing`` says who or what did not answer."""

    slug = "deadline"

    def __init__(self, what: str, seconds: float, missing: str = "") -> None:
        # Not by super(): OSError would take three arguments for errno, text and file name.
        self.args = (what, seconds, missing)
        self.what = what
        self.seconds = seconds
        self.missing = missing

    def __str__(self) -> str:
        missing = f"; missing: {self.missing}" if self.missing else ""
        return f"{self.what}: not done within {self.seconds:g} s{missing}"


class RefusedError(PxshellError):
    """``ranks`` did not run the request, because they are not in the place that it named."""

    slug = "refused"

    def __init__(self, message: str, ranks: Collection[int] = ()) -> None:
        super().__init__(message, ranks)
        self.message = message
        self.ranks = ranks

    def __str__(self) -> str:
        return self.message


class LinkLostError(PxshellError):
    """The link to ``peer`` is lost."""

    slug = "link-lost"

    def __init__(self, peer: str, why: str = "it has ended") -> None:
        super().__init__(peer, why)
        self.peer = peer
        self.why = why

    def __str__(self) -> str:
        return f"the link to {self.peer} is lost: {self.why}; see what runs: pxshell list"


class CallAbortedError(PxshellError):
    """Raised on a rank, in the program: somebody has given up the ``call`` of MPI that it waited in."""

    slug = "call-aborted"

    def __init__(self, call: str) -> None:
        super().__init__(call)
        self.call = call

    def __str__(self) -> str:
        return f"{self.call} was given up by %pxsignal abort; its peers may still wait for this rank there"


class RemoteError(PxshellError):
    """A cell raised ``ename: evalue`` on ``ranks``; ``traceback`` are the lines as the ranks drew them."""

    slug = "remote"

    def __init__(self, ename: str, evalue: str, traceback: Iterable[str] = (), ranks: Collection[int] = ()) -> None:
        self.ename = ename
        self.evalue = evalue
        self.traceback = tuple(traceback)
        self.ranks = ranks
        super().__init__(ename, evalue, self.traceback, ranks)

    def __str__(self) -> str:
        ranks = f"[{_folded(self.ranks)}] " if self.ranks else ""
        return f"{ranks}{_summary(self.ename, self.evalue)}"

    def _render_traceback_(self) -> list[str]:
        """Give IPython the ranks' traceback in place of ours, which shows only how the answer came here."""
        return list(self.traceback) or [str(self)]


class CompositeError(RemoteError):
    """A cell raised on several ranks, not the same everywhere: ``errors`` are the groups of equal ones."""

    slug = "composite"

    def __init__(self, errors: Sequence[RemoteError]) -> None:
        self.errors = tuple(errors)
        ranks = sorted(rank for error in self.errors for rank in error.ranks)
        traceback = [line for error in self.errors for line in error._render_traceback_()]
        super().__init__("CompositeError", "; ".join(map(str, self.errors)), traceback, ranks)
        self.args = (self.errors,)

    def __str__(self) -> str:
        return f"failed on {len(self.ranks)} ranks: {self.evalue}"

    def raise_exception(self, index: int = 0) -> None:
        """Raise one of the errors, as ipyparallel does."""
        raise self.errors[index]


def _folded(ranks: Collection[int]) -> str:
    """Write a rank set as it prints itself, any other collection as a list."""
    return ",".join(map(str, ranks)) if isinstance(ranks, list | tuple | set | frozenset) else str(ranks)


def _summary(ename: str, evalue: str) -> str:
    """Write an exception in one line; its whole text is in its attributes."""
    lines = evalue.splitlines()
    if not lines:
        return ename
    return f"{ename}: {lines[0]}{' …' if len(lines) > 1 else ''}"
