"""Tests of cells: places, refusals, order, Ctrl-C, time limits, late answers."""

import pytest

from pxshell.errors import RankSetError, UsageError
from pxshell.ranks import RankSet
from pxshell.session.flight import Flight
from pxshell.session.waiting import Waiting
from pxshell.testing.scripted import Said, check_client


def places_of(stage):
    return [asked.content["places"] for asked in stage.client.asked_for("execute_request")]


def test_one_request_carries_number_file_name_and_places(stage):
    stage.session.run_cell("x = 1")
    stage.session.run_cell("y = 2", RankSet.of(2))
    first, second = stage.client.asked_for("execute_request")
    assert (first.content["cell"], first.content["filename"]) == (1, "<px cell 1>")
    assert (second.content["cell"], second.content["filename"]) == (2, "<px cell 2>")
    assert (str(second.ranks), second.content["places"]) == ("2", [["idle", "2"]])
    assert first.content["queue"] is False


def test_a_syntax_error_is_said_once_and_sent_nowhere(stage):
    outcome = stage.session.run_cell("print((")
    assert (outcome.status, outcome.exit_status) == ("refused", 1)
    assert stage.shown() == "not run: SyntaxError: '(' was never closed, line 1:  print((\n"
    assert stage.client.asked == []


GOOD = ["await f()", "%timeit x", "!ls", "%%time\nx = 1", "x?", "files = !ls", "cd ..", "ls -l", "if x:\n    y", ""]


@pytest.mark.parametrize("code", GOOD)
def test_what_ipython_understands_is_no_syntax_error(stage, code):
    assert stage.session.run_cell(code).status == "ok"


def test_in_paused_ranks_a_cell_runs_in_the_frame_of_the_pause(stage):
    stage.client.set_state("0-1", activity="paused", cell="run", pause="p1", file="sim.py", line=3)
    stage.session.run_cell("x = 1")
    assert places_of(stage) == [[["frame:p1", "0-1"], ["idle", "2-3"]]]


def test_on_held_ranks_an_expression_is_looked_at_from_the_side(stage):
    stage.client.set_state("2", activity="held", cell="run", pause="p1")
    stage.session.run_cell("x + 1")
    assert places_of(stage) == [[["idle", "0-1,3"], ["peek", "2"]]]


@pytest.mark.parametrize("code", ["x = 1", "(x := 1)", "await x", "%matplotlib", "x; y"])
def test_any_other_cell_for_a_held_rank_runs_on_none(stage, code):
    """Ranks never diverge by accident."""
    stage.client.set_state("2", activity="held", cell="run", pause="p1")
    assert stage.session.run_cell(code).status == "refused"
    assert stage.shown().startswith("not run: 2 is held in C, where only one expression can be looked at.  ")
    assert stage.client.asked == []


def test_a_dead_rank_in_the_focus_is_refused_in_one_line(stage):
    """P10: what, why, what to do; nothing is changed."""
    stage.client.set_state("3", activity="busy", liveness="dead", exit=-9)
    stage.shown()
    stage.session.run_cell("x")
    assert stage.shown() == (
        "not run: 3 died: signal 9 (KILL).  On the others: %pxfocus -3   Start all anew: %pxrestart\n"
    )
    stage.client.set_state("3", activity="ended", liveness="dead", exit=1)
    stage.shown()
    stage.session.run_cell("x")
    assert "3 ended: exit 1" in stage.shown()


def test_a_queued_cell_waits_for_the_script(stage):
    stage.client.set_state("0-3", activity="busy", cell="run")
    assert stage.session.run_cell("x", queue=True).status == "ok"
    assert stage.client.asked[0].content["queue"] is True


def test_a_peek_takes_one_expression(stage):
    stage.session.run_cell("x = 1", peek=True)
    assert stage.shown() == "not run: --peek takes one expression, which changes nothing\n"


def test_a_long_or_changing_cell_is_not_repeated_in_the_refusal(stage):
    stage.client.set_state("0", activity="busy", cell="run")
    stage.session.run_cell("x = 1")
    assert stage.shown() == (
        "not run: 0 is running a script.  Pause: %pxsignal pause --sync EXPR   Only look: %px --peek EXPR\n"
    )


def test_the_ranks_own_refusal_is_shown_with_its_ranks(stage, say):
    stage.on_cell("x", Said("execute_reply", {"status": "refused", "why": "it is busy"}, "1"), say.result("1", "0,2-3"))
    assert stage.session.run_cell("x").status == "refused"
    assert stage.shown() == "[0,2-3]  1\n[1]      not run: it is busy\n"


def test_a_rank_that_dies_in_a_cell_is_missing_with_the_reason(stage, say):
    """P3: everyone accounted for."""
    stage.on_cell("x", say.result("1", "0-2"), Said("px_missing", {"why": "died: signal 9 (KILL)"}, "3"))
    assert stage.session.run_cell("x").status == "missing"
    assert stage.shown() == "[0-2]  1\n[3]    no answer: died: signal 9 (KILL)\n"


def test_output_comes_before_answers_and_what_follows_an_answer_after_it(stage, say):
    """P1: each rank's own order."""
    stage.on_cell(
        "x",
        say.printed("before\n", "0-3"),
        say.result("1", "0"),
        say.printed("after\n", "0-3"),
        say.result("1", "1-3"),
    )
    stage.session.run_cell("x")
    assert stage.shown() == "[0-3]  before\n[1-3]  after\n[0-3]  1\n[0]    after\n"


def test_not_live_the_fold_of_the_cell_is_shown_at_the_end(stage, say):
    stage.session.config.live = False
    stage.on_cell(
        "x", say.printed("a\n", "0-1"), say.printed("a\n", "2-3"), say.printed("b\n", "3"), say.result("1", "0-3")
    )
    stage.session.run_cell("x")
    assert stage.shown() == "[0-3]  a\n[3]    b\n[0-3]  1\n"


def test_escape_sequences_of_ranks_do_not_reach_the_terminal(stage, say):
    stage.on_cell("x", say.printed("\x1b[31mred\x1b]0;title\x07\x08\n", "0"), say.result("\x1b[2J1", "0-3"))
    stage.session.run_cell("x")
    assert stage.shown() == "[0]    red\n[0-3]  1\n"


def test_odd_without_a_majority_is_refused_with_the_reason(stage, say):
    """P10: an answer was printed, so it is not said that none was."""
    stage.on_cell("rank", *(say.result(str(rank), str(rank)) for rank in range(4)))
    stage.session.run_cell("rank")
    with pytest.raises(RankSetError, match="no @odd: the last answer had no majority"):
        stage.session.ranks("@odd")


def test_odd_are_those_outside_the_majority_of_the_last_answer(stage, say):
    stage.on_cell("x", say.result("1", "0-2"), say.result("2", "3"))
    stage.session.run_cell("x")
    assert str(stage.session.ranks("@odd")) == "3"
    stage.session.run_cell("y = 1")
    with pytest.raises(UsageError, match="no @odd"):
        stage.session.ranks("@odd")


def test_input_is_asked_here_and_the_prompt_names_the_rank(make_stage):
    stage = make_stage("Ada")
    stage.on_cell("input('name? ')", Said("input_request", {"prompt": "name? ", "password": False}, "2"))
    stage.session.run_cell("input('name? ')")
    assert stage.display.questions == ["[2] name? "]
    assert stage.client.told == [("input_reply", {"value": "Ada"}, RankSet.of(2))]


def test_ranks_that_ask_together_are_answered_by_rank(make_stage):
    """Whatever the order in which their questions come."""
    stage = make_stage("a", "b", "c", "d")
    stage.on_cell("input()", *[Said("input_request", {"prompt": "who? "}, rank) for rank in ("3", "0", "2", "1")])
    stage.session.run_cell("input()")
    assert stage.display.questions == ["[0] who? ", "[1] who? ", "[2] who? ", "[3] who? "]
    assert [str(ranks) for _, _, ranks in stage.client.told] == ["0", "1", "2", "3"]


def test_an_interrupt_forgets_what_ranks_have_asked(stage, monkeypatch):
    """Their `input()` has been interrupted: an answer would reach nobody."""
    code = open_cell(stage)
    error = {"status": "error", "ename": "KeyboardInterrupt", "evalue": "", "traceback": []}

    def stop(prompt, *, password=False):
        stage.display.questions.append(prompt)
        raise KeyboardInterrupt

    def end_it(asked):
        answer_now(stage, "0-3", **error)
        return [Said("interrupt_reply", {"outcome": "interrupted"})]

    monkeypatch.setattr(stage.display, "ask", stop)
    stage.client.on("execute_request", lambda asked: [Said("input_request", {"prompt": ""}, r) for r in "3210"])
    stage.client.on("interrupt_request", end_it)
    assert stage.session.run_cell(code).status == "error"
    assert stage.display.questions == ["[0] "]


def test_with_nobody_to_ask_input_ends_as_at_the_end_of_a_file(stage):
    stage.on_cell("input()", Said("input_request", {"prompt": ""}, "2"))
    stage.session.run_cell("input()")
    assert stage.client.told[0][1] == {"value": "\x04"}


def test_a_script_that_asks_is_answered_before_the_next_prompt(make_stage):
    stage = make_stage("yes")
    stage.client.say(Said("input_request", {"prompt": "go on? "}, "0"))
    assert stage.shown() == "0 asks: go on?  (answer it before the next prompt)\n"
    assert stage.client.told == []
    stage.session.answer_asks()
    assert stage.client.told == [("input_reply", {"value": "yes"}, RankSet.of(0))]


def test_scripts_that_ask_are_answered_by_rank(make_stage):
    stage = make_stage("a", "b")
    for rank in ("2", "0"):
        stage.client.say(Said("input_request", {"prompt": "go on? "}, rank))
    stage.session.answer_asks()
    assert [str(ranks) for _, _, ranks in stage.client.told] == ["0", "2"]


def open_cell(stage, code="long()"):
    """Let ranks answer nothing until told, but where they are."""
    stage.client.on("execute_request", lambda asked: [])
    entries = [["<px cell 1>", 1, "<module>", True]]
    stage.client.on("px_stacks_request", lambda asked: [Said("px_stacks_reply", {"entries": entries})])
    return code


def answer_now(stage, ranks="0-3", **content):
    request = next(request for request in stage.client.requests.values() if request.account.pending)
    stage.client.say(Said("execute_reply", {"status": "ok", **content}, ranks), request)


def test_a_time_limit_gives_the_prompt_back_and_a_late_answer_is_a_notice(stage, say):
    """P3: a reply after its deadline is a notice and enters history."""
    code = open_cell(stage)
    assert stage.session.run_cell(code, timeout=0.01).status == "running"
    assert stage.shown() == "cell 1 not done within 0.01 s: 0-3 run on.  See: %pxresult 1\n"
    request = stage.client.requests["request-1"]
    stage.client.say(say.printed("at last\n", "0"), request)
    stage.client.say(say.result("7", "0-3"), request)
    assert stage.shown() == "[0]    at last\n"
    answer_now(stage, "0-2")
    assert stage.shown() == ""
    assert [missing.why for missing in stage.session.result(1).missing] == ["still running"]
    answer_now(stage, "3")
    assert stage.shown() == "cell 1 done on 0-3.  See: %pxresult 1\n"
    assert stage.session.result(1).answers[0].text == "7"


def test_not_waited_for_a_cell_tells_when_it_is_done(stage, say):
    code = open_cell(stage)
    assert stage.session.run_cell(code, wait=False).status == "running"
    stage.client.say(*say.failed("KeyError", "'a'", "0-3")[1:], stage.client.requests["request-1"])
    assert stage.shown() == "cell 1 failed on 0-3.  See: %pxresult 1\n"
    with pytest.raises(UsageError, match="cell 9 is not kept; there are 1 to 1"):
        stage.session.result(9)


def interrupted(monkeypatch, times, then=None):
    """Raise KeyboardInterrupt where the cell is waited for, so many times."""
    take, left = Flight.take, [None] * times

    def interrupted_take(self, timeout):
        if left and timeout > 0:
            left.pop()
            raise KeyboardInterrupt
        if then and timeout > 0:
            then()
        take(self, timeout)

    monkeypatch.setattr(Flight, "take", interrupted_take)


def test_ctrl_c_interrupts_the_ranks_and_shows_their_answers(stage, monkeypatch):
    code = open_cell(stage)
    error = {"status": "error", "ename": "KeyboardInterrupt", "evalue": "", "traceback": []}

    def end_it(asked):
        answer_now(stage, "0-3", **error)
        return [Said("interrupt_reply", {"outcome": "interrupted"})]

    stage.client.on("interrupt_request", end_it)
    interrupted(monkeypatch, 1)
    assert stage.session.run_cell(code).status == "error"
    assert stage.client.asked_for("interrupt_request")[0].content == {"cell": "request-1"}
    assert "KeyboardInterrupt" in stage.shown()


@pytest.mark.parametrize("ctrl_c", [0, 1])
def test_a_cell_that_ranks_stand_in_gives_the_prompt_back(stage, monkeypatch, ctrl_c):
    """P3: nothing comes until they are let go, for which one has to type; and nobody waits in C."""
    code = open_cell(stage)
    interrupted(monkeypatch, ctrl_c)
    stage.client.on("interrupt_request", lambda asked: [Said("interrupt_reply", {"outcome": "interrupted"})])

    def stop(asked):
        stage.client.set_state("2", activity="paused", cell=asked.id, pause="p1", file="<px cell 1>", line=1)
        return []

    stage.client.on("execute_request", stop)
    outcome = stage.session.run_cell(code, RankSet.of(2))
    assert (outcome.status, outcome.exit_status) == ("stopped", 0)
    assert "cell 1 is not done: 2 stands in it.  On: %pxsignal resume   See: %pxresult 1\n" in stage.shown(200)
    answer_now(stage, "2")
    assert stage.shown() == "cell 1 done on 2.  See: %pxresult 1\n"


def test_ctrl_c_twice_gives_the_prompt_back_and_leaves_them_running(stage, monkeypatch):
    code = open_cell(stage)
    interrupted(monkeypatch, 2)
    assert stage.session.run_cell(code).status == "running"
    assert stage.shown(200) == (
        "cell 1 left: 0-3 run on at cell 1, line 1: long().  See: %pxresult 1   "
        "End them: %pxsignal KILL -t 0-3   Start anew: %pxrestart\n"
    )


def test_ranks_that_ctrl_c_cannot_free_are_said_with_their_place_and_the_way_out(make_stage, monkeypatch):
    """At 2 a.m.: where they are, why Ctrl-C does nothing, and which rank could send what they wait for."""
    stage = make_stage(mpi="MPICH 5.0.2")
    entries = [["<px cell 1>", 2, "<module>", True], ["/lib/mpi4py/x.py", 9, "wait", False]]
    deep = [["<px cell 1>", 2, "<module>", True], ["/home/me/halo.py", 12, "swap", True]]
    stacks = [
        Said("px_stacks_reply", {"entries": entries}, "0-1"),
        Said("px_stacks_reply", {"entries": deep}, "2"),
    ]
    code = open_cell(stage, "import x\ncomm.Barrier()")
    stage.client.on("px_stacks_request", lambda asked: stacks)
    interrupted(monkeypatch, 2)
    stage.session.run_cell(code, RankSet.parse_folded("0-2"))
    assert stage.shown(300) == (
        "cell 1 left: 0-2 run on, 0-1 at cell 1, line 2: comm.Barrier(); 2 at halo.py:12 in swap.  See: %pxresult 1   "
        "Ctrl-C does not end a call of MPI; let 3 do what they wait for: %px -t 3 CODE   Start all anew: %pxrestart\n"
    )


def test_a_rank_that_does_not_say_where_it_is_is_told_all_the_same(stage, monkeypatch):
    """P6: nobody in its process can answer; that is an answer too."""
    monkeypatch.setattr("pxshell.session.running_on._LIMIT_S", 0.01)
    code = open_cell(stage)
    stage.client.on("px_stacks_request", lambda asked: [])
    interrupted(monkeypatch, 2)
    stage.session.run_cell(code, RankSet.of(1))
    assert "1 runs on, 1: no answer within 0.01 s." in stage.shown(300)


def test_ranks_that_cannot_be_interrupted_are_left_running(stage, monkeypatch):
    code = open_cell(stage)
    stage.session.config.interrupt_deadline = 0.01
    interrupted(monkeypatch, 1)
    assert stage.session.run_cell(code).status == "running"
    assert stage.shown().startswith("cell 1 not interrupted within 0.01 s, for it waits in C: 0-3 run on at")


def test_progress_says_who_is_waited_for_and_where_the_slowest_is(stage, monkeypatch):
    """P3: nothing waits for ever unseen."""
    code = open_cell(stage)
    stage.session.config.progress_after = 0
    stage.client.set_state("3", activity="busy", file="/a/hang.py", line=20, function="fetch")
    stage.client.set_state("0", activity="idle")
    looks = []

    def answer_when_shown():
        looks.append(1)
        if len(looks) == 2:
            answer_now(stage, "1-3")

    interrupted(monkeypatch, 0, answer_when_shown)
    stage.session.run_cell(code, RankSet.parse_folded("3"))
    shown = [progress for progress in stage.display.progresses if progress]
    assert (str(shown[0].waiting), shown[0].where) == ("3", "at hang.py:20 in fetch")
    assert stage.display.progresses[-1] is None


def test_where_a_rank_is_is_asked_when_its_state_does_not_say(stage):
    code = open_cell(stage)
    stage.session.config.progress_after = 0
    entries = [["sim.py", 3, "main", True], ["halo.py", 9, "swap", True], ["threading.py", 1, "wait", False]]
    stacks = [Said("px_stacks_reply", {"entries": entries})]
    stage.client.on("px_stacks_request", lambda asked: stacks)
    clock = iter(range(9))
    request = stage.client.request("execute_request", {"code": code}, RankSet.of(1))
    waiting = Waiting(stage.session._desk, request, lambda: next(clock))
    waiting.look()
    waiting.look()
    waiting.end()
    assert [one.where for one in stage.display.progresses if one] == ["", "at halo.py:9 in swap"]


def test_exit_status_is_that_of_the_worst_rank(stage, say):
    stage.on_cell("exit(rank)", *say.failed("SystemExit", "3", "3"), *say.failed("SystemExit", "0", "0"))
    assert stage.session.run_cell("exit(rank)").exit_status == 3
    stage.on_cell("bad", *say.failed("KeyError", "3", "3"))
    assert stage.session.run_cell("bad").exit_status == 1


def test_focus_if_takes_the_ranks_where_an_expression_is_true(stage, say):
    stage.client.set_state("1", activity="busy", cell="run")
    stage.on_cell(
        "bool(u > 1)", say.result("True", "1-2"), say.result("False", "0"), *say.failed("NameError", "u", "3")
    )
    stage.session.set_focus("if u > 1")
    assert stage.shown() == "u > 1 on 3: NameError: u\nfocus: 1-2 (of 0-3)\n"
    assert places_of(stage) == [[["idle", "0,2-3"], ["peek", "1"]]]


@pytest.mark.parametrize(("text", "why"), [("if x = 1", "is no expression"), ("if x", "x is true on no rank")])
def test_an_empty_focus_is_refused_and_the_focus_stays(stage, text, why):
    with pytest.raises(UsageError, match=why):
        stage.session.set_focus(text)
    assert str(stage.session.focus) == "0-3"


def test_the_scripted_client_keeps_the_promises_of_a_client(stage):
    """The real client is held to the same function."""

    def printing(asked):
        return [Said("stream", {"name": "stdout", "text": "hello\n"}), Said("execute_reply", {"status": "ok"})]

    stage.client.on("execute_request", printing)
    check_client(stage.client, lambda text: {"code": f"print({text!r}, end='')"})
