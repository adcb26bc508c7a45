"""The history's thread: the loop hands over and never waits."""

from __future__ import annotations

import asyncio
import sqlite3
import threading

from pxshell.controller import history as module
from pxshell.controller.history import History
from pxshell.controller.store import Store
from pxshell.protocol.message import Message
from pxshell.ranks import RankSet

LIMIT_S = 30.0


def request(name="q1", cell=1):
    content = {"cell": cell, "code": "rank"}
    return Message.make("execute_request", name, content, ranks=RankSet([0, 1]), origin="c1")


def reply(parent="q1", **content):
    return Message.make("execute_reply", "m", {"status": "ok", **content}, ranks=RankSet([0, 1]), parent=parent)


def run(tmp_path, steps):
    """Run a coroutine function on a history, and close it."""

    async def main():
        history = History(asyncio.get_running_loop(), tmp_path / "history.sqlite")
        try:
            return await steps(history)
        finally:
            history.close()

    return asyncio.run(main())


async def ask(history, **wanted):
    answered = asyncio.get_running_loop().create_future()
    history.ask(wanted, answered.set_result)
    return await asyncio.wait_for(answered, LIMIT_S)


def test_a_cell_and_its_answers_can_be_asked_for(tmp_path):
    """P3: also when they came after a deadline, and whoever ran it."""

    async def steps(history):
        history.asked(request())
        history.asked(Message.make("px_push_request", "p1", {}, ranks=RankSet([0])))
        history.asked(request("q0", cell=0))
        history.said(reply())
        history.said(reply("unknown"))
        return await ask(history, last=5), await ask(history, number=1), await ask(history, cell=1)

    last, one, same = run(tmp_path, steps)
    assert [cell["id"] for cell in last["cells"]] == ["q1"]
    assert (last["messages"], len(one["messages"])) == ([], 1)
    assert one == same
    assert one["cells"][0]["answered"] == "0-1"


def test_the_loop_does_not_wait_for_the_disk(tmp_path, monkeypatch):
    """P7: what comes faster than the disk takes it is left out beyond a limit; replies are taken all the same."""
    may_write = threading.Event()
    begin = Store.begin

    def slow(self, message, time):
        assert may_write.wait(LIMIT_S)
        begin(self, message, time)

    monkeypatch.setattr(Store, "begin", slow)
    monkeypatch.setattr(module, "_MAX_WAITING", 1000)
    monkeypatch.setattr(module, "_LAST_WRITES_S", LIMIT_S)

    async def steps(history):
        history.asked(request())
        for _ in range(10):
            text = {"name": "stdout", "text": "x" * 300}
            history.said(Message.make("stream", "m", text, ranks=RankSet([0]), parent="q1"))
        history.said(reply(more="y" * 2000))
        may_write.set()
        return await ask(history, number=1)

    assert len(run(tmp_path, steps)["messages"]) == 3 + 1


def test_a_flood_is_counted_and_not_written(tmp_path, monkeypatch):
    """P7: so much text of a cell is kept; values and replies come after it, also while the cell still runs."""
    monkeypatch.setattr(module, "MAX_TEXT", 1000)

    async def steps(history):
        history.asked(request())
        for _ in range(100):
            text = {"name": "stdout", "text": "x" * 300}
            history.said(Message.make("stream", "m", text, ranks=RankSet([0]), parent="q1"))
        running = await ask(history, number=1)
        value = {"data": {"text/plain": "1"}}
        history.said(Message.make("execute_result", "m", value, ranks=RankSet([0]), parent="q1"))
        history.said(reply())
        return running, await ask(history, number=1)

    running, done = run(tmp_path, steps)
    assert len(running["messages"]) == 3
    assert running["cells"][0]["cut_bytes"] == done["cells"][0]["cut_bytes"] > 97 * 300
    assert len(done["messages"]) == 5


def test_older_cells_take_no_more_answers(tmp_path, monkeypatch):
    """P7: what is remembered has a limit too."""
    monkeypatch.setattr(module, "_REMEMBERED", 1)

    async def steps(history):
        history.asked(request("q1"))
        history.asked(request("q2", 2))
        history.said(reply("q1"))
        history.said(reply("q2"))
        return await ask(history, last=5)

    assert [(one["id"], one["answered"]) for one in run(tmp_path, steps)["cells"]] == [("q2", "0-1"), ("q1", "")]


def test_without_room_for_a_file_cells_run_and_the_history_says_why(tmp_path, caplog):
    """P10: what, why; nothing else is lost."""

    async def steps(history):
        history._thread.join(LIMIT_S)
        history.asked(request())
        return await ask(history, last=1)

    answer = run(tmp_path / "nowhere", steps)
    assert answer["status"] == "error"
    assert answer["why"].startswith("this cluster keeps no history: ")
    assert "no history" in caplog.text
    caplog.clear()


def test_a_write_that_fails_costs_that_write(tmp_path, monkeypatch, caplog):
    """A full disk may have room again."""
    add = Store.add
    faults = iter([sqlite3.OperationalError("database or disk is full")])

    def full(self, message):
        for fault in faults:
            raise fault
        add(self, message)

    monkeypatch.setattr(Store, "add", full)

    async def steps(history):
        history.asked(request())
        history.said(reply())
        history.said(reply())
        return await ask(history, number=1)

    assert len(run(tmp_path, steps)["messages"]) == 1
    assert "disk is full" in caplog.text
    caplog.clear()


def test_what_comes_in_a_moment_is_written_in_one_piece(tmp_path, monkeypatch):
    """A cell that runs does not share the processor with the writing of the last one."""
    pieces = []
    together = Store.together

    def counted(self):
        pieces.append(self)
        return together(self)

    monkeypatch.setattr(Store, "together", counted)
    monkeypatch.setattr(module, "_GATHERING_S", 60.0)  # a busy machine makes a moment long

    async def steps(history):
        for number in range(1, 51):
            history.asked(request(f"q{number}", number))
            history.said(reply(f"q{number}"))
        return await ask(history, last=50)

    assert len(run(tmp_path, steps)["cells"]) == 50
    assert len(pieces) == 1


def test_what_is_not_asked_for_is_written_a_moment_later(tmp_path, monkeypatch):
    """P8: what a killed controller loses is bounded."""
    monkeypatch.setattr(module, "_GATHERING_S", 0.001)
    written = threading.Event()
    add = Store.add

    def told(self, message):
        add(self, message)
        written.set()

    monkeypatch.setattr(Store, "add", told)

    async def steps(history):
        history.asked(request())
        history.said(reply())
        assert await asyncio.to_thread(written.wait, LIMIT_S)

    run(tmp_path, steps)
