"""One editor and one rank: what passes, and what is answered for the rank."""

import pytest

from pxshell.debug.conversation import End, Source, ToEditor, ToRank
from pxshell.debug.relay import KNOWN_REQUESTS, Relay


def request(command, seq=7, **arguments):
    return {"type": "request", "seq": seq, "command": command, "arguments": arguments}


def answer(command, body):
    return {"type": "response", "request_seq": 7, "success": True, "command": command, "body": body}


def make(doing="running"):
    return Relay(2, "sim-1", lambda path: path.startswith("/here"), lambda _: doing)


@pytest.fixture
def relay():
    return make()


def test_requests_go_to_the_rank_and_its_answers_back_as_they_are(relay):
    asked = request("evaluate", expression="x")
    assert relay.editor_said(asked) == [ToRank(2, asked)]
    told = answer("evaluate", {"result": "1"})
    assert relay.rank_said(2, told) == [ToEditor(told)]
    silent = {"type": "response", "request_seq": 7, "success": True, "command": "next"}
    assert relay.rank_said(2, silent) == [ToEditor(silent)]


@pytest.mark.parametrize("command", ["disconnect", "terminate"])
def test_good_bye_ends_the_session_and_never_the_rank(relay, command):
    """P8: whatever the editor would have of it."""
    said, end = relay.editor_said(request(command, terminateDebuggee=True))
    assert said.message["success"]
    assert isinstance(end, End)


def test_what_could_end_the_rank_is_not_offered(relay):
    body = {"supportsTerminateRequest": True, "supportTerminateDebuggee": True, "supportsLogPoints": True, "pydevd": {}}
    (said,) = relay.rank_said(2, answer("initialize", body))
    assert said.message["body"] == {"supportsLogPoints": True}


def test_what_debugpy_does_not_know_is_refused_here(relay):
    """It would print a line into the user's program, and never answer (P3)."""
    (said,) = relay.editor_said(request("readMemory"))
    assert (said.message["success"], said.message["message"]) == (False, "debugpy does not know readMemory")
    assert relay.editor_said({"type": "response", "command": "runInTerminal"}) == []


def test_a_pause_of_a_rank_that_waits_in_c_says_when_it_stops():
    """P3: nobody waits unseen."""
    passed, said = make("held").editor_said(request("pause", threadId=1))
    assert passed == ToRank(2, request("pause", threadId=1))
    text = "rank 2 of sim-1 waits in C, in MPI for instance: it stops when it comes out of it\n"
    assert said.message["body"]["output"] == text
    assert make("running").editor_said(request("pause")) == [ToRank(2, request("pause"))]


def test_a_pause_of_an_idle_rank_is_refused():
    """P10: debugpy would say yes, and nothing would happen."""
    (said,) = make("idle").editor_said(request("pause", threadId=1))
    why = "rank 2 of sim-1 is idle, there is nothing to pause: set a breakpoint in what its cells call"
    assert (said.message["success"], said.message["message"]) == (False, why)


@pytest.mark.parametrize("command", ["next", "stepIn", "stepOut"])
def test_a_step_of_a_rank_that_has_failed_is_refused(command):
    """P10: debugpy would let the exception go on, with which an MPI job may end; that is for `continue`."""
    (said,) = make("failed").editor_said(request(command, threadId=1))
    assert not said.message["success"]
    assert said.message["message"].startswith("rank 2 of sim-1 has failed, and its frames run no more")
    assert make("failed").editor_said(request("continue")) == [ToRank(2, request("continue"))]
    assert make("running").editor_said(request(command)) == [ToRank(2, request(command))]


def test_no_name_of_a_thread_says_what_the_rank_does(relay):
    assert relay.states_changed() == []


def test_the_requests_that_debugpy_knows_are_those_of_the_version_installed():
    """A pin: its engine's handlers, but for those that end the session or are between it and its own adapter."""
    import debugpy._vendored

    file = "pydevd/_pydevd_bundle/pydevd_process_net_command_json.py"
    from pathlib import Path

    text = Path(debugpy._vendored.__file__).with_name("pydevd").parent.joinpath(file).read_text()
    import re

    found = set(re.findall(r"def on_([a-z]+)_request", text))
    others = {"disconnect", "terminate", "pydevdauthorize", "pydevdsysteminfo"}
    assert found - others == {name.lower() for name in KNOWN_REQUESTS}


def test_the_main_thread_has_the_ranks_name(relay):
    threads = [{"id": 1, "name": "MainThread"}, {"id": 2, "name": "Thread-1"}, {"id": 3, "name": "Dummy-8"}]
    (said,) = relay.rank_said(2, answer("threads", {"threads": threads}))
    assert [one["name"] for one in said.message["body"]["threads"]] == ["rank 2 of sim-1", "rank 2 of sim-1 · Thread-1"]
    event = {"type": "event", "event": "process", "body": {"name": "sim.py", "isLocalProcess": True}}
    assert relay.rank_said(2, event)[0].message["body"] == {"name": "rank 2 of sim-1", "isLocalProcess": False}


def test_sources_that_only_the_rank_has_are_fetched_from_it(relay):
    frames = [
        {"id": 1, "source": {"path": "/here/a.py"}},
        {"id": 2, "source": {"path": "/there/b.py"}},
        {"id": 3, "source": {"path": "/there/c.py", "sourceReference": 5}},
        {"id": 4},
    ]
    (said,) = relay.rank_said(2, answer("stackTrace", {"stackFrames": frames}))
    here, there, own, bare = said.message["body"]["stackFrames"]
    assert (here, own, bare) == (frames[0], frames[2], frames[3])
    wanted = request("source", sourceReference=there["source"]["sourceReference"])
    assert relay.editor_said(wanted) == [Source(2, "/there/b.py", wanted)]
    wanted = request("source", source=there["source"])
    assert relay.editor_said(wanted) == [Source(2, "/there/b.py", wanted)]
    other = request("source", sourceReference=5)
    assert relay.editor_said(other) == [ToRank(2, other)]
    again = relay.rank_said(2, answer("stackTrace", {"stackFrames": frames}))
    assert again == [said]


def test_a_request_that_was_faster_than_the_ranks_refusal_is_answered(relay):
    """P3: an editor that starts a command says `initialize` at once, and would wait for ever."""
    relay.editor_said(request("initialize"))
    said, end = relay.rank_refused(2, "debugged by jane")
    assert (said.message["request_seq"], said.message["message"]) == (7, "debugged by jane")
    assert end == End("debugged by jane")


def test_a_rank_that_refuses_is_what_the_editor_is_told(relay):
    """P10: in the dialog that it shows."""
    assert relay.rank_refused(2, "debugged by {jane}") == []
    said, end = relay.editor_said(request("initialize"))
    assert said.message["message"] == "debugged by {jane}"
    assert "{" not in said.message["body"]["error"]["format"]
    assert isinstance(end, End)


def test_a_rank_that_is_gone_ends_the_session(relay):
    """P3: with a reason, in the console."""
    output, terminated, end = relay.rank_ended(2, "the rank is gone")
    assert output.message["body"]["output"] == "rank 2 of sim-1: the rank is gone\n"
    assert terminated.message["event"] == "terminated"
    assert end == End("the rank is gone")
