"""The files of one cluster: what is in them, and who may read them."""

import json
import stat

from pxshell.cluster import files as module
from pxshell.cluster.files import ClusterFiles, read_launch, sweep
from pxshell.rendezvous import connection


def content(path):
    return json.loads(path.read_bytes())


def test_all_files_with_keys_are_for_us_alone(on_disk):
    """P9: 0600 for files, 0700 for directories."""
    files = on_disk("calm-fox")
    paths = [*files.directory.glob("*.json"), connection.connection_path("calm-fox")]
    assert len(paths) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (files.directory, files.logs)} == {0o700}


def test_the_controller_learns_its_keys_and_who_may_enter(on_disk):
    """controller.json: one public key for each role, no secret but the server's own."""
    files = on_disk("calm-fox")
    entry = content(files.directory / "controller.json")
    assert sorted(entry["authorized"].values()) == ["node", "observer", "operator"]
    assert set(entry["server"]) == {"public", "secret"}
    assert entry["addresses"]["work"] == [f"ipc://{files.directory}/controller-work.sock"]
    assert "secret-operator" not in json.dumps(entry)


def test_the_node_learns_its_own_key_and_where_to_go(on_disk):
    """node.json: the node's keys, the server's public one, the addresses, its socket."""
    files = on_disk("calm-fox")
    entry = content(files.directory / "node.json")
    assert set(entry) == {"name", "addresses", "server_public", "public", "secret", "node_socket"}
    assert entry["node_socket"] == str(files.directory / "node.sock")


def test_operator_and_observer_have_files_of_their_own(on_disk):
    """Two roles, two keys, two files; neither has the other's secret."""
    on_disk("calm-fox")
    operator, observer = (connection.find("calm-fox", role) for role in ("operator", "observer"))
    assert (operator.role, observer.role) == ("operator", "observer")
    assert operator.secret != observer.secret
    assert operator.server_public == observer.server_public


def test_a_new_cluster_starts_with_an_empty_directory(on_disk):
    """What an ended cluster of the same name left does not confuse the next."""
    files = on_disk("calm-fox")
    (files.logs / "rank-0.log").write_text("old")
    files.ready.write_text("{}")
    again = ClusterFiles.make("calm-fox")
    assert [path.name for path in again.directory.iterdir()] == ["logs"]


def test_launch_of_another_machine_is_unknown(tmp_path):
    """The directory of a cluster elsewhere is not here: no facts, no failure."""
    assert read_launch(tmp_path / "nowhere") == {}


def test_a_damaged_launch_file_is_unknown(tmp_path):
    """Half a file, or another thing than an object."""
    for text in ("{", "[1]"):
        (tmp_path / "launch.json").write_text(text)
        assert read_launch(tmp_path) == {}


def test_the_tail_is_the_last_line_of_who_knows_best(on_disk):
    """Engines before node before controller."""
    files = on_disk("calm-fox")
    assert files.tail() == ""
    (files.logs / "controller.log").write_text("controller\n")
    assert files.tail() == "controller"
    (files.logs / "launch.log").write_text("Traceback\nImportError: no\n\n")
    assert files.tail() == "ImportError: no"


def test_logs_of_old_clusters_are_swept_away(monkeypatch, on_disk):
    """P7: the newest ended clusters keep their logs, and those that run are not touched."""
    monkeypatch.setattr(module, "_KEPT", 1)
    for name in ("old-1", "old-2", "running"):
        on_disk(name)
    for name in ("old-1", "old-2"):
        connection.remove(name)
    root = ClusterFiles.make("new").directory.parent
    sweep()
    assert len({path.name for path in root.iterdir()}) == 2
    assert "running" in {path.name for path in root.iterdir()}
