"""A lock file has one holder, tells who it is, and is never stale."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pxshell.errors import DeadlineError
from pxshell.rendezvous.locks import FileLock

HOLDER = """
import sys, pathlib
from pxshell.rendezvous.locks import FileLock
lock = FileLock(pathlib.Path(sys.argv[1]), "test")
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a lock file."""
    return tmp_path / "lock"


def test_one_holds_and_the_others_do_not(path: Path) -> None:
    """Two objects never hold it at once; releasing lets the next one in."""
    first, second = FileLock(path, "start"), FileLock(path, "start")
    assert first.try_acquire()
    assert first.try_acquire()
    assert not second.try_acquire()
    assert (first.is_held, second.is_held) == (True, False)
    first.release()
    first.release()
    assert second.try_acquire()
    second.release()


def test_the_block_is_the_time_of_the_lock(path: Path) -> None:
    """It is released when the block is left, also by an exception."""
    with FileLock(path, "start") as lock:
        assert lock.is_held
    with pytest.raises(ZeroDivisionError), FileLock(path, "start"):
        raise ZeroDivisionError
    assert FileLock(path, "start").try_acquire()


def test_waiting_ends_with_a_deadline_that_names_the_holder(path: Path) -> None:
    """P3: nothing waits for ever, and the message says for whom."""
    with FileLock(path, "start the node"), pytest.raises(DeadlineError, match=f"process {os.getpid()}") as caught:
        FileLock(path, "start the node", seconds=0).acquire()
    assert "lock to start the node" in str(caught.value)


def test_waiting_ends_when_the_lock_is_free(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits gets the lock from who releases it."""
    first, second = FileLock(path, "start"), FileLock(path, "start")
    first.acquire()
    monkeypatch.setattr(time, "sleep", lambda _seconds: first.release())
    with second:
        assert second.is_held


def test_a_lock_that_cannot_be_written_is_not_held(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P7: a full disk is an error, and leaves no lock behind."""
    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(OSError, match="No space"):
            FileLock(path, "start").try_acquire()
    with FileLock(path, "start") as lock:
        assert lock.is_held


def test_a_holder_without_a_name_is_still_reported(path: Path) -> None:
    """The file may be gone or empty."""
    assert FileLock(path, "start").holder() == f"the holder of {path}"


def test_a_killed_holder_holds_nothing(path: Path) -> None:
    """P8: the kernel releases the lock of a process that had no time to."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        lock = FileLock(path, "start")
        assert not lock.try_acquire()
        assert str(holder.pid) in lock.holder()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert lock.try_acquire()
        lock.release()


def test_programs_that_the_holder_starts_do_not_keep_the_lock(path: Path) -> None:
    """A daemon born under the lock would hold it for its lifetime."""
    lock = FileLock(path, "start")
    lock.acquire()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False) as child:
        lock.release()
        # Popen may return a moment before the kernel has closed all that the new program does not inherit.
        FileLock(path, "start").acquire(60)
        assert child.poll() is None
        child.communicate(b"\n")


def test_a_link_in_the_place_of_the_lock_is_refused(path: Path, tmp_path: Path) -> None:
    """P9: we never open what a link points at."""
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        FileLock(path, "start").try_acquire()
