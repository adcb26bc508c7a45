"""Connection files lead to a cluster, and lead nobody else there."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import msgspec
import pytest

from pxshell.errors import (
    ClusterNotFoundError,
    ConnectionFileError,
    NoClusterError,
    UsageError,
    VersionMismatchError,
)
from pxshell.rendezvous import connection
from pxshell.rendezvous.connection import ConnectionInfo
from pxshell.rendezvous.processes import start_time
from pxshell.version import PROTOCOL

INFO = ConnectionInfo(
    name="calm-fox",
    version="0.1.0",
    python="3.11.7",
    protocol=PROTOCOL,
    host=socket.gethostname(),
    pid=os.getpid(),
    started=start_time() or 0.0,
    addresses={"work": ["ipc:///tmp/w"], "control": ["ipc:///tmp/c"]},
    server_public="S" * 40,
    role="operator",
    public="P" * 40,
    secret="X" * 40,
    directory="/tmp/pxshell-0/clusters/calm-fox",
)


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PXSHELL_DIR", str(tmp_path))
    monkeypatch.delenv("PXSHELL_CONNECT", raising=False)


def write(name: str = "calm-fox", **changes: object) -> Path:
    """Write a connection file that differs from ``INFO`` in some fields."""
    return connection.write_connection(msgspec.structs.replace(INFO, name=name, **changes))


def test_files_come_back_as_they_were_written() -> None:
    """Every field is kept, in a file of mode 0600 at the place that its name says."""
    path = write()
    assert connection.read_connection(path) == INFO
    assert path == connection.connection_path("calm-fox")
    assert path.stat().st_mode & 0o777 == 0o600


def test_each_role_has_a_file_of_its_own() -> None:
    """P9: who is given the observer's file has no operator's key."""
    paths = [write(role=role) for role in ("operator", "observer", "node")]
    assert [path.name for path in paths] == ["calm-fox.json", "calm-fox.observer.json", "calm-fox.node.json"]
    assert connection.find("calm-fox", "observer").role == "observer"
    assert [cluster.name for cluster in connection.list_clusters()] == ["calm-fox"]


def test_keys_are_not_shown() -> None:
    """P9: a traceback or a log that shows the information shows no key."""
    assert "X" * 40 not in repr(INFO)
    assert "calm-fox" in repr(INFO)


def test_files_with_wrong_permissions_are_refused() -> None:
    """P9, P10: one line that names the file and the command."""
    path = write()
    path.chmod(0o644)
    with pytest.raises(ConnectionFileError, match=f"chmod 600 {path}"):
        connection.find("calm-fox")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "damaged"),
        ("{}", "damaged"),
        ("[1]", "damaged"),
        (f'{{"name": "x", "version": "1", "protocol": {PROTOCOL}}}', "damaged .*missing required field"),
        ("\udcff", "damaged"),
    ],
)
def test_malformed_contents_are_refused(text: str, words: str) -> None:
    """P10: also when a file is cut short or is something else."""
    path = write()
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConnectionFileError, match=words):
        connection.read_connection(path)


def test_contents_without_an_address_or_name_are_refused() -> None:
    """What would fail later, and less clearly, fails here."""
    for changes in ({"addresses": {"work": ["ipc:///w"], "control": []}}, {"name": "../x"}):
        text = msgspec.json.encode(msgspec.structs.replace(INFO, **changes))
        with pytest.raises(ConnectionFileError, match="damaged"):
            connection.parse_connection(text, "here")


def test_another_protocol_is_a_version_mismatch_whatever_else_changed() -> None:
    """P10: both versions are named; another version with the same protocol is fine."""
    path = write(version="0.0.9")
    assert connection.read_connection(path).version == "0.0.9"
    path.write_text('{"name": "calm-fox", "version": "9.0", "protocol": 99, "new": 1}')
    with pytest.raises(VersionMismatchError, match=re.escape("cluster calm-fox has pxshell 9.0 (protocol 99)")):
        connection.read_connection(path)


def test_a_missing_file_says_where_to_look() -> None:
    """P10: a path that was given by hand may be wrong."""
    with pytest.raises(ConnectionFileError, match="pxshell list"):
        connection.read_connection(Path("/nowhere/x.json"))


def test_the_only_cluster_alive_needs_no_name() -> None:
    """Stale files are passed over, and every cluster is still found by its name."""
    write("calm-fox")
    write("old-owl", pid=2**22 + 1)
    assert connection.find().name == "calm-fox"
    assert connection.find("old-owl").name == "old-owl"
    assert {cluster.name: cluster.is_alive for cluster in connection.list_clusters()} == {
        "calm-fox": True,
        "old-owl": False,
    }


def test_clusters_that_are_not_there_are_refused_by_name() -> None:
    """P10: the message names those that are."""
    with pytest.raises(NoClusterError):
        connection.find()
    write("calm-fox")
    with pytest.raises(ClusterNotFoundError, match="no cluster 'sim-1'; there are: calm-fox"):
        connection.find("sim-1")
    with pytest.raises(UsageError, match="no name of a cluster"):
        connection.find("../calm-fox")


def test_several_clusters_must_be_told_apart() -> None:
    """P10: nothing is guessed."""
    write("a1")
    write("a2")
    with pytest.raises(UsageError, match="2 clusters, a1, a2; name one of them, as in 'a1'"):
        connection.find()


def test_one_bad_file_does_not_hide_the_others() -> None:
    """The list has it with its error."""
    write("a1")
    write("a2").chmod(0o644)
    good, bad = connection.list_clusters()
    assert good.info is not None
    assert bad.info is None
    assert isinstance(bad.error, ConnectionFileError)
    assert not bad.is_alive


def test_the_environment_can_name_a_file_or_be_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``PXSHELL_CONNECT`` goes before the directory, and a name given goes before it."""
    path = write("far-elk").rename(tmp_path / "given.json")
    write("calm-fox")
    monkeypatch.setenv("PXSHELL_CONNECT", str(path))
    assert connection.find().name == "far-elk"
    assert connection.find("calm-fox").name == "calm-fox"
    monkeypatch.setenv("PXSHELL_CONNECT", path.read_text())
    assert connection.find().name == "far-elk"
    monkeypatch.setenv("PXSHELL_CONNECT", "{")
    with pytest.raises(ConnectionFileError, match="PXSHELL_CONNECT"):
        connection.find()


def test_a_cluster_is_alive_while_its_process_is() -> None:
    """A pid that was used again is another process; of another machine we cannot know."""
    assert connection.is_alive(INFO)
    assert not connection.is_alive(msgspec.structs.replace(INFO, started=INFO.started - 3600))
    assert connection.is_alive(msgspec.structs.replace(INFO, host="elsewhere", pid=2**22 + 1))


def test_removing_a_cluster_removes_all_its_files() -> None:
    """No key outlives its cluster; removing twice is no error."""
    paths = [write(role=role) for role in ("operator", "observer", "node")]
    connection.remove("calm-fox")
    connection.remove("calm-fox")
    assert not any(path.exists() for path in paths)
