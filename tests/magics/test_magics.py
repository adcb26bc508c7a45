"""The magics in an IPython: one table of what is typed, what is sent, and what is shown."""

import numpy as np
import pytest

from pxshell.testing.scripted import Said, replies
from pxshell.values.survey import answer

WITHOUT = "no cluster: %pxcluster start -n 4 [--mpi] | attach [NAME] | list | stop\n"

#: What is typed, the cells that are sent (code, ranks), and what is shown.
CASES = [
    ("%px x = 1", [("x = 1", "0-3")], ""),
    ("%px -u.max()", [("-u.max()", "0-3")], ""),
    ("%px print('a   b')", [("print('a   b')", "0-3")], ""),
    ("%px print('{x} $y')", [("print('{x} $y')", "0-3")], ""),
    ("%px -t 0-1 x", [("x", "0-1")], ""),
    ("%px -t ::2 x", [("x", "0,2")], ""),
    ("%%px --targets 3\nx = 1\ny = 2\n", [("x = 1\ny = 2\n", "3")], ""),
    ("%%px x = 1\ny = 2\n", [("x = 1\ny = 2\n", "0-3")], ""),
    ("%px --verbose x", [("x", "0-3")], "runs on 0-3\n"),
    ("%px -a x", [("x", "0-3")], "cell 1 done on 0-3.  See: %pxresult 1\n"),
    ("%px --noblock x", [("x", "0-3")], "cell 1 done on 0-3.  See: %pxresult 1\n"),
    ("%px", [], "no code to run: %px CODE, or %%px above a cell\n"),
    ("%px x = = 1", [], "not run: SyntaxError: invalid syntax, line 1:  x = = 1\n"),
    ("%px -t 7 x", [], "rank 7 does not exist; there are 0-3 (in '7', at 1)\n"),
    ("%pxfocus", [], "focus: 0-3\n"),
    ("%pxfocus 1-2", [], "focus: 1-2 (of 0-3)\n"),
    ("%pxfocus -0", [], "focus: 1-3 (of 0-3)\n"),
    ("%pxfocus --name left 0-1", [], "@left: 0-1\n"),
    ("%pxfocus @paused", [], "this selects no rank (in '@paused', at 1)\n"),
    ("%pxsignal", [], "which? %pxsignal pause | resume | abort | INT TERM KILL USR1 ... | --escalate\n"),
    ("%pxsignal pause", [], "not paused: 0-3 are idle, running no script\n"),
    ("%pxsignal resume", [], "no rank is paused\n"),
    ("%pxsignal resume --sync x", [], "--sync belongs to pause and takes an expression: %pxsignal pause --sync step\n"),
    ("%pxsignal HUG", [], ("there is no signal 'HUG'; there are pause, resume, INT, TERM, KILL, USR1, STOP, CONT"
                          " and the system's others\n")),
    ("%pxsignal INT 3", [], "%pxsignal INT takes no '3'; ranks: -t RANKS\n"),
    ("%pxstatus", [], "cluster calm-fox, 4 ranks\n[0-3]  idle\n"),
    ("%pxresult", [], "no cell has run in this session; run one: %px CODE\n"),
    ("%pxresult now", [], "'now' is no number of a cell: %pxresult [CELL | h12] [--all] | --list\n"),
    ("%pxlog x", [], "'x' is no rank: %pxlog 3\n"),
    ("%pxlog 9", [], "there is no rank 9; there are 0-3\n"),
    ("%pxconfig --colour", [], None),
    ("%pxpush nothing_here", [], ("there is no nothing_here here; make it: %local nothing_here = ...,"
                                 " or %pxpush nothing_here=EXPR\n")),
    ("%pxpush f=(i for i in [])", [], ("f cannot be pickled (cannot pickle 'generator' object);"
                                      " make it on the ranks instead: %px CODE\n")),
    ("%pxpull u", [], "what, and where to? %pxpull EXPR -o NAME [-t RANKS]\n"),
    ("%pxpull x=1 -o y", [], "'x=1' is no expression: %pxpull u[0] -o NAME\n"),
    ("%pxdiff", [], "of what? %pxdiff EXPR\n"),
    ("%pxdiff x=1", [], "'x=1' is no expression: %pxdiff u.max()\n"),
    ("%pxdiff u --rtol small", [], "'small' is no tolerance; one is a number, as 1e-6\n"),
    ("%pxdiff u --rtol 2", [], "a tolerance is 0 or more (rtol below 1), not rtol 2, atol 0\n"),
    ("%pxdiff -t 7 u", [], "rank 7 does not exist; there are 0-3 (in '7', at 1)\n"),
    ("%pxdiff -t 0-1 u -- -t 1-3", [], ("0-1 and 1-3 are 2 and 3 ranks, which make no pairs;"
                                       " name as many on both sides, or one on one\n")),
    ("%pxplot", [], "of what? %pxplot EXPR\n"),
    ("%pxplot u --grid 3", [], "a grid of 3 has 3 ranks, and 0-3 are 4\n"),
    ("%pxcluster", [], "%pxcluster start -n 4 [--mpi] [--mesh dp=2,tp=2] | attach [NAME] | list | stop\n"),
    ("%pxcluster start -n 0", [], "-n takes a number of ranks from 1 on, not '0'\n"),
    ("%pxcluster start -n 4", [], "this session is on cluster calm-fox; stop it first: %pxcluster stop\n"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "sent", "shown"), CASES, ids=[case[0] for case in CASES])
def test_a_magic_sends_and_shows_what_the_table_says(magician, line, sent, shown):
    text = magician.run(line)
    assert magician.sent() == sent
    if shown is not None:
        assert text == shown


FAMILY = ["px 1", "pxfocus", "pxsignal INT", "pxstatus", "pxresult", "pxlog", "pxconfig", "autopx", "pxpush x",
          "pxpull x -o y", "pxrestart", "pxdiff x", "pxplot x", "pxcluster stop"]  # fmt: skip


@pytest.mark.parametrize("line", FAMILY)
def test_without_a_cluster_every_magic_says_how_to_start_one(alone, line):
    """P10: one line: what, why, what to do."""
    assert alone.run(f"%{line}") == WITHOUT
    assert alone.holder.has_failed


def test_answers_are_kept_here_as_a_mapping(magician):
    result = {"data": {"text/plain": "6"}, "metadata": {}}
    magician.client.on(
        "execute_request", lambda asked: [Said("execute_result", result), Said("execute_reply", {"status": "ok"})]
    )
    values = [Said("px_pull_reply", {"status": "ok"}, str(rank), (_pickled([rank * 2]),)) for rank in range(4)]
    magician.client.on("px_pull_request", lambda asked: values)
    assert magician.run("%px -o doubled rank * 2") == "[0-3]  6\n"
    assert magician.shell.user_ns["doubled"] == {0: 0, 1: 2, 2: 4, 3: 6}
    assert magician.client.asked_for("px_pull_request")[0].content["expressions"] == ["_"]


def test_pull_keeps_the_values_and_says_what_came(magician):
    fields = [
        Said("px_pull_reply", {"status": "ok"}, str(rank), (_pickled([np.zeros((64, 64))]),)) for rank in range(4)
    ]
    magician.client.on("px_pull_request", lambda asked: fields)
    assert magician.run("%pxpull u -t all -o parts") == "parts: 4 arrays here, float64 (64, 64), 131 kB\n"
    assert sorted(magician.shell.user_ns["parts"]) == [0, 1, 2, 3]


def test_push_evaluates_here_and_assigns_there(magician):
    magician.client.on("px_push_request", replies("px_push_reply", (None, {"status": "ok"})))
    magician.run("base = 20")
    assert magician.run("%pxpush limit=base + 1 -t 0-1") == "limit: on 0-1\n"
    (asked,) = magician.client.asked_for("px_push_request")
    assert _unpickled(asked.buffers) == {"limit": 21}


def test_local_runs_here(magician):
    magician.run("%local here = 5")
    magician.run("%%local\nhere += 1\n")
    assert magician.shell.user_ns["here"] == 6
    assert magician.sent() == []


def test_px_local_runs_here_too(magician):
    magician.run("%px --local both = 3")
    assert magician.shell.user_ns["both"] == 3
    assert magician.sent() == [("both = 3", "0-3")]


def test_autopx_sends_every_cell_until_it_is_switched_off(magician):
    assert magician.run("%autopx") == "%autopx enabled\n"
    magician.run("a = -1\nb = 2")
    magician.run("%pxfocus 0")
    magician.run("%autopx")
    magician.run("c = 3")
    assert [(code.rstrip("\n"), ranks) for code, ranks in magician.sent()] == [("a = -1\nb = 2", "0-3")]
    assert magician.shell.user_ns["c"] == 3
    assert "a" not in magician.shell.user_ns


def test_under_autopx_a_cell_may_change_the_focus_in_its_middle(magician):
    magician.run("%autopx")
    magician.run("a = 1\n%pxfocus 0\nb = 2")
    assert magician.sent() == [("a = 1", "0-3"), ("b = 2", "0")]


def test_local_stays_here_while_autopx_is_on(magician):
    """IPython transforms the code of a magic as it does a cell."""
    magician.run("%autopx")
    magician.run("%%local\nhere = 5\n")
    magician.run("%local here += 1")
    assert magician.shell.user_ns["here"] == 6
    assert magician.sent() == []
    magician.run("%px --local here += 1")
    assert magician.shell.user_ns["here"] == 7
    assert magician.sent() == [("here += 1", "0-3")]


def test_in_a_shell_that_routes_cells_itself_autopx_is_its_switch(magician, monkeypatch):
    monkeypatch.setattr(magician.shell, "routes", True, raising=False)
    assert magician.run("%autopx") == "%autopx disabled\n"
    assert magician.shell.routes is False
    assert magician.run("%autopx") == "%autopx enabled\n"


def test_settings_are_changed_and_shown(magician):
    magician.run("%pxconfig --mute --noblock --timeout 7 --targets 0-1")
    config = magician.session.config
    assert (config.mute, config.block, config.timeout) == (True, False, 7.0)
    assert str(magician.session.focus) == "0-1"
    assert "mute=True" in magician.run("%pxconfig")


def test_a_mesh_gives_rank_sets_coordinates(magician):
    """P10: a mesh of another size is refused, and the one that was set stays."""
    assert "mesh=None" in magician.run("%pxconfig")
    magician.run("%pxconfig --mesh dp=2,tp=2")
    assert "mesh=dp=2,tp=2" in magician.run("%pxconfig")
    magician.run("%pxfocus tp=1")
    assert str(magician.session.focus) == "1,3"
    assert "this mesh has 6 ranks, and the cluster 4" in magician.run("%pxconfig --mesh dp=2,tp=3")
    assert magician.session.mesh == "dp=2,tp=2"
    magician.run("%pxconfig --no-mesh")
    assert "has no mesh" in magician.run("%pxfocus tp=1")


def test_a_failed_cell_is_known_to_the_face(magician):
    error = {"status": "error", "ename": "SystemExit", "evalue": "3", "traceback": []}
    magician.client.on("execute_request", replies("execute_reply", (None, error)))
    magician.run("%px exit(3)")
    assert magician.holder.has_failed
    magician.run("%pxfocus")
    assert not magician.holder.has_failed


def test_the_help_lists_what_runs_here(magician):
    text = magician.shell.magics_manager.magics["line"]["px"].__doc__
    assert "%local CODE" in text
    assert "exit quit" in text
    assert "-t RANKS" in text


def test_unloading_takes_every_magic_out(magician):
    from pxshell.magics import unload_ipython_extension

    magician.run("%autopx")
    unload_ipython_extension(magician.shell)
    assert not [name for name in magician.shell.magics_manager.magics["line"] if name.startswith("px")]
    magician.shell.run_cell("d = 4")
    assert magician.shell.user_ns["d"] == 4


def _pickled(value):
    import pickle

    return pickle.dumps(value, protocol=5)


def _unpickled(buffers):
    import pickle

    return pickle.loads(buffers[0], buffers=buffers[1:])


def on_values(client, **values):
    """Let ranks answer questions about values, one for each rank."""

    def survey(asked):
        for rank in asked.ranks:
            names = {name: each[rank] for name, each in values.items()}
            content, buffers = answer(asked.content, lambda text, names=names: eval(text, {}, names))
            yield Said("px_survey_reply", {"status": "ok", **content}, str(rank), tuple(buffers))

    client.on("px_survey_request", survey)


def test_diff_takes_its_options_on_both_sides_and_names_the_groups(magician):
    on_values(magician.client, x=[1.0, 1.0, 1.0, 1.001], y=[2, 2, 3, 2])
    assert magician.run("%pxdiff x").splitlines()[1].startswith("[3]    @b  1.001")
    assert str(magician.session.ranks("@b")) == "3"
    assert magician.run("%pxdiff -t 1-3 x --rtol 0.01") == "[1-3]  @a  1.0\n@a within rtol 0.01, not to the bit\n"
    assert magician.run("%pxdiff x --atol 0.01 --rtol 0 -t 1-3").splitlines()[0] == "[1-3]  @a  1.0"
    assert magician.run("%pxdiff -t 0-1 y -- -t 2-3").splitlines()[0] == "[1]    @a  equal to 3"
    assert magician.run("%pxdiff y-1 -- y").splitlines()[0].startswith("[0-1,3]  @a  differs from 0-1,3")
    assert magician.run("%pxdiff -- -y").splitlines()[0] == "[0-1,3]  @a  -2"


def test_diff_looks_at_busy_ranks_when_asked_to(magician):
    magician.client.set_state("0-3", activity="busy", cell="run")
    on_values(magician.client, x=[1] * 4)
    assert "Only look: %pxdiff --peek x" in magician.run("%pxdiff x")
    assert magician.holder.has_failed
    for line in ("%pxdiff --peek x", "%pxdiff x --peek"):
        assert magician.run(line) == "[0-3]  @a  1\nequal on all\n"
        assert not magician.holder.has_failed


def test_plots_are_shown_or_written(magician, tmp_path):
    on_values(magician.client, x=[np.arange(4.0)] * 4)
    assert magician.run("%pxplot x").startswith("x on 0-3\n[0-3]  float64 (4,)")
    pytest.importorskip("matplotlib")
    file = tmp_path / "x.png"
    assert magician.run(f"%pxplot x --grid 4x1 --save {file}") == f"x on 0-3: {file}\n"
    assert file.read_bytes().startswith(b"\x89PNG")


def test_status_says_where_busy_ranks_are_and_since_when(magician):
    """P6: their side threads answer; one that cannot is named."""
    magician.client.set_state("0-2", activity="busy", cell="run")
    magician.client.set_state("3", activity="busy", cell="run", liveness="unresponsive")
    place = {"file": "/home/me/sim.py", "line": 88, "function": "advance"}
    said = [("0", {"status": "ok", "seconds": 12.2, **place}), ("1", {"status": "ok", "seconds": 750.0, **place})]
    said.append(("2", {"status": "ok", "seconds": 7300.0}))
    magician.client.on("px_where_request", replies("px_where_reply", *said))
    assert magician.run("%pxstatus") == (
        "cluster calm-fox, 4 ranks\n"
        "[0-1]  running       sim.py:88 in advance, for 12 s to 12 min 30 s\n"
        "[2]    running       for 2 h 1 min\n"
        "[3]    unresponsive  it is stopped, or C code holds its GIL\n"
    )
