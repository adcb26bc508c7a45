"""What a session tells unasked: deaths, restarts, editors, breakpoints, ends of scripts."""

import re

from session.stops import PLACE, stop_at

from pxshell.protocol.state import EDITOR_BREAKPOINT
from pxshell.testing.scripted import Said
from pxshell.testing.waiting import wait_until


def test_a_death_is_told_with_signal_or_status(stage):
    stage.client.set_state("3", activity="busy", liveness="dead", exit=-9)
    stage.client.set_state("2", activity="idle", liveness="dead", exit=1)
    stage.client.set_state("1", activity="idle", liveness="dead")
    stage.client.set_state("1", activity="idle", liveness="dead")
    assert stage.shown() == "3 died: signal 9 (KILL)\n2 died: exit 1\n1 died: gone, status unknown\n"


def test_a_rank_that_does_not_answer_is_told_and_that_it_is_back(stage):
    stage.client.set_state("2", activity="busy", liveness="unresponsive")
    stage.client.set_state("2", activity="busy", liveness="ok")
    assert stage.shown() == "2 does not answer (unresponsive)\n2 answers again\n"


def test_a_restart_by_another_front_end_is_one_line(running):
    """Neither deaths that somebody asked for, nor a line for each rank that is back."""
    for rank in "0213":
        running.client.set_state(rank, activity="busy", cell="run", liveness="dead", exit=-9, reason="restart")
    for rank in "3120":
        running.client.set_state(rank, activity="starting")
    assert running.gathered() == "0-3 started anew\n"


def test_ranks_whose_death_is_not_said_any_more_are_told_as_started_anew(running):
    """The new process may be there before the old one is buried; one that did not answer is no `answers again`."""
    running.client.set_state("1", activity="busy", cell="run", liveness="unresponsive")
    running.shown()
    for rank in "20":
        running.client.set_state(rank, activity="starting")
        running.client.set_state(rank, activity="starting")
    running.client.set_state("1", activity="starting")
    assert running.gathered() == "0-2 started anew\n"


def test_a_rank_that_dies_right_after_a_restart_is_told(stage):
    stage.client.set_state("3", activity="busy", liveness="dead", exit=-9, reason="restart")
    stage.client.set_state("3", activity="starting")
    stage.client.set_state("3", activity="starting", liveness="dead", exit=1)
    assert stage.shown() == "3 started anew\n3 died: exit 1\n"


def test_editors_that_come_stop_ranks_and_go_are_told_in_a_line_each(running):
    """Folded, and not again with each cell or step in the stopped frame."""
    debugging = {"activity": "debugging", "cell": "run", "why": "debugged by me@here"}
    for rank in "201":
        running.client.set_state(rank, **debugging)
    for rank in "021":
        for _ in range(2):
            running.client.set_state(rank, **debugging, **PLACE, pause=f"d{rank}-1", reason=EDITOR_BREAKPOINT)
        running.client.set_state(rank, **debugging, **PLACE, pause=f"d{rank}-2", reason="debugger")
    assert running.gathered() == (
        "0-2: an editor has come, debugged by me@here\n0-2: at sim.py:87 in main (breakpoint of the editor)\n"
    )
    for rank in "102":
        running.client.set_state(rank, activity="busy", cell="run")
    assert running.gathered() == "0-2: the editor has gone\n"


def test_an_editor_that_has_gone_before_it_was_told_is_told_of_nowhere(running):
    """Else "has gone" could stand above "has come", and a place where nobody stands any more below."""
    debugging = {"activity": "debugging", "cell": "run", "why": "debugged by me@here"}
    running.client.set_state("0-1", **debugging, **PLACE, pause="d-1", reason=EDITOR_BREAKPOINT)
    running.client.set_state("1", activity="busy", cell="run")
    told = running.gathered()
    assert told == "0: an editor has come, debugged by me@here\n0: at sim.py:87 in main (breakpoint of the editor)\n"


def test_a_breakpoint_in_user_code_is_told_once(running):
    stop_at(running.client, "2", "b1", reason="breakpoint")
    stop_at(running.client, "2", "b1", reason="breakpoint")
    assert running.shown() == "2 paused at sim.py:87 in main (breakpoint)\n"


def test_a_stop_is_told_once_although_ranks_stand_in_several(running):
    """`up` and `down` say the state again; that is no news."""
    for _ in range(2):
        stop_at(running.client, "1", "b1", reason="breakpoint")
        stop_at(running.client, "2-3", "b2", line=88, reason="breakpoint")
    assert running.shown() == (
        "1 paused at sim.py:87 in main (breakpoint)\n2-3 paused at sim.py:88 in main (breakpoint)\n"
    )


def test_ranks_that_end_at_different_times_are_told_together_or_soon(running):
    running.client.set_state("0-2", activity="idle")
    running.client.say(Said("execute_reply", {"status": "ok", "exit": 0}, "0-1"))
    running.client.say(Said("execute_reply", {"status": "error", "exit": 1}, "2"))
    assert running.display.events == []
    first, second = running.gathered().splitlines()
    assert first.startswith("sim.py has ended on 0-1: exit 0, ")
    assert second.startswith("sim.py has ended on 2: exit 1, ")


def test_ranks_that_end_are_told_though_others_run_on(running):
    """Nobody waits for the last of them, which may run for hours."""
    running.session._notices._gather = 0.01
    running.client.set_state("0-2", activity="idle")
    running.client.say(Said("execute_reply", {"status": "ok", "exit": 0}, "0-2"))
    wait_until(lambda: running.display.events, 30, "the end is told")
    assert running.shown().startswith("sim.py has ended on 0-2: exit 0, ")


def test_the_end_of_a_script_says_which_variables_are_left(running):
    """Globals; locals, whose functions have ended, only with the exception that ended them."""
    running.client.set_state("0-3", activity="idle")
    running.client.say(Said("execute_reply", {"status": "ok", "exit": 3}, "0-1"))
    running.client.say(Said("execute_reply", {"status": "error", "exit": 1, "ename": "ValueError"}, "2-3"))
    assert re.sub(r"\d+ s", "N s", running.shown()) == (
        "sim.py has ended on 0-1: exit 3, N s. Its globals are still here.\n"
        "sim.py has ended on 2-3: exit 1, N s. Its globals are still here; its locals: %pxdebug post.\n"
    )


def test_closing_a_session_forgets_the_end_that_it_gathers(running):
    running.client.say(Said("execute_reply", {"status": "ok", "exit": 0}, "0"))
    running.session.close()
    assert running.display.events == []


def test_muted_the_script_is_not_shown_but_notices_are(running, say):
    running.session.config.mute = True
    running.client.say(say.printed("step 1\n", "0"))
    running.client.say(Said("px_notice", {"text": "nothing has moved", "level": "warning"}))
    running.client.say(Said("px_cut", {"bytes": 2000, "lines": 3, "file": "r.log"}, "1"))
    assert running.shown() == "nothing has moved\n2.0 kB of rank 1 cut; all text is in r.log\n"


def test_late_output_of_a_cell_is_shown_once(stage, say):
    """P2: nothing lost, nothing twice."""
    stage.session.run_cell("x = 1")
    late = Said("stream", {"name": "stdout", "text": "from a thread\n"}, "0", late=True)
    stage.client.say(late, stage.client.requests["request-1"])
    assert stage.shown() == "[0]    from a thread\n"
