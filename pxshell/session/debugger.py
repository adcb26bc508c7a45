"""The debugger of a session: what `%pxdebug` does to sets of ranks, in one place for every face."""

from __future__ import annotations

from collections.abc import Iterable

from pxshell.errors import UsageError
from pxshell.ranks import RankSet
from pxshell.session.breakpoints import Breakpoints
from pxshell.session.desk import Desk
from pxshell.session.frames import Frames, standing_ranks
from pxshell.session.pausing import Pausing
from pxshell.session.source_code import Sources
from pxshell.session.stepping import Stepping

__all__ = ["Debugger"]


class Debugger:
    """Looks at stacks, steps, and sets breakpoints. For the face's thread; ranks that are None are the focus.

    What is shown is folded. Whatever cannot be done raises `UsageError` with one line.
    """

    def __init__(self, desk: Desk, pausing: Pausing) -> None:
        self._desk = desk
        self._pausing = pausing
        self._sources = Sources(desk)
        self._frames = Frames(desk, self._sources)
        self._stepping = Stepping(desk, self._sources, self._frames)
        self._breakpoints = Breakpoints(desk)

    def _ranks(self, ranks: RankSet | None) -> RankSet:
        return self._desk.focus.ranks if ranks is None else ranks

    def _running(self, ranks: RankSet | None) -> RankSet:
        """Return the ranks meant; a script that waits for us begins. Breakpoints are set before that."""
        self._desk.start.let_go()
        return self._ranks(ranks)

    def where(self, ranks: RankSet | None = None, *, full: bool = False) -> None:
        """Show the stacks with their lines of source, and which frame cells run in; of running ranks too.

        Args:
            ranks: Whose.
            full: With the frames of libraries.
        """
        self._frames.where(self._running(ranks), full=full)

    def up(self, count: int = 1, ranks: RankSet | None = None, *, full: bool = False) -> None:
        """Let cells run in a frame further out; in one further in for a negative number."""
        self._frames.move(self._running(ranks), count, full=full)

    def source(self, line: int | None = None, ranks: RankSet | None = None) -> None:
        """Show source around the selected frame's line, or around another line of its file."""
        self._frames.source(self._running(ranks), line)

    def step(
        self, kind: str = "step", ranks: RankSet | None = None, *, line: int = 0, deadline: float | None = None
    ) -> RankSet:
        """Let ranks go on to the end of a step and show where they stand; returns those that stopped there.

        Args:
            kind: `step`, `next`, `finish` or `until`.
            ranks: Those of them that are paused go on together.
            line: Of `until`; 0 is the next one.
            deadline: Seconds; None takes the setting. Ranks that have not stopped by then stop when they get there.
        """
        limit = self._desk.config.control_deadline if deadline is None else deadline
        return self._stepping.step(kind, self._running(ranks), line, limit)

    def go_on(self, ranks: RankSet | None = None) -> RankSet:
        """End the pauses of these ranks, and say which others stand on."""
        targets = self._running(ranks)
        standing_ranks(self._desk, targets, "continue")
        resumed = self._pausing.resume(targets)
        others = self._desk.ranks_that(lambda state: state.is_alive and bool(state.pause)) - targets
        if others:
            verb = "is" if len(others) == 1 else "are"
            self._desk.say(f"{others} {verb} still paused.  All: %pxsignal resume", ranks=others)
        return resumed

    def add_breakpoint(
        self,
        *,
        file: str = "",
        line: int = 0,
        function: str = "",
        condition: str = "",
        once: bool = False,
        hits: int = 1,
        ranks: RankSet | None = None,
    ) -> int:
        """Set a breakpoint at a line of a file, or at the beginning of a function; returns its number.

        Args:
            file: A file, or the end of its path; with a line alone, the one in which the first of the ranks stands.
            line: If nothing runs there, the next one that does.
            function: A function instead: `step`, `Solver.step`, `pkg.mod.step`.
            condition: An expression, which sees the frame and `rank`.
            once: It goes away on each rank that it has stopped.
            hits: It stops from this time on.
            ranks: Where; of them also those that start later.
        """
        if line and not file:
            file = self._file_here(self._ranks(ranks))
        spec = {"file": file, "line": line, "function": function, "condition": condition, "once": once, "hits": hits}
        return self._breakpoints.add(spec, self._ranks(ranks))

    def _file_here(self, ranks: RankSet) -> str:
        for _, state in self._desk.client.states.among(ranks):
            if state.is_alive and state.file:
                return state.file
        raise UsageError(f"a line of which file? {ranks} stand nowhere: %pxdebug break FILE:LINE")

    def watch(self, expression: str, ranks: RankSet | None = None) -> int:
        """Stop a rank after the line that makes an expression true; returns the number of the watch."""
        return self._breakpoints.add({"watch": expression.strip()}, self._ranks(ranks))

    def clear(self, numbers: Iterable[int] = ()) -> RankSet:
        """Clear breakpoints and watches, all of them without numbers; returns the ranks that had them."""
        return self._breakpoints.clear(numbers)

    def breakpoints(self) -> None:
        """Show all breakpoints and watches, with their ranks."""
        self._breakpoints.show()

    def end_watches(self) -> list[str]:
        """Return the watches that end with the processes of all ranks: `2 (x > 1) on 0-3`."""
        return self._breakpoints.end_watches()

    def forget(self) -> None:
        """Ask the ranks for their source anew."""
        self._sources.forget()
