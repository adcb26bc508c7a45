"""`pxshell list`, `pxshell logs` and the choice that `pxshell` makes alone: on files, without processes."""

import json

import pytest

from pxshell.cli import main
from pxshell.cli.words import age_in_words, ranks_in_words
from pxshell.rendezvous import connection


def test_an_empty_list_says_how_to_start(capsys):
    """And nothing in JSON: no object, no line."""
    assert main(["list"]) == 0
    assert capsys.readouterr().out == "no cluster; start one: pxshell -n 4\n"
    assert main(["list", "--json"]) == 0
    assert capsys.readouterr().out == ""


def test_the_list_shows_what_there_is_and_what_to_do(capsys, on_disk, joined):
    """Running, joined and stale, each with its next step."""
    on_disk("calm-fox")
    on_disk("old-owl", alive=False, script="sim.py")
    joined("slurm-7.0", script="train.py", size=2)
    assert main(["list"]) == 0
    head, *rows = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert head == ["NAME", "RANKS", "SCRIPT  AGE   STATE"] or head[:2] == ["NAME", "RANKS"]
    by_name = {name: (ranks, rest) for name, ranks, rest in rows}
    assert by_name["calm-fox"][0] == "4"
    assert by_name["calm-fox"][1].endswith("running")
    assert by_name["train-1"][1].endswith("not attached yet: pxshell attach train-1")
    assert "has ended; clean up: pxshell stop old-owl" in by_name["old-owl"][1]


def test_the_list_says_what_ranks_do(capsys, on_disk):
    """A paused cluster, and one that idles, are not `running`."""
    (on_disk("calm-fox").directory / "doing.json").write_text('{"paused": [3, "0-2"], "running": [64, ""]}')
    (on_disk("old-owl").directory / "doing.json").write_text('{"idle": [4, "0-3"]}')
    assert main(["list"]) == 0
    _, fox, owl = capsys.readouterr().out.splitlines()
    assert fox.endswith("  0-2 paused, 64 ranks running")
    assert owl.endswith("  idle")
    assert main(["list", "--json"]) == 0
    entries = map(json.loads, capsys.readouterr().out.splitlines())
    assert [(entry["state"], entry["doing"]) for entry in entries] == [
        ("running", "0-2 paused, 64 ranks running"), ("running", "idle"),
    ]  # fmt: skip


def test_the_list_as_json_has_ranks_type_and_text_in_each_line(capsys, on_disk):
    """One object a line."""
    on_disk("sim-1", script="sim.py", launcher="mpi")
    assert main(["list", "--json"]) == 0
    (entry,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (entry["ranks"], entry["type"], entry["name"], entry["state"]) == ("0-3", "px_cluster", "sim-1", "running")
    assert "sim.py" in entry["text"]


def test_several_clusters_are_listed_when_none_is_named(capsys, on_disk):
    """`pxshell` alone: the list, and the line that chooses."""
    on_disk("a-1")
    on_disk("b-1")
    assert main([]) == 2
    captured = capsys.readouterr()
    assert "a-1" in captured.out
    assert captured.err == "pxshell: there are 2 clusters; say which: pxshell attach a-1\n"


def test_stopping_a_stale_cluster_cleans_up(capsys, on_disk):
    """Its controller has ended without doing so: the files go, the logs stay."""
    files = on_disk("old-owl", alive=False)
    files.ready.touch()
    assert main(["stop", "old-owl"]) == 0
    assert capsys.readouterr().out.startswith("stopped: 0-3 of old-owl have ended (")
    assert not connection.connection_path("old-owl").exists()
    assert not files.ready.exists()
    assert files.logs.is_dir()


def fill_logs(files):
    (files.logs / "rank-0.log").write_text("".join(f"line {number}\n" for number in range(30)))
    (files.logs / "rank-10.log").write_text("ten\n")
    (files.logs / "rank-2.log").write_text("two")
    (files.logs / "node.log").write_text("node\n")


def test_logs_are_shown_by_rank_with_their_paths(capsys, on_disk):
    """The last 20 lines of each, ranks in order, then node and controller."""
    files = on_disk("calm-fox")
    fill_logs(files)
    assert main(["logs"]) == 0
    out = capsys.readouterr().out
    assert f"==> {files.logs}/rank-0.log\nline 10\n" in out
    places = [out.index(text) for text in ("rank-0.log", "rank-2.log", "rank-10.log", "node.log")]
    assert places == sorted(places)


def test_logs_of_some_ranks(capsys, on_disk):
    """-t is the grammar of rank sets."""
    fill_logs(on_disk("calm-fox"))
    assert main(["logs", "-t", "2,10", "--json"]) == 0
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(entry["ranks"], entry["text"]) for entry in entries] == [("2", "two"), ("10", "ten\n")]


def test_logs_of_a_rank_that_is_not_there(capsys, on_disk):
    """P10: the caret stands under the fault."""
    fill_logs(on_disk("calm-fox"))
    assert main(["logs", "-t", "0,99"]) == 2
    assert capsys.readouterr().err.splitlines()[-2:] == ["0,99", "  ^"]


def test_logs_outlive_their_cluster(capsys, on_disk):
    """P2: the full text is in the rank's log, also when all has ended."""
    files = on_disk("calm-fox")
    fill_logs(files)
    connection.remove("calm-fox")
    assert main(["logs", "calm-fox", "-t", "0", "--all"]) == 0
    assert "line 0\n" in capsys.readouterr().out


def test_a_joined_program_has_no_log_of_ours(capsys, joined):
    """It keeps writing where it wrote."""
    joined("slurm-7.0")
    assert main(["logs", "train-1"]) == 2
    assert "keeps its own output" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0 s"), (31.4, "31 s"), (125, "2 min"), (7300, "2 h"), (200000, "2 d")]
)
def test_ages_are_written_in_their_largest_unit(seconds, words):
    """As people say them."""
    assert age_in_words(seconds) == words


def test_ranks_are_counted_in_words():
    """With launcher and MPI when they say something."""
    assert ranks_in_words(1) == "1 rank"
    assert ranks_in_words(4, "mpi", "MPICH 5.0.2") == "4 MPI ranks (MPICH 5.0.2)"
