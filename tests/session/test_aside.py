"""Looks from the side (`--peek`): ranks that cannot answer are named with the answers of the others (P6, P3)."""

import pickle

import pytest

from pxshell.testing.scripted import Said
from pxshell.testing.waiting import wait_until


@pytest.fixture
def stuck(make_stage):
    """Ranks that run a script; 3 answers nobody."""
    stage = make_stage(name="sim-1", script="sim.py")
    stage.client.set_state("0-2", activity="busy", cell="run")
    stage.client.set_state("3", activity="busy", cell="run", liveness="unresponsive")
    stage.session.config.control_deadline = 0.2
    stage.shown()
    return stage


def result(ranks):
    content = {"data": {"text/plain": "41"}, "metadata": {}}
    return [Said("execute_result", content, ranks), Said("execute_reply", {"status": "ok"}, ranks)]


def test_a_rank_that_answers_nobody_is_not_waited_for(stuck):
    """It is stopped, or holds the GIL in C; the node knows."""
    stuck.session.config.control_deadline = 60.0
    stuck.client.on("execute_request", lambda asked: result("0-2"))
    outcome = stuck.session.run_cell("step", peek=True)
    assert outcome.status == "missing"
    assert stuck.shown() == "[0-2]  41\n[3]    no answer: it is stopped, or C code holds its GIL\n"


def test_an_expression_that_does_not_end_is_said_at_the_deadline_and_told_when_it_does(stuck):
    """P3: what comes after its deadline is a notice, and enters the results."""
    stuck.client.set_state("3", activity="busy", cell="run")
    stuck.client.on("execute_request", lambda asked: result("0-2"))
    stuck.shown()
    outcome = stuck.session.run_cell("slow()", peek=True)
    assert stuck.shown() == "[0-2]  41\n[3]    no answer: not within 0.2 s; it goes on in the side thread\n"
    request = next(iter(stuck.client.requests.values()))
    for said in result("3"):
        stuck.client.say(said, request)
    wait_until(lambda: stuck.display.events, 30, "the late answer is told")
    assert stuck.shown() == "cell 1 done on 0-3.  See: %pxresult 1\n"
    assert [answer.text for answer in stuck.session.result(outcome.cell).answers] == ["41"]


def test_a_deadline_of_the_users_counts(stuck):
    stuck.client.set_state("3", activity="busy", cell="run")
    stuck.client.on("execute_request", lambda asked: result("0-2"))
    stuck.shown()
    stuck.session.run_cell("slow()", peek=True, timeout=0.05)
    assert "not within 0.05 s" in stuck.shown()


def test_values_are_fetched_from_those_that_answer(stuck):
    value = Said("px_pull_reply", {"status": "ok"}, "0-2", (pickle.dumps([7]),))
    stuck.client.on("px_pull_request", lambda asked: [value])
    assert stuck.session.pull("step", peek=True) == {0: 7, 1: 7, 2: 7}
    assert stuck.shown() == "[3]  no answer: it is stopped, or C code holds its GIL\n"


def test_a_rank_that_died_is_missing_as_ever(stuck):
    lost = Said("px_missing", {"why": "killed by signal 9"}, "3")
    stuck.client.on("execute_request", lambda asked: [*result("0-2"), lost])
    stuck.session.run_cell("step", peek=True)
    assert stuck.shown() == "[0-2]  41\n[3]    no answer: killed by signal 9\n"
