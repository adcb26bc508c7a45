"""Private files are written in one step and read only when they are ours alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pxshell.rendezvous.files import InsecureFileError, read_private, write_private


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a good file."""
    write_private(tmp_path / "key", b"secret")
    return tmp_path / "key"


def test_files_come_back_with_mode_0600(path: Path) -> None:
    """P9: nobody else can read what we write, whatever the umask."""
    assert read_private(path) == b"secret"
    assert path.stat().st_mode & 0o777 == 0o600


def test_writing_again_replaces_the_file_whole(path: Path) -> None:
    """A reader of the old file keeps it; nothing else is left in the directory."""
    with path.open("rb") as old:
        write_private(path, b"new")
        assert old.read() == b"secret"
    assert read_private(path) == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """A directory in the file's place is an error, without a temporary file beside it."""
    (tmp_path / "key").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private(tmp_path / "key", b"secret")
    assert list(tmp_path.iterdir()) == [tmp_path / "key"]


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_files_that_others_may_use_are_refused(path: Path, bits: int) -> None:
    """P9: any bit for group or others, and the message has the command."""
    path.chmod(bits)
    with pytest.raises(InsecureFileError, match=f"chmod 600 {path}"):
        read_private(path)


def test_files_of_somebody_else_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P9: keys that another user chose are no keys."""
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(InsecureFileError, match=f"belongs to user {owner}"):
        read_private(path)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """P3: a named pipe in the file's place does not keep us waiting for its writer."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(InsecureFileError, match="no regular file"):
        read_private(tmp_path / "pipe")


def test_huge_files_are_refused(path: Path) -> None:
    """P7: a connection file has no megabytes."""
    os.truncate(path, 2 << 20)
    with pytest.raises(InsecureFileError, match="too many"):
        read_private(path)
