"""Cells of the cluster's history, as a session shows them."""

import msgspec
import pytest

from pxshell.errors import DeadlineError, UsageError
from pxshell.protocol.message import Message
from pxshell.ranks import RankSet
from pxshell.session.history import history_lines
from pxshell.testing.scripted import Said, replies

ROW = {
    "number": 12, "id": "q1", "client": "gone", "cell": 4, "code": "print(1); rank", "ranks": "0-3", "time": 0.0,
    "answered": "0-3", "failed": "2", "cut_bytes": 0,
}  # fmt: skip


def blob(kind, content, ranks):
    message = Message.make(kind, "m", content, ranks=RankSet.parse_folded(ranks), parent="q1")
    return msgspec.msgpack.encode([bytes(frame) for frame in message.to_frames()])


ERROR = {"ename": "ValueError", "evalue": "no", "traceback": []}
MESSAGES = [
    blob("stream", {"name": "stdout", "text": "1\n"}, "0-3"),
    blob("execute_result", {"data": {"text/plain": "0"}, "metadata": {}}, "0-1"),
    blob("error", ERROR, "2"),
    blob("execute_reply", {"status": "ok"}, "0-1"),
    blob("execute_reply", {"status": "error", **ERROR}, "2"),
    blob("px_missing", {"why": "it died"}, "3"),
]


@pytest.fixture
def past(stage):
    """Give a stage on a cluster in which another session ran a cell 4."""

    def answer(asked):
        is_there = asked.content.get("number") in (None, 12) and asked.content.get("cell") in (None, 4)
        content = {"status": "ok", "cells": [ROW] if is_there else [], "messages": MESSAGES if is_there else []}
        return [Said("px_history_reply", content)]

    stage.client.on("px_history_request", answer)
    return stage


@pytest.mark.parametrize("look", [lambda s: s.result(4), lambda s: s.result(), lambda s: s.past_result(12)])
def test_a_cell_of_another_session_is_shown_with_what_it_printed(past, look):
    """A client that attaches later can ask for it: whose it is, its text, and every rank's answer (P3, P4)."""
    answers = look(past.session)
    first, *printed = past.shown().splitlines()
    assert first.startswith("h12: cell 4 of another session, ")
    assert printed == ["[0-3]  1"]
    assert [(str(one.ranks), one.text) for one in answers.answers] == [("0-1", "0")]
    assert [str(one.ranks) for one in answers.failures] == ["2"]
    assert [(str(one.ranks), one.why) for one in answers.missing] == [("3", "it died")]


def test_a_cell_of_this_session_is_its_own(past, say):
    """Its number means its own cell as long as that is kept."""
    past.on_cell("rank", say.result("7", "0-3"))
    past.session.run_cell("rank")
    assert past.session.result(1).answers[0].text == "7"
    assert past.client.asked_for("px_history_request") == []


@pytest.mark.parametrize("look", [lambda s: s.result(9), lambda s: s.past_result(9)])
def test_a_cell_that_nobody_ran_is_refused(past, look):
    """P10."""
    with pytest.raises(UsageError):
        look(past.session)


def test_a_cluster_without_a_history_says_so(stage):
    """P10: one line."""
    why = {"status": "error", "why": "this cluster keeps no history: no sqlite3"}
    stage.client.on("px_history_request", replies("px_history_reply", (None, why)))
    with pytest.raises(UsageError, match="keeps no history: no sqlite3"):
        stage.session.history()


def test_a_controller_that_does_not_answer_has_a_deadline(stage):
    """Control commands have deadlines."""
    stage.session.config.control_deadline = 0.01
    stage.client.on("px_history_request", lambda asked: [])
    with pytest.raises(DeadlineError, match="the history of this cluster"):
        stage.session.history()


def test_the_list_has_a_line_for_each_cell(past):
    """Number, time, whose, how it went, and the beginning of its code."""
    rows = [ROW, ROW | {"number": 3, "client": "scripted", "answered": "0-1", "failed": "", "code": "a = 1\nb"}]
    content = {"status": "ok", "cells": rows, "messages": []}
    past.client.on("px_history_request", replies("px_history_reply", (None, content)))
    cells = past.session.history(2)
    assert past.client.asked_for("px_history_request")[0].content == {"last": 2}
    lines = history_lines(cells)
    assert [str(line.ranks) for line in lines] == ["0-3", "0-3"]
    words = [line.text.split(maxsplit=2) for line in lines]
    assert [(number, rest) for number, _, rest in words] == [
        ("h3", "cell 4  runs 2-3  a = 1…\n"),
        ("h12", "(4)     failed 2  print(1); rank\n"),
    ]


def test_what_was_left_out_is_said(past):
    """P2: an announced cut."""
    content = {"status": "ok", "cells": [ROW | {"cut_bytes": 5_000}], "messages": MESSAGES}
    past.client.on("px_history_request", replies("px_history_reply", (None, content)))
    past.session.past_result(12)
    assert "; 5000 bytes of output left out, see %pxlog" in past.shown()
