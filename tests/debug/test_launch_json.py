"""launch.json: entries added and updated, the user's own and their comments kept."""

import pytest

from pxshell.debug.jsonc import parse
from pxshell.debug.launch_json import Entry, write_entries
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


def read(folder):
    return parse((folder / ".vscode" / "launch.json").read_text()).value


def test_a_file_is_made_with_an_entry_a_rank_and_one_for_all(tmp_path):
    write_entries(tmp_path, ENTRIES, ALL)
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
    write_entries(tmp_path, ENTRIES[:1], ALL)
    assert [one["name"] for one in read(tmp_path)["configurations"]] == ["Mine", ENTRIES[0].name]
    assert "// Use IntelliSense." in path.read_text()
    assert "// my own" in path.read_text()
    assert "compounds" not in read(tmp_path)


def test_an_entry_is_updated_and_what_the_user_has_added_to_it_stays(tmp_path):
    """A new port; but their path mappings and options."""
    path = write_entries(tmp_path, ENTRIES, ALL)
    text = path.read_text().replace('"justMyCode": true', '"justMyCode": false, "subProcess": false', 1)
    path.write_text(text)
    write_entries(tmp_path, [Entry(ENTRIES[0].name, 5000)], ALL)
    first, second = read(tmp_path)["configurations"]
    assert (first["connect"]["port"], first["justMyCode"], first["subProcess"]) == (5000, False, False)
    assert second["connect"]["port"] == 4001


def test_a_ranks_folder_that_is_not_here_is_mapped_to_the_workspace(tmp_path):
    write_entries(tmp_path, [Entry("there", 4000, "/scratch/job")], ALL)
    (found,) = read(tmp_path)["configurations"]
    assert found["pathMappings"] == [{"localRoot": "${workspaceFolder}", "remoteRoot": "/scratch/job"}]


@pytest.mark.parametrize("text", ["{", '{"configurations": 1}'])
def test_a_file_that_cannot_be_read_is_left_as_it_is(tmp_path, text):
    """P10: one line, nothing changed."""
    path = tmp_path / ".vscode" / "launch.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(UsageError, match="is not changed"):
        write_entries(tmp_path, ENTRIES, ALL)
    assert path.read_text() == text


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    """P10."""
    (tmp_path / ".vscode").write_text("a file")
    with pytest.raises(UsageError, match="is not changed"):
        write_entries(tmp_path, ENTRIES, ALL)
