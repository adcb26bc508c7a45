"""Small private files: written whole or not at all, read only when nobody else could have written them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["InsecureFileError", "read_private", "write_private"]

_LIMIT = 1 << 20


class InsecureFileError(Exception):
    """A file that somebody else could have written or read; the text says what is wrong and what to do."""


def write_private(path: Path, data: bytes, *, is_lasting: bool = True) -> None:
    """Write a file with mode 0600; whoever reads it meanwhile sees the old one or the new one.

    Args:
        path: Where; what was there is replaced.
        data: All of it.
        is_lasting: Wait until it would survive the machine's crash.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if is_lasting:
                os.fsync(descriptor)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_private(path: Path) -> bytes:
    """Read a file of ours.

    Raises:
        InsecureFileError: It is no regular file, not ours, too large, or others may read or write it.
        OSError: It cannot be read.
    """
    # Without O_NONBLOCK a named pipe in its place would keep us waiting for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        fault = _fault(os.fstat(descriptor))
        if fault:
            raise InsecureFileError(fault.format(path=path))
        return file.read()


def _fault(status: os.stat_result) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "it is no regular file; remove it"
    if status.st_uid != os.geteuid():
        return f"it belongs to user {status.st_uid}; use a file of your own"
    if status.st_mode & 0o077:
        return f"its mode is {status.st_mode & 0o777:04o}, so others have its keys; chmod 600 {{path}}"
    if status.st_size > _LIMIT:
        return f"it has {status.st_size} bytes, too many; remove it"
    return None
