"""The runtime directory is refused unless nobody else could have prepared it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pxshell.errors import DirectoryError
from pxshell.rendezvous import directories


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name a runtime directory that is not there yet."""
    path = tmp_path / "run"
    monkeypatch.setenv("PXSHELL_RUNTIME_DIR", str(path))
    return path


def mode(path: Path) -> int:
    """Return the permission bits of a path."""
    return stat.S_IMODE(path.lstat().st_mode)


def test_runtime_directory_is_made_private(runtime: Path) -> None:
    """P9: it is created with mode 0700, and found again."""
    assert directories.runtime_directory() == directories.runtime_directory() == runtime
    assert mode(runtime) == 0o700


def test_runtime_directory_is_short_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name leaves room for the names of sockets."""
    monkeypatch.delenv("PXSHELL_RUNTIME_DIR")
    assert directories.runtime_directory() == Path(f"/tmp/pxshell-{os.geteuid()}")


def test_a_symbolic_link_is_refused(runtime: Path, tmp_path: Path) -> None:
    """P9: another user could point it anywhere."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    runtime.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DirectoryError, match="symbolic link; remove it, or set PXSHELL_RUNTIME_DIR"):
        directories.runtime_directory()


def test_a_file_is_refused(runtime: Path) -> None:
    """P10: what is no directory is named as such."""
    runtime.touch()
    with pytest.raises(DirectoryError, match="no directory"):
        directories.runtime_directory()


@pytest.mark.parametrize("bits", [0o755, 0o770, 0o701, 0o500])
def test_other_modes_are_refused(runtime: Path, bits: int) -> None:
    """P9: others could look in, or put their sockets there."""
    runtime.mkdir()
    runtime.chmod(bits)
    with pytest.raises(DirectoryError, match=f"mode is {bits:04o}, not 0700"):
        directories.runtime_directory()


def test_a_directory_of_somebody_else_is_refused(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P9: its owner could read and replace everything in it."""
    runtime.mkdir(mode=0o700)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(DirectoryError, match=f"belongs to user {owner}"):
        directories.runtime_directory()


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P10: the message names the variable."""
    monkeypatch.setenv("PXSHELL_RUNTIME_DIR", str(tmp_path / "a" / "b"))
    with pytest.raises(DirectoryError, match="set PXSHELL_RUNTIME_DIR"):
        directories.runtime_directory()


def test_each_cluster_has_a_private_directory(runtime: Path) -> None:
    """Sockets and logs of two clusters do not meet."""
    path = directories.cluster_directory("calm-fox")
    assert path == directories.cluster_directory("calm-fox") == runtime / "run" / "calm-fox"
    assert mode(path) == mode(path.parent) == 0o700


def test_connection_directory_is_made_with_its_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first cluster of a user needs nothing prepared."""
    monkeypatch.setenv("PXSHELL_DIR", str(tmp_path / "a" / "b"))
    assert directories.connection_directory() == tmp_path / "a" / "b" / "clusters"
    assert mode(directories.connection_directory()) == 0o700


def test_a_connection_directory_that_cannot_be_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P10: the message names the variable."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("PXSHELL_DIR", str(tmp_path / "file"))
    with pytest.raises(DirectoryError, match="set PXSHELL_DIR"):
        directories.connection_directory()


def test_state_directory_is_the_platforms_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without ``$PXSHELL_DIR`` the platform's convention holds."""
    monkeypatch.delenv("PXSHELL_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert directories.state_directory().name == "pxshell"
    assert directories.state_directory().is_relative_to(tmp_path)


def test_paths_too_long_for_a_socket_are_refused() -> None:
    """P10: the message has the numbers, where bind() says only that it does not work."""
    fits = Path("/" + "x" * (directories.SOCKET_PATH_LIMIT - 1))
    assert directories.check_socket_path(fits) == fits
    with pytest.raises(DirectoryError, match="at most 100 bytes, this one 101; set PXSHELL_RUNTIME_DIR"):
        directories.check_socket_path(Path(f"{fits}y"))
