"""Large buffers in memory that the processes of one machine share, in place of going through their links.

A node that started its ranks makes a private directory on a file system in memory, to which `shared` in the cluster's
directory points; who finds that is on its machine. A file holds one buffer; who reads it gets pages of its own of what
it changes, and nothing of the rest. What a process leaves there goes with its node, or with the next one.
"""

from __future__ import annotations

import logging
import mmap
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from pxshell.errors import PxshellError
from pxshell.rendezvous.directories import check_private_directory
from pxshell.rendezvous.processes import is_running, start_time

__all__ = ["SHARED_FROM", "References", "SharedMemory", "begin_sharing", "shared_of", "sweep"]

_log = logging.getLogger(__name__)

Buffer = bytes | bytearray | memoryview
References = Mapping[str, Sequence[object]]

#: Bytes from which a buffer is shared; smaller ones are sent.
SHARED_FROM = 1 << 20
_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there is checked
_LINK = "shared"
_NAME = re.compile("[0-9a-f]{32}")
_OWNER = re.compile(r"(\d+)-(\d+(?:\.\d+)?)")


def begin_sharing(cluster: Path, memory: Path = _MEMORY) -> SharedMemory | None:
    """Make the directory of a node that begins, and remove those of nodes that are gone.

    Returns:
        None where there is none to be had, because there is no memory to share, it is read-only or full, or somebody
        else has taken our name there: then buffers are sent.
    """
    base = memory / f"pxshell-{os.geteuid()}"
    own = base / f"{os.getpid()}-{start_time(os.getpid())}"
    try:
        base.mkdir(mode=0o700, exist_ok=True)
        check_private_directory(base)
        sweep(base)
        own.mkdir(mode=0o700)
        (cluster / _LINK).unlink(missing_ok=True)
        (cluster / _LINK).symlink_to(own)
    except (OSError, PxshellError) as error:
        _log.info("no shared memory, values are sent: %s", error)
        return None
    return SharedMemory(own)


def sweep(base: Path) -> None:
    """Remove what nodes that are gone have left."""
    for path in base.iterdir():
        found = _OWNER.fullmatch(path.name)
        if found is not None and not is_running(int(found[1]), float(found[2])):
            shutil.rmtree(path, ignore_errors=True)


def shared_of(cluster: Path) -> SharedMemory | None:
    """Return what the ranks of a cluster share; None where its node is not on this machine, or has nothing to share."""
    link = cluster / _LINK
    return SharedMemory(link.readlink()) if link.is_symlink() and link.is_dir() else None


class SharedMemory:
    """The directory of one node."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, buffers: Sequence[Buffer]) -> tuple[list[Buffer], dict[str, list[object]]]:
        """Put large buffers into files.

        Returns:
            The buffers, with an empty one for each that is in a file, and the references: position (as text) to name
            and size. What finds no room stays a buffer.
        """
        left: list[Buffer] = []
        references: dict[str, list[object]] = {}
        for number, buffer in enumerate(buffers):
            view = memoryview(buffer).cast("B")
            name = self._write(view) if view.nbytes >= SHARED_FROM else None
            if name is not None:
                references[str(number)] = [name, view.nbytes]
            left.append(b"" if name is not None else buffer)
        return left, references

    def _write(self, view: memoryview) -> str | None:
        name = secrets.token_hex(16)
        try:
            fd = os.open(self._path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
        try:
            while view:
                view = view[os.write(fd, view) :]
        except OSError:  # no room
            (self._path / name).unlink()
            return None
        finally:
            os.close(fd)
        return name

    def get(self, buffers: Sequence[Buffer], references: References, *, take: bool) -> list[Buffer]:
        """Return the buffers with those in files in their places, to be written to by this process alone.

        Args:
            buffers: as `put` returned them.
            references: as well.
            take: remove the files; what was read stays for as long as it is used.

        Raises:
            OSError, ValueError: a file is not there, or is none of ours.
        """
        whole = list(buffers)
        for number, (name, size) in references.items():
            whole[int(number)] = self._read(str(name), int(str(size)))
        if take:
            self.remove(references)
        return whole

    def _read(self, name: str, size: int) -> memoryview:
        fd = os.open(self._checked(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return memoryview(mmap.mmap(fd, size, access=mmap.ACCESS_COPY))
        finally:
            os.close(fd)

    def remove(self, references: References) -> None:
        """Remove files: all who were to read them have."""
        for name, _ in references.values():
            self._checked(str(name)).unlink(missing_ok=True)

    def close(self) -> None:
        """Remove all; what is in use stays for as long as it is."""
        shutil.rmtree(self._path, ignore_errors=True)

    def _checked(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of shared memory")
        return self._path / name
