"""Signals, data and looking: what a session does with the program on the ranks."""

import pickle

import numpy as np
import pytest
from session.stops import PLACE, stop_at

from pxshell.errors import UsageError
from pxshell.ranks import RankSet
from pxshell.render import Answer, CellAnswers
from pxshell.session.data import describe
from pxshell.session.results import Results
from pxshell.testing.scripted import Said, replies

# Signals.


@pytest.mark.parametrize(("what", "number"), [("INT", 2), ("sigint", 2), ("9", 9), ("USR1", 10)])
def test_a_signal_is_answered_for_each_rank(stage, what, number):
    answers = replies("px_signal_reply", ("0-2", {"outcome": "sent"}), ("3", {"outcome": "why", "why": "it is gone"}))
    stage.client.on("px_signal_request", answers)
    assert str(stage.session.signal(what)) == "0-2"
    assert stage.client.asked[0].content == {"signal": number}
    assert "not sent to 3: it is gone" in stage.shown()


def test_ending_a_part_of_an_mpich_job_needs_a_yes(running):
    """P8: a rank's death is an MPICH world's death; the front end says so first."""
    running.client.on("px_signal_request", replies("px_signal_reply", (None, {"outcome": "sent"})))
    with pytest.raises(UsageError, match=r"KILL to 3 ends the whole MPICH 5.0.2 job, 0-2 end with it.*--yes"):
        running.session.signal("KILL", RankSet.of(3))
    assert running.client.asked == []
    running.session.signal("KILL", RankSet.of(3), yes=True)
    running.session.signal("TERM", running.session.world)
    running.session.signal("USR1", RankSet.of(3))
    assert len(running.client.asked) == 3


def test_with_the_local_launcher_a_rank_may_be_killed_at_once(stage):
    stage.client.on("px_signal_request", replies("px_signal_reply", (None, {"outcome": "sent"})))
    stage.session.signal("KILL", RankSet.of(3))
    assert stage.shown() == "KILL sent to 3\n"


# Data.


def test_values_travel_with_their_arrays_beside_them(stage):
    def push(asked):
        received.append(pickle.loads(asked.buffers[0], buffers=asked.buffers[1:]))
        return [Said("px_push_reply", {"status": "ok"})]

    received = []
    stage.client.on("px_push_request", push)
    assert str(stage.session.push({"u": np.arange(5)})) == "0-3"
    assert len(stage.client.asked[0].buffers) == 2
    assert list(received[0]["u"]) == [0, 1, 2, 3, 4]


def test_apply_returns_what_each_rank_returned(stage):
    def apply(asked):
        function, args, kwargs = pickle.loads(asked.buffers[0], buffers=asked.buffers[1:])
        value = pickle.dumps(function(*args, **kwargs))
        return [Said("px_apply_reply", {"status": "ok"}, str(rank), (value,)) for rank in asked.ranks]

    stage.client.on("px_apply_request", apply)
    assert stage.session.apply(lambda x, y: x + y, 1, y=2, ranks=RankSet.of(1, 2)) == {1: 3, 2: 3}


def test_what_fails_to_come_is_shown_and_the_rest_returned(stage):
    good = (pickle.dumps([1]),)
    stage.client.on(
        "px_pull_request",
        lambda asked: [
            Said("px_pull_reply", {"status": "ok"}, "0", good),
            Said("px_pull_reply", {"status": "error", "ename": "NameError", "evalue": "u"}, "1"),
            Said("px_pull_reply", {"status": "ok"}, "2", (b"no pickle",)),
            Said("px_missing", {"why": "died"}, "3"),
        ],
    )
    assert stage.session.pull("u") == {0: 1}
    shown = stage.shown()
    assert "[3]  no answer: died" in shown
    assert "[1]    NameError: u" in shown
    assert "[2]  no answer: its value cannot be made here: UnpicklingError" in shown


def test_nothing_is_pulled_from_a_running_script_but_by_a_peek(running):
    assert running.session.pull("u") == {}
    assert running.shown().startswith("not run: 0-3 are running sim.py.")
    running.client.on("px_pull_request", lambda asked: [Said("px_pull_reply", {"status": "error", "ename": "E"})])
    running.session.pull("u", peek=True)
    assert running.client.asked_for("px_pull_request")[0].content["places"] == [["peek", "0-3"]]


@pytest.mark.parametrize("name", ["a b", "1", "a.b"])
def test_only_names_can_be_pushed_to(stage, name):
    with pytest.raises(UsageError, match="is no name that can be assigned to"):
        stage.session.push({name: 1})


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({0: 1, 1: 2}, "2 values here, int"),
        ({0: 1, 1: "a"}, "2 values here, of several kinds"),
        ({3: np.zeros(2, dtype=np.float32)}, "1 array here, float32 (2,), 8 B"),
    ],
)
def test_what_came_is_described_in_a_line(values, text):
    assert describe(values) == text


# Looking.


def test_completion_is_merged_over_the_ranks(stage):
    one = {"status": "ok", "matches": ["abs", "all"], "cursor_start": 0, "cursor_end": 1, "metadata": {}}
    other = {**one, "matches": ["all", "any"]}
    stage.client.on("complete_request", replies("complete_reply", ("0-2", one), ("3", other)))
    merged = stage.session.complete("a", 1)
    assert merged["matches"] == ["abs", "all", "any"]
    assert (merged["cursor_start"], merged["cursor_end"]) == (0, 1)


def test_completion_that_is_late_gives_what_there_is(stage):
    """P6: in at most 100 ms, also while ranks are busy."""
    one = {"status": "ok", "matches": ["abs"], "cursor_start": 0, "cursor_end": 1, "metadata": {}}
    stage.client.on("complete_request", replies("complete_reply", ("0", one)))
    assert stage.session.complete("a", 1, timeout=0.01)["matches"] == ["abs"]
    stage.client.set_state("0-3", activity="idle", liveness="dead")
    assert stage.session.complete("a", 1)["matches"] == []


def test_inspection_takes_the_first_rank_that_finds_something(stage):
    found = {"status": "ok", "found": True, "data": {"text/plain": "doc"}, "metadata": {}}
    nothing = {"status": "ok", "found": False, "data": {}, "metadata": {}}
    stage.client.on("inspect_request", replies("inspect_reply", ("0-2", nothing), ("3", found)))
    assert stage.session.inspect("u", 1) == found


def test_a_log_is_asked_of_its_rank(stage):
    stage.client.on("px_log_request", replies("px_log_reply", (None, {"text": "line\n", "file": "rank-3.log"})))
    assert stage.session.log(3) == "line\n"
    assert str(stage.client.asked[0].ranks) == "3"
    with pytest.raises(UsageError, match="there is no rank 4"):
        stage.session.log(4)


# Prompt, toolbar, states.


def test_the_prompt_shows_focus_and_state(stage):
    session, client = stage.session, stage.client
    assert session.prompt_text() == "px[0-3]"
    client.set_state("2", activity="busy", cell="request-9")
    assert session.prompt_text() == "px[0-3] busy"
    client.set_state("2", activity="busy", cell="run")
    assert session.prompt_text() == "px[0-3] running"
    stop_at(client, "0-1", "p")
    client.set_state("2-3", activity="held", cell="run", pause="p")
    assert session.prompt_text() == "px[0-3] held+sim.py:87"
    stop_at(client, "1", "p", line=90)
    assert session.prompt_text() == "px[0-3] paused+held"
    client.set_state("3", activity="busy", liveness="dead", exit=-9)
    session.set_focus("3")
    assert session.prompt_text() == "px[3] dead"


def test_the_toolbar_shows_all_ranks(running):
    stop_at(running.client, "0-1", "p")
    assert running.session.toolbar_text() == "sim-1  sim.py  0-1 paused  2-3 running"


def test_status_shows_where_each_group_is(running):
    stop_at(running.client, "0-1", "p", 613)
    running.client.set_state("3", activity="busy", liveness="dead", exit=-9)
    running.shown()
    running.display.show(running.session.status())
    assert running.shown() == (
        "cluster sim-1, 4 MPI ranks (MPICH 5.0.2), sim.py\n"
        "[0-1]  paused   sim.py:87 in main, value 613\n"
        "[2]    running\n"
        "[3]    dead     signal 9 (KILL)\n"
    )


# Names and results.


def test_the_whereabouts_of_a_rank_that_an_editor_lets_run_are_asked_for(running):
    """It has no place of its own while it runs; who debugs it is told beside it."""
    running.client.set_state("2", activity="debugging", cell="run", why="debugged by me@here")
    where = {"status": "ok", **PLACE, "seconds": 7.0}
    running.client.on("px_where_request", replies("px_where_reply", (None, where)))
    rows = [(str(ranks), word, told) for ranks, word, told in running.session.whereabouts().rows]
    assert rows == [
        ("0-1,3", "running", "sim.py:87 in main, for 7 s"),
        ("2", "debugging", "sim.py:87 in main, debugged by me@here, for 7 s"),
    ]


def test_states_and_names_are_rank_sets(stage):
    stage.client.set_state("2", activity="busy", cell="run")
    stage.session.set_focus("--name left 0-1")
    assert str(stage.session.ranks("@left,@busy")) == "0-2"
    assert str(stage.session.ranks("@idle!@first")) == "1,3"
    with pytest.raises(UsageError, match="a name needs ranks"):
        stage.session.set_focus("--name left")


def test_results_are_bounded_and_the_last_always_stays():
    """P7: every history has a limit."""
    results = Results(max_cells=3, max_bytes=100)
    for cell in range(1, 6):
        results.keep(CellAnswers(cell))
    with pytest.raises(UsageError, match="there are 3 to 5"):
        results.get(2)
    results.keep(CellAnswers(6, (Answer(RankSet.of(0), {"text/plain": "x" * 1000}),)))
    assert results.get().cell == 6
    with pytest.raises(UsageError, match="there are 6 to 6"):
        results.get(5)


def test_all_ranks_are_restarted_with_focus_and_names_kept(stage):
    def restart(asked):
        for rank in "0213":
            stage.client.set_state(rank, activity="busy", liveness="dead", exit=-9, reason="restart")
        for rank in "2103":
            stage.client.set_state(rank, activity="starting")
        stage.client.set_state("0-3", activity="idle")
        return [Said("px_restart_reply", {"status": "ok"})]

    stage.client.on("px_restart_request", restart)
    stage.session.set_focus("1-2")
    stage.shown()
    assert str(stage.session.restart()) == "0-3"
    (line,) = stage.shown().splitlines()  # deaths that were asked for are no news
    assert line.startswith("0-3 restarted (")
    assert str(stage.session.focus) == "1-2"
