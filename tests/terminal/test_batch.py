"""Cells of `-c`: the same rules as typed ones, answers to stdout, an exit status."""

import io
import itertools
import json

import pytest
from clocks import ticking

from pxshell.ranks import RankSet
from pxshell.terminal import run_cells
from pxshell.testing.scripted import Said, ScriptedClient


def answer(asked):
    code = asked.content["code"].strip()
    if code == "rank":
        for rank in asked.ranks:
            yield Said("execute_result", {"data": {"text/plain": str(rank)}, "metadata": {}}, RankSet.of(rank))
    elif code == "print":
        yield Said("stream", {"name": "stdout", "text": "hello\n"})
    elif code.startswith("exit "):
        error = {"ename": "SystemExit", "evalue": code.removeprefix("exit "), "traceback": []}
        yield Said("error", {**error, "cell": asked.content["cell"], "line": 1, "source": code, "file": ""})
        yield Said("execute_reply", {"status": "error", **error})
        return
    yield Said("execute_reply", {"status": "ok"})


@pytest.fixture
def client():
    client = ScriptedClient(2)
    client.on("execute_request", answer)
    return client


@pytest.fixture
def run(client):
    def run(*cells, **options):
        out = io.StringIO()
        status = run_cells(client, cells, out=out, **options)
        return status, out.getvalue()

    return run


def test_answers_go_to_stdout_without_colours(run):
    assert run("rank", "print") == (0, "[0]    0\n[1]    1\n[0-1]  hello\n")


def test_magics_hold_for_the_cells_after_them(run, capsys):
    assert run("%pxfocus 1", "rank") == (0, "[1]    1\n")
    assert capsys.readouterr().err == "focus: 1 (of 0-1)\n"


def test_a_failed_cell_is_the_last_and_gives_the_status(run, client):
    status, _ = run("exit 3", "rank")
    assert status == 3
    assert len(client.asked_for("execute_request")) == 1


def test_keep_going_runs_the_rest_and_gives_the_worst_status(run, client):
    status, out = run("exit 3", "exit 2", "rank", keep_going=True)
    assert status == 3
    assert out.endswith("[1]    1\n")


@pytest.mark.parametrize("cell", ["%pxfocus 9", "%px -t 9 rank", "%local 1 / 0", "x ="])
def test_what_is_refused_or_fails_here_fails(run, cell):
    assert run(cell)[0] == 1


def test_local_code_runs_here_and_keeps_its_names(run, capsys):
    assert run("%local a = 6", "%%local\nprint(a * 7)") == (0, "")
    assert capsys.readouterr().out == "42\n"


def test_exit_ends_the_cells(run, client):
    assert run("exit", "rank")[0] == 0
    assert client.asked_for("execute_request") == []


def test_json_is_one_object_a_line(run):
    status, out = run("rank", "print", "%local print(42)", "%pxfocus 9", json=True)
    objects = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert [(one["ranks"], one["type"]) for one in objects] == [
        ("0", "execute_result"),
        ("1", "execute_result"),
        ("0-1", "stream"),
        ("", "stream"),
        ("", "px_notice"),
    ]
    assert objects[3]["text"] == "42\n"


def test_a_dead_rank_in_the_focus_fails_the_cell(run, client):
    client.set_state("1", activity="ended", liveness="dead", exit=-9)
    assert run("rank")[0] == 1


def test_inspection_and_help_are_printed(run, client):
    found = {"status": "ok", "found": True, "data": {"text/plain": "Docstring: u"}, "metadata": {}}
    client.on("inspect_request", lambda asked: [Said("inspect_reply", found)])
    assert run("u?") == (0, "Docstring: u\n")
    assert "%pxfocus" in run("?px")[1]


def test_a_script_starts_with_the_first_thing_that_is_asked_of_it(run, client):
    """What sets something here only, as a focus, does not start it; whatever follows does, before it."""
    client.on("px_start_request", lambda asked: [Said("px_start_reply", {"status": "ok"})])
    run("%pxfocus 0", "rank", starts_script=True)
    assert [one.type for one in client.asked][:2] == ["px_start_request", "execute_request"]


def test_a_script_starts_before_code_that_runs_here(run, client):
    """`%local time.sleep(2)` lets it run for two seconds."""
    client.on("px_start_request", lambda asked: [Said("px_start_reply", {"status": "ok"})])
    run("%local import builtins", starts_script=True)
    assert [one.type for one in client.asked] == ["px_start_request"]


def test_a_script_starts_when_every_cell_was_refused(run, client):
    """The front end leaves, and the ranks go on."""
    client.on("px_start_request", lambda asked: [Said("px_start_reply", {"status": "ok"})])
    assert run("%pxfocus 9", starts_script=True)[0] == 1
    assert [one.type for one in client.asked] == ["px_start_request"]


def test_a_first_cell_that_pauses_is_armed_before_the_script_starts(run, client):
    """Design 9: user code starts only when the first cell is armed."""
    client.set_state("0-1", activity="starting")

    def started(asked):
        yield Said("px_start_reply", {"status": "ok"})
        client.set_state("0-1", activity="paused", cell="run", pause="p", file="sim.py", line=1)

    client.on("px_pause_request", lambda asked: [Said("px_pause_reply", {"outcome": "pending"})])
    client.on("px_start_request", started)
    assert run("%pxsignal pause", starts_script=True)[0] == 0
    assert [one.type for one in client.asked][:2] == ["px_pause_request", "px_start_request"]


@pytest.fixture
def fast_clock(monkeypatch):
    """Let the time of a pause pass by 50 ms whenever it is looked at."""
    ticking(monkeypatch, "pxshell.session.pausing", 0.05)


def test_what_a_pause_waits_for_is_said_once(run, client, capsys, fast_clock):
    """Nothing waits for ever unseen; a printed line stays, so it is printed once."""
    client.set_state("0-1", activity="busy", cell="run")
    why = {"status": "error", "why": "later has no value yet"}
    client.on("px_probe_request", lambda asked: [Said("px_probe_reply", why)])
    status, _ = run("%pxsignal pause --sync later --timeout 3")
    assert status == 1
    assert capsys.readouterr().err.count("pause --sync later waits for 0-1: later has no value yet\n") == 1


def test_reasons_that_a_pause_gives_in_turns_are_said_once_each(run, client, capsys, fast_clock):
    """As above: one comes back when ranks are asked anew."""
    client.set_state("0-1", activity="busy", cell="run")
    names = itertools.cycle(["later", "sooner"])
    why = lambda: {"status": "error", "why": f"{next(names)} has no value yet"}  # noqa: E731
    client.on("px_probe_request", lambda asked: [Said("px_probe_reply", why())])
    assert run("%pxsignal pause --sync later --timeout 3")[0] == 1
    said = [line for line in capsys.readouterr().err.splitlines() if " waits for " in line]
    assert sorted(line.rpartition(": ")[2] for line in said) == ["later has no value yet", "sooner has no value yet"]


def stand(client, ranks="0-1", activity="paused", line=87):
    client.set_state(
        ranks, activity=activity, cell="run", pause="p", file="/home/me/sim.py", line=line, function="main"
    )


def test_cells_that_did_not_run_are_counted(run, capsys):
    """P10: what happened, why, what to do."""
    assert run("exit 3", "rank", "rank")[0] == 3
    assert capsys.readouterr().err == (
        "cell 1 of 3 has failed, so the last 2 did not run; all the same: --keep-going\n"
    )  # fmt: skip


def test_ranks_that_stay_paused_after_a_failure_are_said_with_the_way_on(run, client, capsys):
    """The front end leaves, and nothing else would tell that they wait for somebody."""
    stand(client)
    assert run("exit 3", "rank")[0] == 3
    assert capsys.readouterr().err == (
        "cell 1 of 2 has failed, so the last did not run; 0-1 stay paused at sim.py:87 in main.  "
        "Go on: pxshell attach calm-fox -c '%pxsignal resume'   Look: pxshell attach calm-fox\n"
    )


def test_ranks_that_stay_paused_after_good_cells_are_said_too(run, client, capsys):
    """With --wait, what is waited for."""
    stand(client, "0")
    stand(client, "1", "held", 12)
    assert run("%pxfocus 0", afterwards=lambda: 0)[0] == 0
    assert "\n0-1 stay paused, and --wait waits.  Go on: pxshell attach calm-fox -c" in capsys.readouterr().err


def test_a_last_cell_that_fails_leaves_nothing_to_say(run, capsys):
    """The failure has been shown."""
    assert run("rank", "exit 3")[0] == 3
    assert capsys.readouterr().err == ""
