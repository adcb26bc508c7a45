"""The transcripts of the design, scenes 1 and 2: what a session shows, to the letter."""

import re
import time

import cloudpickle
import numpy as np

from pxshell.session.data import describe
from pxshell.testing.scripted import Said, replies


def test_scene_1_equal_answers_fold_and_odd_ones_stand_out(stage, say):
    """P4: only equal contents fold, an odd rank is never hidden, success and error never fold together."""
    session = stage.session
    assert session.prompt_text() == "px[0-3]"
    stage.on_cell("comm.allreduce(rank)", say.result("6", "0-3"))
    stage.on_cell("x", say.result("nan", "3"), say.result("1.0", "0-2"))
    where = {"cell": 4, "line": 1, "source": "1 / (rank - 2)"}
    error = say.failed("ZeroDivisionError", "division by zero", "2", **where)
    stage.on_cell("1 / (rank - 2)", say.result("-0.5", "0"), *error, say.result("1.0", "3"), say.result("-1.0", "1"))

    assert session.run_cell("from mpi4py import MPI; comm = MPI.COMM_WORLD").status == "ok"
    assert stage.shown() == ""
    session.run_cell("comm.allreduce(rank)")
    assert stage.shown() == "[0-3]  6\n"
    session.run_cell("x")
    assert stage.shown() == (
        "[0-2]  1.0\n"
        "[3]    nan                                                ◀ differs\n"
    )  # fmt: skip
    assert session.run_cell("1 / (rank - 2)").exit_status == 1
    assert stage.shown() == (
        "[0]    -0.5\n"
        "[1]    -1.0\n"
        "[3]    1.0\n"
        "[2]    ZeroDivisionError: division by zero                ◀ failed\n"
        "         cell 4, line 1:  1 / (rank - 2)\n"
    )


def running_script(make_stage):
    stage = make_stage(name="sim-1", mpi="MPICH 5.0.2", script="sim.py", started=time.time() - 31.2)
    stage.client.set_state("0-3", activity="busy", cell="run")
    return stage


def on_sync_pause(client, value=611):
    """Answer a synchronised pause as engines do: armed at once, the stop is a state."""
    place = {"file": "/home/me/sim.py", "line": 87, "function": "main"}
    client.on("px_probe_request", replies("px_probe_reply", (None, {"status": "ok", "value": value, **place})))

    def armed(asked):
        yield Said("px_pause_reply", {"outcome": "pending"})
        client.set_state(
            asked.ranks, activity="paused", cell="run", pause=asked.content["pause"], reason="sync",
            value=asked.content["target"], **place,
        )  # fmt: skip

    def resumed(asked):
        yield Said("px_resume_reply", {"outcome": "resumed"})
        client.set_state(asked.ranks, activity="busy", cell="run")

    client.on("px_pause_request", armed)
    client.on("px_resume_request", resumed)


def without_seconds(text):
    assert text.endswith(" s)\n")
    return text.rpartition(" (")[0]


def test_scene_2_a_running_simulation_is_paused_looked_at_repaired_and_resumed(make_stage, say):
    """P5 as the user sees it."""
    stage = running_script(make_stage)
    session = stage.session
    stage.client.say(say.printed("step 500  mass 4096.000\n", "0"))
    assert stage.shown() == "[0]    step 500  mass 4096.000\n"

    assert session.prompt_text() == "px[0-3] running"
    session._desk.sync_expression = "step"
    assert session.run_cell("u.shape").status == "refused"
    assert stage.shown() == (
        "not run: 0-3 are running sim.py.  Pause: %pxsignal pause --sync step   Only look: %px --peek u.shape\n"
    )
    assert stage.client.asked_for("execute_request") == []

    on_sync_pause(stage.client)
    session.pause(sync="step")
    assert without_seconds(stage.shown()) == "0-3 paused at sim.py:87 in main, step = 613 on all"
    assert session.prompt_text() == "px[0-3] sim.py:87"

    stage.on_cell("int(np.isnan(u).sum())", say.result("0", "0-2"), say.result("481", "3"))
    session.run_cell("int(np.isnan(u).sum())")
    assert stage.shown() == (
        "[0-2]  0\n"
        "[3]    481                                                ◀ differs\n"
    )  # fmt: skip
    session.set_focus("@odd")
    assert stage.shown() == "focus: 3 (of 0-3)\n"
    assert session.prompt_text() == "px[3] sim.py:87"

    field = cloudpickle.dumps(np.zeros((64, 64)), protocol=5)
    pulled = [Said("px_pull_reply", {"status": "ok"}, str(rank), (_listed(field),)) for rank in range(4)]
    stage.client.on("px_pull_request", lambda asked: pulled)
    parts = session.pull("u", session.ranks("all"))
    assert describe(parts) == "4 arrays here, float64 (64, 64), 131 kB"

    session.run_cell("u[np.isnan(u)] = 1.0")
    assert stage.shown() == ""
    session.resume()
    assert stage.shown() == "0-3 resumed\n"

    stage.client.say(say.printed("step 5000  mass 4095.871  checksum 9f3c1a77\n", "0"))
    stage.client.set_state("0-3", activity="idle")
    stage.client.say(Said("execute_reply", {"status": "ok", "exit": 0}))
    step, end = stage.shown().splitlines()
    assert step == "[0]    step 5000  mass 4095.871  checksum 9f3c1a77"
    (seconds,) = re.findall(r"exit 0, (\d+) s", end)
    assert end == f"sim.py has ended on 0-3: exit 0, {seconds} s. Its globals are still here."
    assert int(seconds) >= 31


def _listed(field):
    import pickle

    return pickle.dumps([pickle.loads(field)], protocol=5)


def test_scene_3_a_look_at_a_rank_that_hangs_goes_through_the_side_thread(make_stage, say):
    """P6: always reachable."""
    stage = running_script(make_stage)
    stage.session.set_focus("3")
    stage.shown()
    stage.on_cell("(source, tag)", say.result("(1, 5)", "3"))
    stage.session.run_cell("(source, tag)", peek=True)
    assert stage.shown() == "[3]    (1, 5)\n"
    assert stage.client.asked_for("execute_request")[0].content["places"] == [["peek", "3"]]


def test_an_unsynchronised_pause_teaches_the_synchronised_one(make_stage):
    """Of an MPI program some ranks always wait in C: the line says how to stop all at the same step."""
    stage = running_script(make_stage)
    stage.session._desk.sync_expression = "step"
    place = {"file": "sim.py", "line": 87, "function": "main"}
    values = ("0", {"status": "ok", "value": 41, **place}), ("1", {"status": "ok", "value": 42, **place})
    stage.client.on("px_probe_request", replies("px_probe_reply", *values))

    def paused(asked):
        stage.client.set_state("0-1", activity="paused", cell="run", pause=asked.content["pause"], **place)
        stage.client.set_state("2-3", activity="held", cell="run", pause=asked.content["pause"])
        yield Said("px_pause_reply", {"outcome": "paused", **place}, "0-1")
        yield Said("px_pause_reply", {"outcome": "held"}, "2-3")

    stage.client.on("px_pause_request", paused)
    stage.session.pause()
    assert stage.shown() == (
        "0-1 paused at sim.py:87 (step 41, 42), 2-3 held in MPI. Same step on all: %pxsignal pause --sync step\n"
    )
