"""The rules of how events look, as lines of spans; `ansi` and `plain` only colour them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pxshell.ranks import RankSet
from pxshell.render.comparison import comparison_lines, shown_groups
from pxshell.render.events import (
    Answer,
    CellAnswers,
    Comparison,
    Cut,
    Event,
    Failure,
    Listing,
    Missing,
    Notice,
    Plot,
    Progress,
    Refusal,
    Stacks,
    Stands,
    States,
    Text,
)
from pxshell.render.grouping import by_majority, odd_of, shown_and_rest
from pxshell.render.lines import Line, Span, Style, beside, label_of, mark_for
from pxshell.render.numbers import spread_of
from pxshell.render.stackdrawing import stack_lines
from pxshell.render.standing import listing_lines, stands_lines
from pxshell.render.textplot import plot_lines
from pxshell.render.widths import width_of

__all__ = ["Layout", "bytes_text", "progress_text"]

_LONGEST_COLUMN = 24
_NOTICE_STYLES = {"info": Style.PLAIN, "warning": Style.WARNING, "error": Style.ERROR}
_FRAME = re.compile(r"\s*(?:Cell |File )")


class Layout:
    """Lays out events for one world and one width.

    Args:
        world: All ranks; texts begin behind the width that it takes in brackets.
        columns: Width of the screen.
    """

    def __init__(self, world: RankSet, columns: int = 80) -> None:
        self._world = world
        self._columns = max(20, columns)

    def lines(self, event: Event) -> list[Line]:
        """Return the lines of an event."""
        match event:
            case Text():
                return self._text(event)
            case Answer():
                return self._said(event.ranks, event.text, "", self._column([event.ranks]))
            case Failure():
                return self._failure(event, self._column([event.ranks] if event.ranks else []))
            case CellAnswers():
                return self._cell(event)
            case States():
                return self._states(event)
            case Comparison() | Plot() | Stacks() | Stands() | Listing():
                return self._picture(event)
            case _:
                return [_line_of(event)]

    def _picture(self, event: Comparison | Plot | Stacks | Stands | Listing) -> list[Line]:
        """Return the lines of what a module of its own draws."""
        match event:
            case Comparison():
                labels = [group.ranks for group in shown_groups(event)]
                return comparison_lines(event, self._column(labels), self._columns)
            case Plot():
                return plot_lines(event, self._columns)
            case Stacks():
                return self._stacks(event)
            case Stands():
                return stands_lines(event, self._column(one.ranks for one in event.rows), self._columns)
            case Listing():
                return listing_lines(event, self._columns)

    def _column(self, groups: Iterable[RankSet]) -> int:
        """Return where texts begin, so that those of these groups stand in one column."""
        widths = [width_of(label_of(ranks).text) for ranks in groups]
        fitting = [width for width in widths if width <= _LONGEST_COLUMN]
        world = min(width_of(label_of(self._world).text), _LONGEST_COLUMN) if self._world else 0
        return max([world, *fitting]) + 2

    def _said(self, ranks: RankSet, text: str, word: str, column: int) -> list[Line]:
        return beside(ranks, Span(text), mark_for(word), column, self._columns)

    def _text(self, event: Text) -> list[Line]:
        label = label_of(event.ranks, self._column([event.ranks]))
        style = Style.WARNING if event.name == "stderr" else Style.PLAIN
        text = event.text.removesuffix("\n")
        return [(label, Span(_as_redrawn(line), style)) for line in text.split("\n")]

    def _failure(self, failure: Failure, column: int) -> list[Line]:
        first, *more = f"{failure.ename}: {failure.evalue}".removesuffix(": ").split("\n")
        details = [*more, *_where(failure)]
        indented = [(Span(" " * (column + 2)), Span(line, Style.DIM)) for line in details]
        text = Span(first, Style.ERROR)
        if not failure.ranks:
            return [(text,), *indented]
        return [*beside(failure.ranks, text, mark_for("failed"), column, self._columns), *indented]

    def _cell(self, cell: CellAnswers) -> list[Line]:
        shown, rest = shown_and_rest(cell)
        failures = by_majority(cell.failures)
        unanswered: list[Refusal | Missing] = [*by_majority(cell.refusals), *by_majority(cell.missing)]
        groups: list[Answer | Failure | Refusal | Missing] = [*shown, *failures, *unanswered]
        column = self._column(group.ranks for group in groups)
        odd = odd_of(cell)
        lines: list[Line] = []
        for answer in shown:
            lines += self._said(answer.ranks, answer.text, "differs" if answer.ranks <= odd else "", column)
        if rest:
            lines.append((Span(_rest_text(cell, rest), Style.DIM),))
        for failure in failures:
            lines += self._failure(failure, column)
        for one in unanswered:
            text = Span(_unanswered_text(one), Style.WARNING)
            lines += beside(one.ranks, text, None, column, self._columns)
        return lines

    def _states(self, states: States) -> list[Line]:
        column = self._column([ranks for ranks, _, _ in states.rows])
        width = max((width_of(state) for _, state, _ in states.rows), default=0)
        lines: list[Line] = [(Span(states.title),)] if states.title else []
        for ranks, state, where in states.rows:
            text = f"{state:{width}}  {where}" if where else state
            lines += beside(ranks, Span(text), None, column, self._columns)
        return lines

    def _stacks(self, stacks: Stacks) -> list[Line]:
        missing = [Missing(ranks, why) for ranks, why in stacks.tree.failed]
        column = self._column([one.ranks for one in missing])
        lines = stack_lines(stacks, self._columns)
        for one in missing:
            lines += beside(one.ranks, Span(f"no stack: {one.why}", Style.WARNING), None, column, self._columns)
        return lines


def _line_of(event: Refusal | Missing | Notice | Cut) -> Line:
    match event:
        case Notice():
            return (Span(event.text, _NOTICE_STYLES[event.level]),)
        case Cut():
            who = f"rank {event.ranks}" if len(event.ranks) == 1 else f"ranks {event.ranks}"
            return (Span(f"{bytes_text(event.bytes)} of {who} cut; all text is in {event.file}", Style.WARNING),)
        case Refusal():
            return (Span(_unanswered_text(event), Style.WARNING),)
        case Missing():
            return (label_of(event.ranks), Span(f"  {_unanswered_text(event)}", Style.WARNING))


def _unanswered_text(event: Refusal | Missing) -> str:
    return f"not run: {event.why}" if isinstance(event, Refusal) else f"no answer: {event.why}"


def _where(failure: Failure) -> list[str]:
    """Return the place with its source; the traceback when the failure went through several frames."""
    frames = [line for line in failure.traceback if _FRAME.match(line)]
    if len(frames) > 1 or not failure.place:
        start = failure.traceback.index(frames[0]) if frames else 0
        lines = [line.rstrip() for line in failure.traceback[start:]]
        return [line for line in lines if line and not _is_said(line, failure)]
    return [f"{failure.place}:  {failure.source.strip()}" if failure.source else failure.place]


def _is_said(line: str, failure: Failure) -> bool:
    """Tell whether a line of a traceback is the exception itself, which is shown above it."""
    first, *more = (one.rstrip() for one in f"{failure.ename}: {failure.evalue}".removesuffix(": ").split("\n"))
    # A traceback may name the module of the class as well.
    return line == first or line.endswith(f".{first}") or line in more


def _as_redrawn(line: str) -> str:
    """Return what a terminal shows of a line in the end: a carriage return begins it anew."""
    return line.rstrip("\r").rpartition("\r")[2]


def _rest_text(cell: CellAnswers, rest: list[Answer]) -> str:
    ranks = RankSet()
    for answer in rest:
        ranks |= answer.ranks
    spread = spread_of(cell.answers)
    told = f"; of all: {spread}" if spread else ""
    return f"… {len(rest)} more groups on {ranks}{told}.  See all: %pxresult {cell.cell} --all"


def bytes_text(count: int) -> str:
    """Write a number of bytes in decimal units: `131 kB`, `12.3 MB`."""
    size, units = float(count), ["B", "kB", "MB", "GB"]
    while size >= 999.5 and len(units) > 1:
        size /= 1000
        units.pop(0)
    digits = 0 if size >= 100 or units[0] == "B" else 1
    return f"{size:.{digits}f} {units[0]}"


def progress_text(progress: Progress) -> str:
    """Write the line that says who is waited for."""
    where = f" {progress.where}" if progress.where else ""
    parts = [f"waiting for {progress.waiting}{where}"]
    if progress.done:
        parts.append(f"{progress.done} done")
    if progress.outside:
        are = "is" if len(progress.outside) == 1 else "are"
        parts.append(f"{progress.outside} {are} idle outside the focus")
    return "; ".join(parts)
