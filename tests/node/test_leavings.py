"""What an MPI leaves in shared memory when its ranks are ended is removed, and nothing else."""

from __future__ import annotations

from pathlib import Path

from pxshell.node.leavings import Leavings, segments_of

MAPS = """\
7f00-7f10 rw-s 00000000 00:18 12 {0}/mpich_shm_1a2b_0
7f10-7f20 rw-s 00000000 00:18 13 {0}/mine
7f20-7f30 rw-s 00000000 00:18 14 {0}/mpich_shm_9_0 (deleted)
7f30-7f40 r-xp 00000000 08:01 99 /usr/lib/libc.so.6
"""


def test_segments_of_mpi_are_known_by_their_names(tmp_path: Path) -> None:
    """Those that are gone already, and what the program itself shares, do not count."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "maps").write_text(MAPS.format("/dev/shm"))
    assert segments_of(7, tmp_path) == {Path("/dev/shm/mpich_shm_1a2b_0")}
    assert segments_of(8, tmp_path) == set()


def test_what_is_gone_already_is_no_error(tmp_path: Path) -> None:
    """The last rank may have removed it."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "maps").write_text(MAPS.format("/dev/shm"))
    leavings = Leavings(tmp_path)
    leavings.note([7, 8])
    leavings.remove()
    leavings.remove()
