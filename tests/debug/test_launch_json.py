"""launch.json: entries added and updated, the user's own and their comments kept."""

import socket

import pytest

from pxshell.debug.jsonc import parse
from pxshell.debug.launch_json import Adapter, Entry, write_entries
from pxshell.errors import UsageError

ENTRIES = [Entry(f"rank {rank} of sim-1 (pxshell)", 4000 + rank) for rank in (0, 1)]
ALL = "ranks 0-1 of sim-1 (pxshell)"
OWN = """{
    // Use IntelliSense.
    "configurations": [
        {"name": "Mine", "type": "node"} // my own
    ]
}
"""


def write(folder, entries, existing=("sim-1",)):
    return write_entries(folder, entries, ALL, existing.__contains__)


def read(folder):
    return parse((folder / ".vscode" / "launch.json").read_text()).value


def test_a_file_is_made_with_an_entry_a_rank_and_one_for_all(tmp_path):
    write(tmp_path, ENTRIES)
    found = read(tmp_path)
    assert [one["connect"] for one in found["configurations"]] == [
        {"host": "127.0.0.1", "port": 4000},
        {"host": "127.0.0.1", "port": 4001},
    ]
    (compound,) = found["compounds"]
    assert compound["configurations"] == [entry.name for entry in ENTRIES]
    assert not compound["stopAll"]


def test_entries_of_the_user_and_comments_stay(tmp_path):
    path = tmp_path / ".vscode" / "launch.json"
    path.parent.mkdir()
    path.write_text(OWN)
    write(tmp_path, ENTRIES[:1])
    assert [one["name"] for one in read(tmp_path)["configurations"]] == ["Mine", ENTRIES[0].name]
    assert "// Use IntelliSense." in path.read_text()
    assert "// my own" in path.read_text()
    assert "compounds" not in read(tmp_path)


def test_an_entry_is_updated_and_what_the_user_has_added_to_it_stays(tmp_path):
    """A new port; but their path mappings and options."""
    path = write(tmp_path, ENTRIES).path
    text = path.read_text().replace('"justMyCode": true', '"justMyCode": false, "subProcess": false', 1)
    path.write_text(text)
    write(tmp_path, [Entry(ENTRIES[0].name, 5000)])
    first, second = read(tmp_path)["configurations"]
    assert (first["connect"]["port"], first["justMyCode"], first["subProcess"]) == (5000, False, False)
    assert second["connect"]["port"] == 4001


def test_a_ranks_folder_that_is_not_here_is_mapped_to_the_workspace(tmp_path):
    write(tmp_path, [Entry("there", 4000, "/scratch/job")])
    (found,) = read(tmp_path)["configurations"]
    assert found["pathMappings"] == [{"localRoot": "${workspaceFolder}", "remoteRoot": "/scratch/job"}]


@pytest.mark.parametrize("text", ["{", '{"configurations": 1}'])
def test_a_file_that_cannot_be_read_is_left_as_it_is(tmp_path, text):
    """P10: one line, nothing changed."""
    path = tmp_path / ".vscode" / "launch.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(UsageError, match="is not changed"):
        write(tmp_path, ENTRIES)
    assert path.read_text() == text


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    """P10."""
    (tmp_path / ".vscode").write_text("a file")
    with pytest.raises(UsageError, match="is not changed"):
        write(tmp_path, ENTRIES)


def adapter(path):
    return Adapter("/usr/bin/python", f"import os; os.environ['PXSHELL_CONNECT'] = {str(path)!r}; main()", 7)


def test_entries_of_clusters_that_are_gone_are_taken_away_and_nothing_else(tmp_path):
    """P10: only what we wrote and nobody has made their own; its comments stay."""
    other = [Entry("rank 0 of other-1 (pxshell)", adapter(tmp_path / "gone.json")), Entry(NAMES[1], 4)]
    path = write_entries(tmp_path, other, "ranks 0-1 of other-1 (pxshell)", lambda _: True).path
    path.write_text(
        path.read_text().replace('"configurations": [', '"configurations": [ // first\n{"name": "Mine"}, // mine', 1)
    )
    written = write(tmp_path, ENTRIES)
    assert written.dropped == ("rank 0 of other-1 (pxshell)", NAMES[1])
    found = read(tmp_path)
    assert [one["name"] for one in found["configurations"]] == ["Mine", *[entry.name for entry in ENTRIES]]
    assert [one["name"] for one in found["compounds"]] == [ALL]
    assert "// first" in path.read_text()
    assert "// mine" in path.read_text()
    assert write(tmp_path, ENTRIES).dropped == ()


NAMES = [f"rank {rank} of other-1 (pxshell)" for rank in range(4)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"name": "rank 0 of other-1 (pxshell)"', '"name": "my rank"'),
        ('"group": "pxshell"', '"group": "mine"'),
        ('"host": "127.0.0.1"', '"host": "n1"'),
        ('"compounds": [', '"compounds": [{"name": "My two", "configurations": ["rank 0 of other-1 (pxshell)"]}'),
    ],
)
def test_an_entry_that_the_user_has_made_theirs_stays(tmp_path, before, after):
    """Another name, group or host; or a compound of theirs that starts it."""
    path = write_entries(tmp_path, [Entry(NAMES[0], 4)], ALL, lambda _: True).path
    text = path.read_text().replace("}\n    ]\n}", '}\n    ],\n    "compounds": [\n    ]\n}')
    assert before in text
    path.write_text(text.replace(before, after))
    assert write(tmp_path, ENTRIES).dropped == ()
    assert len(read(tmp_path)["configurations"]) == 3


def test_an_entry_whose_port_or_connection_file_is_there_stays(tmp_path):
    """Of a cluster of another $PXSHELL_DIR, which we do not know."""
    (tmp_path / "there.json").touch()
    with socket.create_server(("127.0.0.1", 0)) as server:
        entries = [Entry(NAMES[0], server.getsockname()[1]), Entry(NAMES[1], adapter(tmp_path / "there.json"))]
        entries += [Entry(NAMES[2], Adapter("python", "main(['debug', 'other-1', '2'])", 7))]
        write_entries(tmp_path, entries, "ranks 0-2 of other-1 (pxshell)", lambda _: True)
        assert write(tmp_path, ENTRIES).dropped == ()
    assert write(tmp_path, ENTRIES).dropped == (NAMES[0],)
    assert len(read(tmp_path)["compounds"]) == 2
