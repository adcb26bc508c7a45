"""Large buffers are shared by the processes of one machine, each with its own view of what it changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pxshell.rendezvous import shared as module
from pxshell.rendezvous.shared import SHARED_FROM, SharedMemory, begin_sharing, shared_of

LARGE = bytes(range(256)) * (SHARED_FROM // 256)


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    path = tmp_path / "cluster"
    path.mkdir()
    return path


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    path = tmp_path / "memory"
    path.mkdir()
    return path


@pytest.fixture
def sharing(cluster: Path, memory: Path) -> SharedMemory:
    found = begin_sharing(cluster, memory)
    assert found is not None
    return found


def files(memory: Path) -> list[Path]:
    return [path for path in memory.rglob("*") if path.is_file()]


def test_large_buffers_come_back_in_their_places_and_small_ones_were_not_moved(
    sharing: SharedMemory, cluster: Path, memory: Path
) -> None:
    """What is sent beside the files is enough to find them, in any process of this machine."""
    left, references = sharing.put([b"small", LARGE, bytearray(LARGE[::-1])])
    assert (left, list(references)) == ([b"small", b"", b""], ["1", "2"])
    assert [path.stat().st_mode & 0o777 for path in files(memory)] == [0o600] * 2
    other = shared_of(cluster)
    assert other is not None
    assert [bytes(buffer) for buffer in other.get(left, references, take=True)] == [b"small", LARGE, LARGE[::-1]]
    assert files(memory) == []


def test_what_one_reader_changes_nobody_else_sees(sharing: SharedMemory) -> None:
    """P1: an array that was pushed is each rank's own; also after the file is gone."""
    left, references = sharing.put([LARGE])
    (first,) = sharing.get(left, references, take=False)
    (second,) = sharing.get(left, references, take=False)
    memoryview(first)[0] = 77
    sharing.remove(references)
    sharing.remove(references)
    assert (first[0], second[0], bytes(second)) == (77, 0, LARGE)


def test_what_finds_no_room_is_sent(sharing: SharedMemory, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's shared memory is small."""

    def write(_fd: int, _view: memoryview) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "write", write)
    assert sharing.put([LARGE]) == ([LARGE], {})
    assert files(memory) == []
    sharing.close()
    assert sharing.put([LARGE]) == ([LARGE], {})


@pytest.mark.parametrize("name", ["../../etc/passwd", "a" * 31, "A" * 32, "a" * 32 + "\n"])
def test_nothing_but_shared_memory_is_read_or_removed(sharing: SharedMemory, name: str) -> None:
    """P9: whatever a peer names."""
    with pytest.raises(ValueError, match="no name of shared memory"):
        sharing.get([b""], {"0": [name, 10]}, take=False)
    with pytest.raises(ValueError, match="no name of shared memory"):
        sharing.remove({"0": [name, 10]})


def test_a_file_that_is_gone_or_too_short_is_an_error(sharing: SharedMemory, memory: Path) -> None:
    """P3: never a signal."""
    with pytest.raises(FileNotFoundError):
        sharing.get([b""], {"0": ["a" * 32, 10]}, take=False)
    _, references = sharing.put([LARGE])
    os.truncate(files(memory)[0], 10)
    with pytest.raises(ValueError, match="mmap length is greater"):
        sharing.get([b""], references, take=False)


def test_what_a_dead_node_left_goes_with_the_next_one(sharing: SharedMemory, cluster: Path, memory: Path) -> None:
    """P7: memory is not lost to a kill -9; what a living node shares stays."""
    base = memory / f"pxshell-{os.geteuid()}"
    left = base / "999999999-1.0"
    left.mkdir()
    (left / ("b" * 32)).write_bytes(LARGE)
    _, references = sharing.put([LARGE])
    assert references
    mine = next(path for path in base.iterdir() if path != left)
    shared_before = files(mine)
    module.sweep(base)
    assert not left.exists()
    assert files(mine) == shared_before
    sharing.close()
    assert shared_of(cluster) is None


def test_there_may_be_no_shared_memory(cluster: Path, tmp_path: Path) -> None:
    """Not on macOS, and not where another user has taken the name: then buffers are sent."""
    assert begin_sharing(cluster, tmp_path / "nowhere") is None
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / f"pxshell-{os.geteuid()}").mkdir(mode=0o755)
    assert begin_sharing(cluster, taken) is None
    assert shared_of(cluster) is None


@pytest.mark.parametrize("taken", ["file", "dangling link", "stray"])
def test_whoever_takes_the_name_only_keeps_values_from_being_shared(cluster: Path, memory: Path, taken: str) -> None:
    """P9, P8: another user who was first costs speed, not the cluster; a stray file costs nothing."""
    name = memory / f"pxshell-{os.geteuid()}"
    if taken == "file":
        name.touch()
    elif taken == "dangling link":
        name.symlink_to(memory / "nowhere")
    else:
        name.mkdir(mode=0o700)
        (name / "core").touch()
    found = begin_sharing(cluster, memory)
    assert (found is not None) == (taken == "stray")


def test_memory_that_is_not_there_or_cannot_be_written_is_not_shared(cluster: Path, tmp_path: Path) -> None:
    """A container's /dev/shm may be read-only."""
    assert begin_sharing(cluster, tmp_path / "nowhere") is None
