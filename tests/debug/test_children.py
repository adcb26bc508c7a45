"""A session that starts one for each rank."""

import pytest

from pxshell.debug.children import Children
from pxshell.debug.conversation import End, ToEditor

CONFIGURATIONS = {0: {"name": "rank 0"}, 2: {"name": "rank 2"}}


def request(command, **arguments):
    return {"type": "request", "seq": 3, "command": command, "arguments": arguments}


@pytest.fixture
def children():
    made = Children(CONFIGURATIONS)
    made.editor_said(request("initialize", supportsStartDebuggingRequest=True))
    return made


def test_each_rank_becomes_a_session_once_the_editor_is_ready(children):
    answer, initialized = children.editor_said(request("attach"))
    assert (answer.message["success"], initialized.message["event"]) == (True, "initialized")
    answer, first, second = children.editor_said(request("configurationDone"))
    assert answer.message["success"]
    assert [one.message["arguments"]["configuration"]["name"] for one in (first, second)] == ["rank 0", "rank 2"]
    assert {one.message["command"] for one in (first, second)} == {"startDebugging"}
    assert children.editor_said({"type": "response", "request_seq": first.number, "success": True}) == []
    (said,) = children.editor_said(
        {"type": "response", "request_seq": second.number, "success": False, "message": "no such type"}
    )
    assert said.message["body"]["output"] == "rank 2: the editor did not start its session: no such type\n"


def test_an_editor_that_cannot_is_told_what_else_there_is():
    """P10."""
    children = Children(CONFIGURATIONS)
    children.editor_said(request("initialize"))
    answer, end = children.editor_said(request("attach"))
    assert "--together" in answer.message["message"]
    assert isinstance(end, End)


def test_it_has_no_threads_and_no_breakpoints_itself(children):
    def body(command, **arguments):
        (said,) = children.editor_said(request(command, **arguments))
        assert isinstance(said, ToEditor)
        return said.message["body"]

    assert body("threads") == {"threads": []}
    assert body("setBreakpoints", breakpoints=[{"line": 1}]) == {"breakpoints": [{"verified": False}]}
    assert body("loadedSources") == {}
    assert (
        children.rank_said(0, {}) == children.rank_refused(0, "") == children.rank_ended(0, "") == children.due() == []
    )


def test_good_bye_ends_it_and_not_the_children(children):
    answer, end = children.editor_said(request("disconnect"))
    assert answer.message["success"]
    assert isinstance(end, End)
