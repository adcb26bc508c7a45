"""Cells and their answers on disk, within limits."""

from __future__ import annotations

import stat

import msgspec
import pytest

from pxshell.controller import store as module
from pxshell.controller.store import Store
from pxshell.protocol.message import Message
from pxshell.ranks import RankSet


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "history.sqlite")
    yield store
    store.close()


def request(name, cell=1, code="x", ranks="0-1"):
    content = {"cell": cell, "code": code}
    return Message.make("execute_request", name, content, ranks=RankSet.parse_folded(ranks), origin="c1")


def said(kind, parent, content, ranks="0-1"):
    return Message.make(kind, "m", content, ranks=RankSet.parse_folded(ranks), parent=parent, origin="c1")


def kept(store, number):
    frames = [msgspec.msgpack.decode(blob) for blob in store.messages(number)]
    return [Message.from_frames(one) for one in frames]


def test_a_cell_is_kept_with_all_that_was_said_for_it(store):
    """Who asked what of whom and when, and the folded answers in order."""
    store.begin(request("q1", 4, "rank"), 100.0)
    first = said("execute_result", "q1", {"data": {"text/plain": "1"}}, "1")
    for message in (first, said("execute_reply", "q1", {"status": "ok"}), said("stream", "other", {"text": "no"})):
        store.add(message)
    [cell] = store.last(5)
    assert (cell["number"], cell["cell"], cell["client"], cell["code"], cell["time"]) == (1, 4, "c1", "rank", 100.0)
    assert (cell["ranks"], cell["answered"], cell["failed"]) == ("0-1", "0-1", "")
    assert [(one.type, str(one.ranks)) for one in kept(store, 1)] == [("execute_result", "1"), ("execute_reply", "0-1")]
    assert kept(store, 1)[0] == first


def test_ranks_that_fail_or_are_missing_are_told_apart(store):
    """P3, P4: success and failure are never one."""
    store.begin(request("q1", ranks="0-3"), 1.0)
    store.add(said("execute_reply", "q1", {"status": "ok"}, "0"))
    store.add(said("execute_reply", "q1", {"status": "error"}, "1"))
    store.add(said("px_missing", "q1", {"why": "dead"}, "2"))
    [cell] = store.last(1)
    assert (cell["answered"], cell["failed"]) == ("0-2", "1-2")


def test_the_same_request_again_changes_nothing(store):
    """Requests are idempotent by id."""
    store.begin(request("q1", code="a"), 1.0)
    store.begin(request("q1", code="b"), 2.0)
    assert [cell["code"] for cell in store.last(5)] == ["a"]


def test_cells_are_found_by_number_and_by_their_number_in_a_session(store):
    """Two sessions number from 1; the newest is meant."""
    for name, code in (("q1", "old"), ("q2", "new")):
        store.begin(request(name, 7, code), 1.0)
    assert [cell["code"] for cell in store.of_session(7)] == ["new"]
    assert [cell["code"] for cell in store.numbered(1)] == ["old"]
    assert store.numbered(9) == store.of_session(9) == []
    assert [cell["number"] for cell in store.last(1)] == [2]


def test_a_cell_keeps_so_much_and_counts_the_rest(store, monkeypatch):
    """P7: a limit, and what is left out is counted; replies stay."""
    monkeypatch.setattr(module, "MAX_CELL_BYTES", 300)
    store.begin(request("q1"), 1.0)
    store.add(said("execute_result", "q1", {"data": {"text/plain": "1"}}))
    store.add(said("execute_result", "q1", {"data": {"text/plain": "1" * 900}}))
    store.add(said("execute_reply", "q1", {"status": "ok", "more": "x" * 900}))
    store.cut("q1", 1000)
    [cell] = store.last(1)
    assert 1900 < cell["cut_bytes"] < 2000
    assert [one.type for one in kept(store, 1)] == ["execute_result", "execute_reply"]


@pytest.mark.parametrize(("limit", "value"), [("MAX_CELLS", 2), ("MAX_BYTES", 400)])
def test_the_oldest_cells_go_and_the_last_one_stays(store, monkeypatch, limit, value):
    """P7: every history has a limit and a policy at the limit."""
    monkeypatch.setattr(module, limit, value)
    for number in range(1, 6):
        store.begin(request(f"q{number}"), 1.0)
        store.add(said("execute_reply", f"q{number}", {"status": "ok", "more": "x" * 100}))
    numbers = [cell["number"] for cell in store.last(9)]
    assert numbers == [5, 4]
    assert store.messages(1) == []
    monkeypatch.setattr(module, "MAX_BYTES", 1)
    store.add(said("execute_reply", "q5", {"status": "ok"}))
    assert [cell["number"] for cell in store.last(9)] == [5]


def test_the_file_is_ours_alone_and_stays(tmp_path):
    """P9; a controller that comes again finds it."""
    path = tmp_path / "history.sqlite"
    first = Store(path)
    first.begin(request("q1"), 1.0)
    first.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    second = Store(path)
    assert [cell["id"] for cell in second.last(1)] == ["q1"]
    second.close()


def test_the_limits_hold_for_what_is_written_in_one_piece(store, monkeypatch):
    """P7: they are looked at when all of it is there."""
    monkeypatch.setattr(module, "MAX_CELLS", 2)
    with store.together():
        for number in range(1, 6):
            store.begin(request(f"q{number}", number), 1.0)
    assert [cell["cell"] for cell in store.last(9)] == [5, 4]
    with pytest.raises(ZeroDivisionError), store.together():
        store.begin(request("q6", 6), 1.0)
        raise ZeroDivisionError
    assert [cell["cell"] for cell in store.last(9)][:1] == [6], "what had been written stays"
