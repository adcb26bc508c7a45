"""The terminal on a scripted cluster: keys in, a drawn screen out."""

import re

import pytest

from pxshell.protocol.stacks import StackEnd
from pxshell.protocol.stacktree import reply_of
from pxshell.ranks import RankSet
from pxshell.session.routing import HERE
from pxshell.terminal.app import run_terminal
from pxshell.testing.scripted import Said, ScriptedClient, replies
from pxshell.testing.waiting import wait_until

F5, CTRL_C, CTRL_D, TAB, UP = "\x1b[15~", "\x03", "\x04", "\t", "\x1b[A"
LEAVE = (CTRL_D, "?Stop it, or detach? [S/d]", "d\r")
PAUSED = {"activity": "paused", "cell": "run", "pause": "p1", "file": "/home/me/sim.py", "line": 87, "function": "main"}


class ScriptedCluster:
    """A cluster of a scripted client."""

    def __init__(self, client):
        self._client = client
        self.ended = []

    def client(self):
        return self._client

    def stop(self):
        self.ended.append("stop")

    def disconnect(self):
        self.ended.append("disconnect")


def answer(asked):
    """Answer as ranks would that know a few cells."""
    code = asked.content["code"].strip()
    if code == "rank":
        for rank in asked.ranks:
            yield Said("execute_result", {"data": {"text/plain": str(rank)}, "metadata": {}}, RankSet.of(rank))
    elif code == "allreduce":
        yield Said("execute_result", {"data": {"text/plain": "6"}, "metadata": {}})
    elif code.startswith("1 /"):
        error = {"ename": "ZeroDivisionError", "evalue": "division by zero", "traceback": []}
        yield Said("error", {**error, "cell": asked.content["cell"], "line": 1, "source": code, "file": ""})
        yield Said("execute_reply", {"status": "error", **error})
        return
    elif code == "flow":
        yield Said("stream", {"name": "stdout", "text": "flows\n"})
    elif code == "never":
        return
    yield Said("execute_reply", {"status": "ok"})


@pytest.fixture
def client():
    client = ScriptedClient(4)
    client.on("execute_request", answer)
    return client


@pytest.fixture
def running():
    """A client whose ranks run a script."""
    client = ScriptedClient(4, name="sim-1", script="sim.py")
    client.on("execute_request", answer)
    # They move all the time: on a slow machine the watchdog would speak in between.
    client.on("px_stacks_request", replies("px_stacks_reply", (None, reply_of([], StackEnd(still=0)))))
    client.set_state(client.ranks, activity="busy", cell="run")
    return client


@pytest.fixture
def work(painted, typist, monkeypatch):
    """Run the terminal with what is typed by the steps, and return the cluster."""
    monkeypatch.setattr("IPython.terminal.interactiveshell._is_tty", True)
    monkeypatch.setattr("pxshell.terminal.app.TerminalShell.simple_prompt", False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("PAGER", "cat")

    def run(client, *steps, was_started=True):
        cluster = ScriptedCluster(client)

        def type_all():
            for step in steps:
                step() if callable(step) else painted.wait_for(step[1:]) if step[0] == "?" else painted.type(step)

        typist(type_all)
        # Here and not above: pytest puts its own in place between the phases of a test.
        monkeypatch.setattr("sys.stdout", painted)
        assert run_terminal(cluster, was_started=was_started) == 0
        return cluster

    return run


def codes(client):
    return [asked.content["code"] for asked in client.asked_for("execute_request")]


def test_what_is_typed_runs_on_all_and_equal_answers_fold(work, client, painted):
    """Scene 1 of the design, and the end of it: the cluster that was started here is stopped."""
    cluster = work(
        client,
        "?px[0-3]> ",
        "?calm-fox   0-3 idle",
        "allreduce\r",
        "?[0-3]  6",
        "rank\r",
        "?[3]    3",
        "1 / 0\r",
        "?division by zero",
        CTRL_D,
        "?Stop it, or detach? [S/d]",
        "s\r",
    )
    lines = painted.lines()
    assert lines[0].startswith("What you type runs on all 4.  %pxfocus RANKS")
    assert lines[1:7] == ["px[0-3]> allreduce", "[0-3]  6", "px[0-3]> rank", "[0]    0", "[1]    1", "[2]    2"]
    assert any(re.fullmatch(r"stopped: 0-3 have ended \(\d+\.\d s\)", line) for line in lines)
    assert cluster.ended == ["stop", "disconnect"]
    assert codes(client) == ["allreduce", "rank", "1 / 0"]


def test_the_focus_is_in_the_prompt_and_takes_the_input(work, client, painted):
    work(client, "?px[0-3]>", "%pxfocus 3\r", "?px[3]> ", "rank\r", "?[3]    3", "%pxfocus 7\r", "?px[3]> ", *LEAVE)
    assert client.asked_for("execute_request")[0].ranks == RankSet.of(3)
    assert "→ back: pxshell attach calm-fox" in painted.lines()


def test_a_cell_of_several_lines_is_edited_as_in_ipython(work, client):
    work(client, "?px[0-3]>", "for i in x:\r", "? ...: ", "print(i)\r", "\r", "?px[0-3]> \n", *LEAVE)
    assert codes(client) == ["for i in x:\n    print(i)\n"[:-1]]


def test_local_code_runs_here(work, client, painted):
    """%local, and a magic of IPython's that belongs to the shell; the ranks hear nothing."""
    work(client, "?px[0-3]>", "%local print(6 * 7)\r", "?42", "%history\r", "?%local print(6 * 7)", *LEAVE)
    assert codes(client) == []


def test_magics_and_commands_go_to_the_ranks(work, client):
    work(client, "?px[0-3]>", "%timeit x\r", "!ls\r", "?px[0-3]> !ls", *LEAVE)
    assert codes(client) == ["%timeit x", "!ls"]


def test_rerun_goes_where_the_cell_went(work, client):
    work(client, "?px[0-3]>", "allreduce\r", "?[0-3]  6", "%rerun 1\r", "?=== Output", "?px[0-3]> \n", *LEAVE)
    assert codes(client) == ["allreduce", "allreduce"]


def test_autopx_turns_the_terminal_into_a_plain_one_and_back(work, client):
    steps = ["%autopx\r", "?runs here", "6 * 7\r", "?42", "%autopx\r", "?runs on the focus", "allreduce\r", "?[0-3]  6"]
    work(client, "?px[0-3]>", *steps, *LEAVE)
    assert codes(client) == ["allreduce"]


def test_output_of_a_script_goes_above_the_prompt(work, running, painted):
    def says():
        running.say(Said("stream", {"name": "stdout", "text": "step 500\n"}, "0"))

    work(
        running, "?px[0-3] running> ", "u.sh", says, "?step 500\npx[0-3] running> u.sh", CTRL_C, CTRL_D, "?[D/s]", "\r"
    )
    assert "sim.py is still running. Detach, or stop it? [D/s]" in painted.text()
    assert "→ back: pxshell attach sim-1" in painted.lines()


def test_the_prompt_follows_the_state(work, running, painted):
    """File and line when paused, without a key: the state event redraws."""

    def pause():
        running.set_state(running.ranks, **PAUSED)

    work(
        running,
        "?px[0-3] running>",
        pause,
        "?px[0-3] sim.py:87> ",
        "?0-3 paused sim.py:87",
        CTRL_D,
        "?sim.py is paused",
        "d\r",
    )


def test_the_script_starts_when_the_front_end_is_there(work, running):
    """What fails is held from its first line on."""
    work(running, "?running>", CTRL_D, "?[D/s]", "d\r")
    first, second = running.asked[:2]
    assert (first.type, first.content) == ("px_attend_request", {"hold": True})
    assert second.type == "px_start_request"


def test_a_program_that_has_failed_is_said_to_wait(work, running):
    """Nobody takes it for one that runs."""
    running.set_state("3", activity="failed", cell="run", file="sim.py", line=91, why="ValueError: no mass", pause="f")
    work(running, "?failed sim.py:91", CTRL_D, "?sim.py has failed, and waits. Detach, or stop it?", "d\r")


def test_an_attached_terminal_starts_and_stops_nothing(work, client, painted):
    cluster = work(client, "?px[0-3]>", CTRL_D, was_started=False)
    assert cluster.ended == ["disconnect"]
    assert not client.asked_for("px_start_request")
    assert "→ back: pxshell attach calm-fox" in painted.lines()


def test_a_script_that_has_ended_leaves_nothing_to_come_back_to(work, running, painted):
    """Its ranks end with the last front end, so the way back is not promised."""

    def end():
        running.set_state(running.ranks, activity="idle", cell="")

    work(running, "?running>", end, "?px[0-3]> ", CTRL_D, "?Leave? [Y/n]", "n\r", "?px[0-3]> ", CTRL_D, "?[Y/n]", "\r")
    assert "sim.py has ended, and its ranks end when you leave. Leave? [Y/n]" in painted.text()
    assert "→ back: pxshell attach sim-1" not in painted.lines()


def test_ctrl_c_at_the_question_stays(work, client):
    cluster = work(
        client,
        "?px[0-3]>",
        CTRL_D,
        "?[S/d]",
        CTRL_C,
        "?px[0-3]> \n",
        "allreduce\r",
        "?[0-3]  6",
        "exit\r",
        "?it, or",
        "d\r",
    )
    assert cluster.ended == ["disconnect"]


def test_ctrl_c_on_an_empty_line_pauses_a_running_script(work, running):
    def paused():
        wait_until(lambda: running.asked_for("px_pause_request"), 30, "the pause was asked for")
        running.set_state(running.ranks, **PAUSED)

    running.on("px_pause_request", lambda asked: [Said("px_pause_reply", {"outcome": "paused", **PAUSED})])
    work(running, "?running>", CTRL_C, paused, "?%pxsignal pause", "?sim.py:87> ", CTRL_D, "?[D/s]", "d\r")


def test_ctrl_c_with_text_clears_it(work, running):
    work(running, "?running>", "half", "?running> half", CTRL_C, "?running> \n", CTRL_D, "?[D/s]", "d\r")
    assert not running.asked_for("px_pause_request")


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ("\x1b[21~", "next"),
        ("\x1bn", "next"),
        ("\x1b[23~", "step"),
        ("\x1bs", "step"),
        ("\x1b[23;2~", "finish"),
        ("\x1bo", "finish"),
    ],
)
def test_keys_step_and_keep_what_is_typed(work, running, keys, kind):
    """F10, F11, Shift-F11, and the Alt keys for terminals that take those."""
    running.set_state("0-3", **PAUSED)

    def step(asked):
        stop = {**PAUSED, "pause": asked.content["pause"], "line": 88, "reason": "step"}
        running.set_state("0-3", **stop)
        yield Said("px_step_reply", {"outcome": "paused"})

    running.on("px_step_request", step)
    running.on("px_source_request", replies("px_source_reply", (None, {"status": "error", "why": "no file"})))
    stepped = lambda: wait_until(lambda: running.asked_for("px_step_request"), 30, "the step")  # noqa: E731
    work(running, "?sim.py:87> ", "u.max", keys, stepped, "?sim.py:88> u.max", CTRL_C, CTRL_D, "?[D/s]", "d\r")
    assert [one.content["kind"] for one in running.asked_for("px_step_request")] == [kind]


def test_f5_resumes_and_keeps_what_is_typed(work, running):
    running.set_state(running.ranks, **PAUSED)
    running.on("px_resume_request", lambda asked: [Said("px_resume_reply", {"outcome": "resumed"})])

    def resumed():
        wait_until(lambda: running.asked_for("px_resume_request"), 30, "the resume was asked for")
        running.set_state(running.ranks, activity="busy", cell="run")

    work(running, "?sim.py:87> ", "u.max", F5, resumed, "?running> u.max", CTRL_C, CTRL_D, "?[D/s]", "d\r")


def test_tab_completes_on_the_ranks(work, client):
    """The ranks' objects, asked on the control lane."""
    reply = {"status": "ok", "matches": ["comm.allreduce"], "cursor_start": 0, "cursor_end": 7, "metadata": {}}
    client.on("complete_request", lambda asked: [Said("complete_reply", reply)])
    work(client, "?px[0-3]>", "comm.al", TAB, "?px[0-3]> comm.allreduce", CTRL_C, *LEAVE)
    assert client.asked_for("complete_request")[0].content == {"code": "comm.al", "cursor_pos": 7}


def test_a_question_mark_inspects_on_the_ranks(work, client, painted):
    found = {"status": "ok", "found": True, "data": {"text/plain": "Docstring: what it is"}, "metadata": {}}
    client.on("inspect_request", lambda asked: [Said("inspect_reply", found)])
    work(
        client,
        "?px[0-3]>",
        "comm?\r",
        lambda: wait_until(lambda: client.asked_for("inspect_request"), 30, "asked"),
        "?comm?",
        *LEAVE,
    )
    assert client.asked_for("inspect_request")[0].content["detail_level"] == 0
    assert codes(client) == []


def test_input_on_a_rank_is_asked_here_with_its_number(work, client):
    def ask(request):
        yield Said("input_request", {"prompt": "name: ", "password": False}, RankSet.of(2))

    client.on("execute_request", ask)

    def reply():
        wait_until(lambda: client.told, 30, "the answer was told")
        (request,) = client.requests.values()
        client.say(Said("execute_reply", {"status": "ok"}), request)

    work(client, "?px[0-3]>", "input()\r", "?[2] name: ", "Ada\r", reply, *LEAVE)
    assert client.told[0][:2] == ("input_reply", {"value": "Ada"})


def test_a_password_is_not_echoed(work, client, painted):
    client.on(
        "execute_request", lambda asked: [Said("input_request", {"prompt": "key: ", "password": True}, RankSet.of(0))]
    )

    def reply():
        wait_until(lambda: client.told, 30, "the answer was told")
        client.say(Said("execute_reply", {"status": "ok"}), next(iter(client.requests.values())))

    work(client, "?px[0-3]>", "getpass()\r", "?[0] key: ", "secret\r", reply, *LEAVE)
    assert client.told[0][1] == {"value": "secret"}
    assert "secret" not in painted.text()


def test_the_history_is_ipythons_own(work, client, painted):
    """A line of one session comes back in the next with the up key."""
    work(client, "?px[0-3]>", "allreduce\r", "?[0-3]  6", *LEAVE)
    again = ScriptedClient(4, name="next-owl")
    again.on("execute_request", answer)
    work(
        again,
        "?next-owl",
        UP,
        "?px[0-3]> allreduce\n",
        "\r",
        lambda: wait_until(lambda: codes(again), 30, "run"),
        CTRL_D,
        "?next-owl was started",
        "d\r",
    )
    assert codes(again) == ["allreduce"]


def test_help_says_what_runs_here(work, client, painted):
    """The table of what runs here is what `?px` prints."""
    painted.resize(120)
    work(client, "?px[0-3]>", lambda: painted.type("?px\r"), "?F5, Alt-r", *LEAVE)
    shown = re.findall(r"%(\w+)", painted.text())
    assert set(shown) >= HERE
