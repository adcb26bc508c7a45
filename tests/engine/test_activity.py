"""What a rank does is told to others, but for what is over before it would be news."""

from __future__ import annotations

import threading
from contextlib import contextmanager

from pxshell.engine.activity import ActivityReport
from pxshell.protocol.state import Activity, ActivityEvent, RankState


def reported() -> tuple[ActivityReport, list[RankState]]:
    said: list[RankState] = []
    report = ActivityReport(said.append)
    report.change(ActivityEvent.READY)
    return report, said


def activities(said: list[RankState]) -> list[Activity]:
    return [state.activity for state in said]


def test_a_brief_cell_is_not_told() -> None:
    """A rank that is idle again before anybody could look was idle."""
    report, said = reported()
    report.change(ActivityEvent.BEGIN, is_brief=True, cell="c1")
    assert report.state.activity is Activity.BUSY
    report.change(ActivityEvent.END, cell="")
    report.tell()
    assert activities(said) == [Activity.IDLE]


def test_a_brief_cell_that_goes_on_is_told_and_so_is_its_end() -> None:
    """P6: who asks for the state of a rank that works is told that it does."""
    report, said = reported()
    report.change(ActivityEvent.BEGIN, is_brief=True, cell="c1")
    report.tell()
    report.tell()
    report.change(ActivityEvent.END, cell="")
    assert [(state.activity, state.cell) for state in said] == [("idle", ""), ("busy", "c1"), ("idle", "")]


def test_another_event_in_a_brief_cell_is_told_at_once() -> None:
    """A pause in it, for one."""
    report, said = reported()
    report.change(ActivityEvent.BEGIN, is_brief=True, cell="c1")
    report.change(ActivityEvent.PAUSE, cell="c1", pause="p1")
    report.change(ActivityEvent.RESUME, cell="c1")
    report.change(ActivityEvent.END, cell="")
    assert activities(said) == [Activity.IDLE, Activity.PAUSED, Activity.BUSY, Activity.IDLE]


def test_the_state_is_told_again_to_who_comes_later() -> None:
    """Also one that is brief."""
    report, said = reported()
    report.change(ActivityEvent.BEGIN, is_brief=True, cell="c1")
    report.repeat()
    assert activities(said) == [Activity.IDLE, Activity.BUSY]


def test_a_thread_that_reports_while_it_sends_and_one_that_sends_what_it_reports_do_not_wait_for_each_other() -> None:
    """P6: one order of the two locks."""
    sending = threading.RLock()

    @contextmanager
    def together():
        with sending:
            yield

    def send(_state: RankState) -> None:
        with sending:
            pass

    report = ActivityReport(send, together)
    report.change(ActivityEvent.READY)

    def end_cells() -> None:
        for _ in range(3000):
            report.change(ActivityEvent.BEGIN, is_brief=True, cell="c")
            with together():
                report.change(ActivityEvent.END, cell="")

    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            report.tell()

    threads = [threading.Thread(target=run, daemon=True) for run in (end_cells, look)]
    for thread in threads:
        thread.start()
    threads[0].join(20)
    over.set()
    threads[1].join(20)
    assert not any(thread.is_alive() for thread in threads)
