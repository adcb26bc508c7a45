"""The debugger of a session: steps, stacks and breakpoints of sets of ranks, folded."""

import threading
import time

import pytest

from pxshell.errors import UsageError
from pxshell.protocol.state import RankState
from pxshell.ranks import RankSet
from pxshell.session import stepping as stepping_module
from pxshell.testing.scripted import Said, replies

FILE = "/home/me/sim.py"
SOURCE = [f"line {number}" for number in range(1, 121)]


@pytest.fixture
def paused(make_stage):
    """Four ranks of a simulation, paused together."""
    stage = make_stage(name="sim-1", mpi="MPICH 5.0.2", script="sim.py", started=time.time())
    stand(stage.client, "0-3", "p1", 87)
    stage.client.on("px_source_request", source)
    return stage


def source(asked):
    first, count = asked.content["first"], asked.content["count"]
    return [Said("px_source_reply", {"status": "ok", "first": first, "lines": SOURCE[first - 1 : first - 1 + count]})]


def stand(client, ranks, pause, line, activity="paused", **more):
    place = {"file": FILE, "line": line, "function": "main"}
    client.set_state(ranks, **{"activity": activity, "cell": "run", "pause": pause, **place, **more})


def stepping(stage, *stops, file=FILE):
    """Let steps lead to these stops: (ranks, line, activity)."""

    def step(asked):
        for ranks, line, activity in stops:
            stand(stage.client, ranks, asked.content["pause"], line, activity, reason="step", file=file)
            outcome = {"paused": "paused", "held": "held"}[activity]
            yield Said("px_step_reply", {"outcome": outcome, "file": FILE, "line": line, "function": "main"}, ranks)

    stage.client.on("px_step_request", step)


# Steps.


def test_a_step_of_all_ranks_is_one_line_with_its_source(paused):
    stepping(paused, ("0-3", 88, "paused"))
    assert str(paused.session.debugger.step("next")) == "0-3"
    assert paused.shown() == "[0-3]  sim.py:88 in main  line 88\n"
    asked = paused.client.asked_for("px_step_request")[0]
    assert (asked.content["kind"], asked.content["places"]) == ("next", [["frame:p1", "0-3"]])
    assert asked.content["pause"] not in {"", "p1"}


def test_a_step_in_a_cell_names_it_as_the_prompt_does(paused):
    """P10: one place has one name, whichever line tells it."""
    stepping(paused, ("0-3", 2, "paused"), file="<px cell 7>")
    paused.session.debugger.step("next")
    assert paused.shown() == "[0-3]  cell 7, line 2 in main  line 2\n"


def test_ranks_that_stop_elsewhere_stand_out_and_are_odd(paused):
    """P4: an odd rank is never hidden."""
    stepping(paused, ("0-2", 88, "paused"), ("3", 91, "paused"))
    paused.session.debugger.step("step")
    assert paused.shown() == (
        "[0-2]  sim.py:88 in main  line 88\n"
        "[3]    sim.py:91 in main  line 91                         ◀ differs\n"
    )  # fmt: skip
    assert str(paused.session.ranks("@odd")) == "3"


def test_a_rank_that_waits_for_one_that_stands_is_named_and_the_prompt_comes_back(paused):
    """P3: long before the deadline, for it cannot come back by itself."""
    stepping(paused, ("0", 88, "held"))
    stopped = paused.session.debugger.step("next", RankSet.of(0), deadline=60)
    assert not stopped
    assert paused.shown() == "[0]    waits in C: sim.py:88 in main  line 88\n"
    with pytest.raises(UsageError, match=r"no next: 0 waits in C.*All: %pxdebug next -t all"):
        paused.session.debugger.step("next", RankSet.of(0))


def test_ranks_that_all_are_in_c_are_waited_for_until_the_deadline(paused):
    """Nobody stands whom they could wait for: it is a long call."""
    stepping(paused, ("0-3", 88, "held"))
    paused.session.debugger.step("next", deadline=0.1)
    assert paused.shown() == "[0-3]  waits in C: sim.py:88 in main  line 88\n"


def test_a_step_that_takes_longer_than_the_deadline_says_where_it_is(paused):
    """It stops when it gets there, and that is told then."""

    def step(asked):
        paused.client.set_state("0-3", activity="busy", cell="run", pause=asked.content["pause"])
        return [Said("px_step_reply", {"outcome": "running"})]

    paused.client.on("px_step_request", step)
    entries = [[FILE, 50, "compute", True, "x += 1"]]
    paused.client.on("px_frames_request", replies("px_frames_reply", (None, {"entries": entries, "selected": 0})))
    assert not paused.session.debugger.step("finish", deadline=0.1)
    assert paused.shown() == "[0-3]  still runs: sim.py:50 in compute  x += 1\n"
    pause = paused.client.asked_for("px_step_request")[0].content["pause"]
    stand(paused.client, "0-3", pause, 90, reason="step")
    assert paused.shown() == "0-3 paused at sim.py:90 in main (step)\n"


def test_a_rank_that_comes_back_late_is_waited_for_when_others_have_made_the_step_with_it(paused, monkeypatch):
    """P4: they have let it go, and on a busy machine it is slow to run: it was shown as one that waits for them."""
    monkeypatch.setattr(stepping_module, "_SETTLES_S", 0.0)
    monkeypatch.setattr(stepping_module, "_FOLLOWS_S", 60.0)
    timers = []

    def step(asked):
        pause = asked.content["pause"]
        stand(paused.client, "0-2", pause, 88, reason="step")
        stand(paused.client, "3", pause, 88, "held")
        timers.append(threading.Timer(0.3, lambda: stand(paused.client, "3", pause, 88, reason="step")))
        timers[0].start()
        return [Said("px_step_reply", {"outcome": "paused"})]

    paused.client.on("px_step_request", step)
    assert str(paused.session.debugger.step("next", deadline=60)) == "0-3"
    timers[0].join()
    assert paused.shown() == "[0-3]  sim.py:88 in main  line 88\n"


def test_a_stop_that_a_step_has_shown_is_not_told_once_more(paused):
    """P2: a state is known before its message is handed on; a busy machine comes between the two."""

    def step(asked):
        state = {"activity": "paused", "cell": "run", "pause": asked.content["pause"], "reason": "step"}
        state |= {"file": FILE, "line": 88, "function": "main"}
        paused.client.states = paused.client.states.updated(asked.ranks, RankState.from_content(state))
        return [Said("px_step_reply", {"outcome": "paused"})]

    paused.client.on("px_step_request", step)
    paused.session.debugger.step("next")
    assert paused.shown() == "[0-3]  sim.py:88 in main  line 88\n"
    known = paused.client.states.of(0)
    for rank in range(4):
        paused.client.set_state(str(rank), **known.to_content())
    assert paused.shown() == ""


def test_a_resume_takes_back_steps_that_are_on_their_way(paused):
    """The resume of all resumes all: also those that would stop later."""
    paused.client.set_state("3", activity="busy", cell="run", pause="s1")
    asked = replies("px_resume_reply", (None, {"outcome": "resumed"}))

    def resume(request):
        paused.client.set_state(request.ranks, activity="busy", cell="run")
        return asked(request)

    paused.client.on("px_resume_request", resume)
    assert str(paused.session.resume()) == "0-3"
    pauses = {one.content["pause"]: str(one.ranks) for one in paused.client.asked_for("px_resume_request")}
    assert pauses == {"p1": "0-2", "s1": "3"}


def test_a_program_that_ends_during_a_step_is_told(paused):
    def step(asked):
        paused.client.set_state("0-3", activity="idle")
        return [Said("px_step_reply", {"outcome": "idle", "why": "no user code runs"})]

    paused.client.on("px_step_request", step)
    paused.session.debugger.step("next")
    assert paused.shown() == "[0-3]  the program has ended\n"


def test_a_cell_that_ends_during_a_step_is_told(paused):
    stand(paused.client, "0-3", "p2", 3, cell="cell-1")

    def step(asked):
        paused.client.set_state("0-3", activity="idle")
        return [Said("px_step_reply", {"outcome": "idle", "why": "no user code runs"})]

    paused.client.on("px_step_request", step)
    paused.session.debugger.step("next")
    assert paused.shown().endswith("[0-3]  the cell has ended\n")


def test_a_stale_step_is_told_for_its_ranks(paused):
    """P10: somebody else has moved them."""
    stale = {"outcome": "stale", "why": "it is not in that pause any more"}
    paused.client.on("px_step_request", replies("px_step_reply", (None, stale)))
    paused.session.debugger.step("next")
    assert paused.shown() == (
        "[0-3]  sim.py:87 in main  line 87\n"
        "0-3 not stepped: it is not in that pause any more\n"
    )  # fmt: skip


def test_a_line_alone_means_the_file_in_which_the_ranks_stand(paused):
    """As in pdb; where nobody stands it is refused (P10)."""
    paused.client.on("px_break_request", lambda asked: [Said("px_break_reply", {"status": "ok"})])
    paused.session.debugger.add_breakpoint(line=43)
    asked = paused.client.asked_for("px_break_request")[0]
    assert (asked.content["file"], asked.content["line"]) == (FILE, 43)
    paused.client.set_state("0-3", activity="busy", cell="run")
    with pytest.raises(UsageError, match="a line of which file"):
        paused.session.debugger.add_breakpoint(line=43)


def test_a_failed_rank_is_not_stepped_for_that_would_let_its_exception_go_on(paused):
    """P10: refused for all, with both ways on."""
    stand(paused.client, "3", "failure-1", 91, activity="failed", why="ValueError: no mass")
    with pytest.raises(UsageError, match=r"no next: 3 has failed.*%pxsignal resume -t 3   .*%pxdebug next -t 0-2"):
        paused.session.debugger.step("next")
    assert not paused.client.asked_for("px_step_request")


def test_ranks_in_different_pauses_step_together(paused):
    """Each from its own pause, to one new one."""
    stand(paused.client, "2-3", "b0-1", 90)
    stepping(paused, ("0-3", 91, "paused"))
    paused.session.debugger.step("next")
    places = paused.client.asked_for("px_step_request")[0].content["places"]
    assert places == [["frame:p1", "0-1"], ["frame:b0-1", "2-3"]]


def test_running_ranks_are_not_stepped(make_stage):
    stage = make_stage()
    with pytest.raises(UsageError, match="no next: 0-3 are not paused"):
        stage.session.debugger.step("next")


def test_continue_lets_the_focus_go_and_names_those_that_stand(paused):
    def resume(request):
        paused.client.set_state(request.ranks, activity="busy", cell="run")
        return [Said("px_resume_reply", {"outcome": "resumed"})]

    paused.client.on("px_resume_request", resume)
    assert str(paused.session.debugger.go_on(RankSet.of(3))) == "3"
    assert paused.shown() == "3 resumed\n0-2 are still paused.  All: %pxsignal resume\n"
    with pytest.raises(UsageError, match="no continue: 3 is not paused"):
        paused.session.debugger.go_on(RankSet.of(3))


# Stacks.


def test_where_shows_the_stack_with_its_source_folded(paused):
    outer = [FILE, 120, "<module>", True, "main()"]
    one = {"entries": [outer, [FILE, 87, "main", True, "x = 1"]], "selected": 1}
    other = {"entries": [outer, [FILE, 91, "main", True, "y = 2"]], "selected": 0}
    paused.client.on("px_frames_request", replies("px_frames_reply", ("0-2", one), ("3", other)))
    paused.session.debugger.where()
    assert paused.shown() == (
        "[0-2]\n"
        "  <module>  sim.py:120  main()\n"
        "▸ main      sim.py:87   x = 1\n"
        "[3]\n"
        "▸ <module>  sim.py:120  main()\n"
        "  main      sim.py:91   y = 2\n"
    )


def test_up_shows_where_cells_run_from_now_on(paused):
    told = {"status": "ok", "moved": 1, "file": FILE, "line": 120, "function": "<module>", "source": "main()"}
    paused.client.on("px_select_request", replies("px_select_reply", (None, told)))
    paused.session.debugger.up(2)
    assert paused.shown() == "[0-3]  sim.py:120  main()\n"
    asked = paused.client.asked_for("px_select_request")[0].content
    assert asked == {"up": 2, "full": False, "places": [["frame:p1", "0-3"]]}
    stand(paused.client, "0-3", "p1", 87, depth=1)
    assert paused.session.prompt_text() == "px[0-3] sim.py:87 up 1"


def test_where_of_idle_ranks_is_that_they_are_idle(paused):
    """They have no frames but ours."""
    paused.client.set_state("0-3", activity="idle")
    paused.session.debugger.where()
    assert paused.shown() == "0-3 are idle\n"
    assert not paused.client.asked_for("px_frames_request")


def test_where_the_stack_ends_is_said(paused):
    told = {"status": "ok", "moved": 0, "file": FILE, "line": 87, "function": "main", "source": "x = 1"}
    paused.client.on("px_select_request", replies("px_select_reply", (None, told)))
    paused.session.debugger.up(-1)
    assert paused.shown() == "[0-3]  sim.py:87 in main  x = 1\n0-3 are in the innermost frame already\n"


def test_source_is_fetched_from_a_rank_once(paused):
    """The file may be on the ranks' machine alone."""
    entries = [[FILE, 87, "main", True, "line 87"]]
    paused.client.on("px_frames_request", replies("px_frames_reply", (None, {"entries": entries, "selected": 0})))
    paused.session.debugger.source()
    shown = paused.shown().splitlines()
    assert (shown[0], shown[1], shown[6], shown[-1]) == (
        "[0-3]  sim.py:87 in main", "  82  line 82", "▸ 87  line 87", "  92  line 92",
    )  # fmt: skip
    paused.session.debugger.source(3)
    assert paused.shown().splitlines()[1] == "  1  line 1"
    assert [(str(one.ranks), one.content["file"]) for one in paused.client.asked_for("px_source_request")] == [
        ("0", FILE)
    ]
    with pytest.raises(UsageError, match=r"there is no source of /home/me/sim\.py at line 500"):
        paused.session.debugger.source(500)


def test_ranks_that_do_not_answer_are_listed(paused):
    """P3: with the reason."""
    entries = {"entries": [[FILE, 87, "main", True, ""]], "selected": 0}
    answer = [Said("px_frames_reply", entries, "0-2"), Said("px_missing", {"why": "died"}, "3")]
    paused.client.on("px_frames_request", lambda _: answer)
    paused.session.debugger.where()
    assert paused.shown().endswith("[3]  no answer: died\n")


# Breakpoints.


def test_a_breakpoint_gets_the_next_number_and_says_where_it_stops(paused):
    row = {
        "number": 4,
        "file": "a.py",
        "line": 1,
        "function": "",
        "condition": "",
        "once": False,
        "hits": 1,
        "stopped": 0,
    }
    paused.client.on(
        "px_breaks_request", replies("px_breaks_reply", ("0-1", {"breaks": [row]}), ("2-3", {"breaks": []}))
    )
    set_ = {"status": "ok", "file": FILE, "line": 88, "function": "main"}
    paused.client.on("px_break_request", replies("px_break_reply", ("0-2", set_), ("3", {**set_, "file": ""})))
    number = paused.session.debugger.add_breakpoint(file="sim.py", line=88, condition="step > 3", once=True)
    assert number == 5
    assert paused.shown() == (
        "breakpoint 5 on 0-2 at sim.py:88 in main\n"
        "breakpoint 5 on 3: no file sim.py is loaded yet; it stops once one is\n"
    )
    asked = paused.client.asked_for("px_break_request")[0].content
    assert asked == {
        "number": 5, "file": "sim.py", "line": 88, "function": "", "condition": "step > 3", "once": True, "hits": 1,
    }  # fmt: skip


def test_a_breakpoint_that_no_rank_takes_is_refused(paused):
    """P10: one line says why."""
    paused.client.on("px_breaks_request", replies("px_breaks_reply", (None, {"breaks": []})))
    paused.client.on(
        "px_break_request", replies("px_break_reply", (None, {"status": "error", "why": "nothing runs there"}))
    )
    with pytest.raises(UsageError, match="no breakpoint was set"):
        paused.session.debugger.add_breakpoint(file="sim.py", line=999)
    assert paused.shown() == "0-3: nothing runs there\n"
    with pytest.raises(UsageError, match="'x =' is no expression"):
        paused.session.debugger.add_breakpoint(file="sim.py", line=1, condition="x =")


def test_a_restart_says_which_watches_it_ends(paused):
    """They belong to frames; breakpoints are told to the new processes."""
    paused.client.on("px_breaks_request", replies("px_breaks_reply", (None, {"breaks": []})))
    told = {"status": "ok", "cost": 1e-6, "file": FILE, "line": 3, "function": "main"}
    paused.client.on("px_break_request", replies("px_break_reply", (None, told)))
    paused.session.debugger.watch("u.min() < 0")
    paused.shown()
    row = {"number": 1, "watch": "u.min() < 0", "function": "main", "file": FILE, "stopped": 0}
    paused.client.on("px_breaks_request", replies("px_breaks_reply", (None, {"breaks": [row]})))

    def restart(asked):
        paused.client.set_state("0-3", activity="starting")
        paused.client.set_state("0-3", activity="idle")
        return [Said("px_restart_reply", {"status": "ok"})]

    paused.client.on("px_restart_request", restart)
    paused.session.restart()
    assert paused.shown().endswith("watches have ended with their frames: 1 (u.min() < 0) on 0-3\n")
    paused.session.restart()
    assert "watches" not in paused.shown()


def test_a_watch_says_what_it_costs(paused):
    paused.client.on("px_breaks_request", replies("px_breaks_reply", (None, {"breaks": []})))
    told = {"status": "ok", "file": FILE, "line": 87, "function": "main"}
    costs = ("0-2", {**told, "cost": 2e-6}), ("3", {**told, "cost": 3.1e-6})
    paused.client.on("px_break_request", replies("px_break_reply", *costs))
    paused.session.debugger.watch("u.min() < 0")
    assert paused.shown() == (
        "watch 1 on 0-3: stops when u.min() < 0 becomes true, in main; "
        "each line of Python there takes up to 3.1 µs longer now, until it is cleared\n"
    )


def test_breakpoints_are_listed_with_their_ranks(paused):
    row = {"number": 1, "file": "sim.py", "line": 88, "condition": "x > 1", "once": True, "hits": 3, "stopped": 0}
    watch = {"number": 2, "watch": "x", "function": "main", "file": FILE, "stopped": 1}
    answers = ("0-1", {"breaks": [row, watch]}), ("2-3", {"breaks": [row]})
    paused.client.on("px_breaks_request", replies("px_breaks_reply", *answers))
    paused.session.debugger.breakpoints()
    assert paused.shown() == (
        "[0-3]  1  sim.py:88  once  from hit 3 on  if x > 1\n"
        "[0-1]  2  watch x, in main  has stopped 1 time\n"
    )  # fmt: skip


def test_clearing_is_told_for_its_ranks_and_unknown_numbers_are_refused(paused):
    cleared = replies("px_clear_reply", ("0-1", {"cleared": [1]}), ("2-3", {"cleared": []}))
    paused.client.on("px_clear_request", cleared)
    assert str(paused.session.debugger.clear([1])) == "0-1"
    assert paused.shown() == "1 cleared on 0-1\n"
    with pytest.raises(UsageError, match="there is no breakpoint 7"):
        paused.session.debugger.clear([7])
    paused.client.on("px_clear_request", replies("px_clear_reply", (None, {"cleared": []})))
    with pytest.raises(UsageError, match="there are no breakpoints"):
        paused.session.debugger.clear()
    paused.client.on("px_breaks_request", replies("px_breaks_reply", (None, {"breaks": []})))
    paused.shown()
    paused.session.debugger.breakpoints()
    assert paused.shown().startswith("there are no breakpoints.  One: %pxdebug break")


# Escalation.


def test_escalation_ends_with_the_signal_that_works(make_stage):
    """INT for all, then the next only for those that are still there."""
    stage = make_stage()
    stage.client.set_state("0-3", activity="busy", cell="run")

    def signalled(asked):
        if asked.content["signal"] == 2:
            stage.client.set_state("0-1", activity="idle")
        if asked.content["signal"] == 15:
            stage.client.set_state("2", activity="ended", liveness="dead", exit=-15)
        if asked.content["signal"] == 9:
            stage.client.set_state("3", activity="busy", liveness="dead", exit=-9)
        return [Said("px_signal_reply", {"outcome": "sent"})]

    stage.client.on("px_signal_request", signalled)
    assert str(stage.session.escalate(seconds=0.01)) == "0-3"
    asked = [(one.content["signal"], str(one.ranks)) for one in stage.client.asked_for("px_signal_request")]
    assert asked == [(2, "0-3"), (15, "2-3"), (9, "3")]
    assert stage.shown().splitlines()[-1] == "0-3 have ended or are idle"


def test_what_even_kill_does_not_end_is_told(make_stage):
    stage = make_stage()
    stage.client.set_state("0-3", activity="busy", cell="run")
    stage.client.on("px_signal_request", replies("px_signal_reply", (None, {"outcome": "sent"})))
    assert not stage.session.escalate(RankSet.of(3), seconds=0.01)
    assert stage.shown().splitlines()[-1] == "3 not ended by KILL within 0.01 s"


def test_escalation_on_a_part_of_an_mpich_job_needs_a_yes(paused):
    """P8: the whole job would end."""
    with pytest.raises(UsageError, match=r"--escalate --yes"):
        paused.session.escalate(RankSet.of(3))
