"""Cells: from code to what the ranks answered, with numbers, places, Ctrl-C and time limits."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pxshell.errors import UsageError
from pxshell.protocol.canonical import canonical
from pxshell.protocol.state import Activity, RankState
from pxshell.ranks import EMPTY, RankSet, union
from pxshell.render.events import CellAnswers, Failure, Missing, Notice, Refusal
from pxshell.render.grouping import odd_of
from pxshell.session.answers import answers_of
from pxshell.session.aside import are_silent, aside_limit, silent_ranks
from pxshell.session.asks import Asks
from pxshell.session.desk import Desk
from pxshell.session.flight import Flight
from pxshell.session.places import Placement, Words, place_cell
from pxshell.session.results import Results
from pxshell.session.running_on import ways_out, whereabouts
from pxshell.session.syntax import is_single_expression, syntax_fault
from pxshell.session.waiting import Waiting

if TYPE_CHECKING:
    from pxshell.session.data import Data

__all__ = ["CellOutcome", "Cells", "cell_filename"]

# How often the account is looked at when no message wakes the waiting thread.
_LOOK_S = 0.1

# That ranks stand in a cell is no passing moment then, as when somebody lets them go at once.
_STANDS_S = 0.3

Status = Literal["ok", "error", "refused", "missing", "running", "stopped"]


def cell_filename(cell: int) -> str:
    """Return the file name of a cell, the same on all ranks."""
    return f"<px cell {cell}>"


@dataclass(frozen=True, slots=True)
class CellOutcome:
    """How a cell went.

    Attributes:
        cell: Its number.
        code: What was asked.
        targets: Whom.
        status: The worst of: `ok`, `error` (raised somewhere), `refused` (ran on none, or not on some), `missing`
            (ranks died), `running` (not waited for to the end), `stopped` (all that have not answered stand in it, at a
            breakpoint say).
        answers: What came; None when it was not sent or not waited for.
        peek: It ran in the side thread.
    """

    cell: int
    code: str
    targets: RankSet
    status: Status
    answers: CellAnswers | None = None
    peek: bool = False

    @property
    def exit_status(self) -> int:
        """0 when all is well; the worst status that a rank gave `sys.exit`, else 1."""
        if self.status in {"ok", "stopped"}:
            return 0
        failures = self.answers.failures if self.answers else ()
        return max([_exit_of(failure) for failure in failures] + [0 if self.status == "error" else 1])


def _exit_of(failure: Failure) -> int:
    """Return the exit status that an exception is for a process."""
    if failure.ename != "SystemExit":
        return 1
    if failure.evalue in {"", "None"}:
        return 0
    return int(failure.evalue) if failure.evalue.isdecimal() else 1


def _content(code: str, placement: Placement, cell: int, *, silent: bool, store: bool, queue: bool) -> dict[str, Any]:
    """Build the content of an `execute_request`; cell 0 is none of the user's."""
    return {
        "code": code,
        "silent": silent,
        "store_history": store and not silent,
        "user_expressions": {},
        "allow_stdin": True,
        "stop_on_error": True,
        "cell": cell,
        "filename": cell_filename(cell) if cell else "<px>",
        "places": placement.to_content(),
        "queue": queue,
    }


class Cells:
    """Runs cells, one after the other, and keeps their answers."""

    def __init__(self, desk: Desk, asks: Asks) -> None:
        self._desk = desk
        self._asks = asks
        self._results = Results()
        self._number = 0

    def run(
        self,
        code: str,
        targets: RankSet,
        *,
        timeout: float | None,
        wait: bool | None,
        peek: bool,
        queue: bool,
        live: bool | None,
        silent: bool,
        store: bool,
        unfolded: bool,
    ) -> CellOutcome:
        """Run a cell; see `Session.run_cell`."""
        config = self._desk.config
        self._number += 1
        outcome = CellOutcome(self._number, code, targets, "refused", peek=peek)
        placement = self._checked(code, targets, peek=peek, queue=queue)
        if placement is None:
            return outcome
        if config.verbose:
            self._desk.say(f"cell {self._number} runs on {targets}")
        waits = config.block if wait is None else wait
        shows_live = config.live if live is None else live
        content = _content(code, placement, self._number, silent=silent, store=store, queue=queue)
        flight = self._fly(content, targets, live=shows_live, each=unfolded)
        self._results.watch(flight.cell, flight.answers)
        if not waits:
            flight.leave()
            return replace(outcome, status="running")
        limit = config.timeout if timeout is None else timeout
        if placement.is_aside:
            return self._wait_aside(flight, outcome, aside_limit(config, placement) if limit is None else limit)
        return self._wait(flight, outcome, limit)

    def _checked(self, code: str, targets: RankSet, *, peek: bool, queue: bool) -> Placement | None:
        """Return where the cell runs, or show in one line why it does not."""
        fault = syntax_fault(code)
        if fault:
            self._desk.show(Refusal(targets, fault))
            return None
        words = Words(self._desk.script, self._desk.sync_expression)
        placement = place_cell(code, targets, self._desk.client.states, words, peek=peek, queue=queue)
        if placement.why:
            self._desk.show(Refusal(placement.ranks, placement.why))
            return None
        return placement

    def _fly(self, content: dict[str, Any], targets: RankSet, *, live: bool, each: bool) -> Flight:
        flight = Flight(self._desk, self._asks, self._number, live=live, each=each, on_done=self._late)
        request = self._desk.client.request("execute_request", content, targets, on_message=flight.on_message)
        flight.request = request
        self._desk.remember(request, content["code"])
        return flight

    # Waiting.

    def _wait(self, flight: Flight, outcome: CellOutcome, timeout: float | None) -> CellOutcome:
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            is_done = self._wait_until(flight, deadline)
        except KeyboardInterrupt:
            is_done = self._interrupt(flight, outcome.code)
        else:
            if not is_done and not self._stands(flight):
                self._say_left(flight, f"not done within {timeout:g} s")
        if is_done:
            return self._landed(flight, outcome)
        stands = self._stands(flight)
        if stands:
            self._say_stands(flight)
        flight.leave()
        return replace(outcome, status="stopped" if stands else "running")

    def _wait_aside(self, flight: Flight, outcome: CellOutcome, limit: float) -> CellOutcome:
        """Wait for side threads; a rank that cannot answer is said with the answers of the others, not waited for."""
        assert flight.request is not None
        try:
            is_done = self._wait_until(flight, time.monotonic() + limit, is_aside=True)
        except KeyboardInterrupt:
            is_done = flight.request.done
        if is_done:
            return self._landed(flight, outcome)
        flight.leave()
        silent = silent_ranks(self._desk.client, flight.request.account.pending, limit)
        answers = flight.answers()
        lost = tuple(Missing(ranks, why) for ranks, why in flight.request.account.missing)
        answers = replace(answers, missing=(*lost, *silent))
        self._desk.show(answers)
        self._kept(answers)
        return replace(outcome, status=_status_of(answers), answers=answers)

    def _wait_until(self, flight: Flight, deadline: float | None, *, is_aside: bool = False) -> bool:
        assert flight.request is not None
        waiting = Waiting(self._desk, flight.request)
        standing_since: float | None = None
        try:
            while not flight.request.done:
                now = time.monotonic()
                standing_since = (standing_since or now) if self._stands(flight) else None
                if standing_since is not None and now >= standing_since + _STANDS_S:
                    return False
                left = _LOOK_S if deadline is None else min(_LOOK_S, deadline - time.monotonic())
                if left <= 0:
                    return False
                flight.take(left)
                if is_aside and are_silent(self._desk.client, flight.request.account.pending):
                    return False
                waiting.look()
        finally:
            waiting.end()
        return True

    def _interrupt(self, flight: Flight, code: str) -> bool:
        """Interrupt the ranks that still run the cell, and wait a little; a second Ctrl-C leaves them running."""
        assert flight.request is not None
        pending = flight.request.account.pending
        limit = self._desk.config.interrupt_deadline
        try:
            flight.forget_questions()
            self._desk.client.request("interrupt_request", {"cell": flight.request.id}, pending)
            if self._wait_until(flight, time.monotonic() + limit):
                return True
            if self._stands(flight):
                return False
            self._say_stuck(flight, f"not interrupted within {limit:g} s, for it waits in C", code)
        except KeyboardInterrupt:
            self._say_stuck(flight, "left", code)
        return False

    def _stands(self, flight: Flight) -> bool:
        """Tell whether all that have not answered stand in this very cell: nothing comes until they are let go."""
        assert flight.request is not None
        cell, pending = flight.request.id, flight.request.account.pending
        return bool(pending) and pending <= self._desk.ranks_that(lambda state: state.cell == cell and _stands(state))

    def _say_stands(self, flight: Flight) -> None:
        assert flight.request is not None
        pending = flight.request.account.pending
        stand = "stands" if len(pending) == 1 else "stand"
        ways = f"On: %pxsignal resume   See: %pxresult {flight.cell}"
        self._desk.say(f"cell {flight.cell} is not done: {pending} {stand} in it.  {ways}", "info", pending)

    def _say_left(self, flight: Flight, why: str, where: str = "", ways: str = "") -> None:
        assert flight.request is not None
        pending = flight.request.account.pending
        runs = "runs" if len(pending) == 1 else "run"
        text = f"cell {flight.cell} {why}: {pending} {runs} on{where}.  See: %pxresult {flight.cell}"
        self._desk.say(f"{text}   {ways}" if ways else text, "warning", pending)

    def _say_stuck(self, flight: Flight, why: str, code: str) -> None:
        """Say where ranks are that an interrupt has not freed, and what frees them."""
        assert flight.request is not None
        pending = flight.request.account.pending
        try:
            where = whereabouts(self._desk, pending, flight.cell, code)
        except KeyboardInterrupt:  # the third
            where = ""
        self._say_left(flight, why, where, ways_out(self._desk, pending))

    def _landed(self, flight: Flight, outcome: CellOutcome) -> CellOutcome:
        answers = flight.finish()
        self._kept(answers)
        return replace(outcome, status=_status_of(answers), answers=answers)

    def _kept(self, answers: CellAnswers) -> None:
        self._results.keep(answers)
        self._desk.focus.odd = odd_of(answers)

    def _late(self, flight: Flight) -> None:
        """Say that a cell in the background is done; in the io thread."""
        answers = flight.answers()
        self._results.keep(answers)
        assert flight.request is not None
        status = _status_of(answers)
        what = "done" if status == "ok" else _LATE_WORDS[status]
        ranks = union(one.ranks for one in answers.failures) if status == "error" else flight.request.targets
        text = f"cell {flight.cell} {what} on {ranks}.  See: %pxresult {flight.cell}"
        self._desk.show(Notice("info" if status == "ok" else "warning", text, ranks))

    # Afterwards.

    def has_result(self, cell: int | None) -> bool:
        """Tell whether the answers to a cell are kept here; None for any."""
        return cell in self._results if cell is not None else bool(self._results)

    def result(self, cell: int | None, *, all_groups: bool) -> CellAnswers:
        """Return the answers to a cell; see `Session.result`."""
        return replace(self._results.get(cell), all_groups=all_groups)

    def values(self, outcome: CellOutcome, data: Data) -> dict[int, Any]:
        """Return the values that a cell answered; see `Session.values`."""
        if outcome.answers is None:
            return {}
        answered = EMPTY
        for answer in outcome.answers.answers:
            answered |= answer.ranks
        expression = outcome.code if outcome.peek else "_"
        return data.pull(expression, answered, peek=outcome.peek) if answered else {}

    def ranks_where(self, expression: str) -> RankSet:
        """Return the living ranks on which an expression is true; where a script runs, the side thread looks.

        Raises:
            UsageError: it is no expression, is true nowhere, or its value cannot be had in time.
        """
        if not is_single_expression(expression):
            raise UsageError(f"{expression.strip()!r} is no expression: %pxfocus if np.isnan(u).any()")
        code = f"bool({expression.strip()})"
        ranks = self._desk.client.states.alive()
        running = self._desk.running()
        words = Words(self._desk.script, self._desk.sync_expression)
        placed = place_cell(code, ranks - running, self._desk.client.states, words).places
        places = Placement((*placed, *((("peek", running),) if running else ())))
        return self._true_on(code, places, ranks, expression.strip())

    def _true_on(self, code: str, places: Placement, ranks: RankSet, shown: str) -> RankSet:
        content = _content(code, places, 0, silent=False, store=False, queue=False)
        deadline = self._desk.config.control_deadline
        request = self._desk.control("execute_request", content, ranks, deadline)
        answers = answers_of(0, canonical(request.messages), request.account)
        for failure in answers.failures:
            self._desk.say(f"{shown} on {failure.ranks}: {failure.summary}", "warning", failure.ranks)
        unanswered: list[Refusal | Missing] = [*answers.refusals, *answers.missing]
        for one in unanswered:
            self._desk.say(f"{shown} on {one.ranks}: {one.why}", "warning", one.ranks)
        true = [answer.ranks for answer in answers.answers if answer.text == "True"]
        return _one_set(true) or _refuse(shown)


def _one_set(parts: list[RankSet]) -> RankSet:
    ranks = EMPTY
    for part in parts:
        ranks |= part
    return ranks


def _refuse(shown: str) -> RankSet:
    raise UsageError(f"{shown} is true on no rank; the focus stays")


_LATE_WORDS = {"error": "failed", "refused": "was refused", "missing": "is done, with ranks missing,"}


def _stands(state: RankState) -> bool:
    return state.is_alive and state.is_stopped and state.activity is not Activity.HELD


def _status_of(answers: CellAnswers) -> Status:
    if answers.failures:
        return "error"
    if answers.missing:
        return "missing"
    return "refused" if answers.refusals else "ok"
