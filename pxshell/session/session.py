"""The session: one client's point of view, a front end without a face."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from pxshell.errors import DeadlineError, UsageError
from pxshell.protocol.stacktree import StackTree
from pxshell.ranks import RankSet
from pxshell.render.display import Display
from pxshell.render.events import CellAnswers, Comparison, Plot, States
from pxshell.session.aborting import abort_calls
from pxshell.session.asks import Asks
from pxshell.session.cells import CellOutcome, Cells
from pxshell.session.comparing import Comparing, Side
from pxshell.session.config import Config
from pxshell.session.data import Data
from pxshell.session.debugger import Debugger
from pxshell.session.desk import Desk
from pxshell.session.editors import AttachOptions, Editors
from pxshell.session.failed import post_mortem, stop_on_raise
from pxshell.session.history import History, PastCell, PastResult
from pxshell.session.limits import Limits
from pxshell.session.looking import Looking
from pxshell.session.notices import Notices
from pxshell.session.pausing import PauseOutcome, Pausing
from pxshell.session.plotting import Plotting
from pxshell.session.ports import ClientPort
from pxshell.session.prompt import prompt_text, states_of, toolbar_text
from pxshell.session.signals import escalate, send_signal
from pxshell.session.stacks import StackLooking
from pxshell.session.watchdog import Watchdog
from pxshell.session.whereabouts import whereabouts
from pxshell.values.tolerance import Tolerance

__all__ = ["Session"]


class Session:
    """Focus, cells, pauses and data of one client.

    All methods are for one thread, the face's; what the ranks say meanwhile reaches the display from the client's io
    thread. What cannot be done raises `PxshellError` with one line; what ranks refuse or raise is shown and returned.

    Args:
        client: The connection; it stays the caller's and is not closed by `close`.
        display: Where events are shown.
        config: Settings, shared with `%pxconfig`.
        holds_start: The ranks wait for us: their script starts with the first thing that is asked of them. A pause is
            armed before, so that it stops the very first line.
    """

    def __init__(
        self, client: ClientPort, display: Display, config: Config | None = None, *, holds_start: bool = False
    ) -> None:
        self.client = client
        self.config = config or Config()
        self._desk = Desk(client, display, self.config, holds_start=holds_start)
        self._asks = Asks(self._desk)
        self._cells = Cells(self._desk, self._asks)
        self._limits = Limits(self._desk)
        self._pausing = Pausing(self._desk, self._limits)
        self._data = Data(self._desk)
        self._looking = Looking(self._desk)
        self._editors = Editors(self._desk)
        self._comparing = Comparing(self._desk)
        self._plotting = Plotting(self._desk)
        #: `%pxdebug`: stacks, steps and breakpoints of ranks.
        self.debugger = Debugger(self._desk, self._pausing)
        self._history = History(self._desk)
        self._notices = Notices(self._desk, self._asks, self._limits)
        self._stacks = StackLooking(self._desk)
        self._watchdog: Watchdog | None = None

    # Who is addressed.

    @property
    def focus(self) -> RankSet:
        """The ranks that input goes to."""
        return self._desk.focus.ranks

    @property
    def world(self) -> RankSet:
        """All ranks of the cluster."""
        return self.client.ranks

    def ranks(self, text: str) -> RankSet:
        """Read a rank set as the user writes it, with all names known here.

        Raises:
            RankSetError: it cannot be read or selects no rank.
        """
        return self._desk.focus.parse(text)

    def set_focus(self, text: str = "") -> RankSet:
        """Do what `%pxfocus TEXT` says, show the focus and return it.

        `RANKS`, `+RANKS`, `-RANKS`, `all`, `--name N RANKS` (the focus stays), `if EXPR` (the ranks on which the
        expression is true; where a rank runs its script, the side thread looks), or nothing.

        Raises:
            UsageError: it cannot be read or selects no rank; the focus stays.
        """
        word, _, rest = text.strip().partition(" ")
        if word == "if":
            self._desk.focus.ranks = self._cells.ranks_where(rest)
        elif word == "--name":
            return self._desk.name_ranks(rest)
        elif word:
            self._desk.focus.set(text.strip())
        self._desk.say(self._desk.focus.describe())
        return self.focus

    def start_script(self) -> None:
        """Let the script start now, if the ranks wait for this session with it."""
        self._desk.start.let_go()

    @property
    def mesh(self) -> str:
        """The axes along which the ranks are arranged, as `dp=2,tp=4`; "" for none."""
        mesh = self._desk.focus.mesh
        return "" if mesh is None else str(mesh)

    def set_mesh(self, text: str) -> None:
        """Arrange the ranks in a mesh, row-major, so that rank sets can be written as `dp=0&tp=2-3`; "" is none.

        Raises:
            RankSetError: it cannot be read, or has more or fewer ranks than the cluster; what was set stays.
        """
        self._desk.focus.arrange(text)

    # Cells.

    def run_cell(
        self,
        code: str,
        targets: RankSet | None = None,
        *,
        timeout: float | None = None,
        wait: bool | None = None,
        peek: bool = False,
        queue: bool = False,
        live: bool | None = None,
        silent: bool = False,
        store: bool = True,
        unfolded: bool = False,
    ) -> CellOutcome:
        """Run code on ranks and show what they answer.

        KeyboardInterrupt while waiting interrupts the ranks; a second one gives the prompt back.

        Args:
            code: A cell, with IPython's magics, `!cmd` and top-level await.
            targets: Ranks; None is the focus.
            timeout: Seconds after which the prompt comes back and the ranks run on; None takes the setting.
            wait: Wait for the answers; None takes the setting.
            peek: One expression, evaluated in the side thread whatever the rank does.
            queue: Let it wait for ranks that run something.
            live: Show output as it comes; None takes the setting.
            silent: Jupyter's `silent`: no answers, no history on the ranks.
            store: Keep the code in the ranks' history.
            unfolded: Show each rank's answer by itself.
        """
        self.start_script()
        return self._cells.run(
            code,
            self.focus if targets is None else targets,
            timeout=timeout,
            wait=wait,
            peek=peek,
            queue=queue,
            live=live,
            silent=silent,
            store=store,
            unfolded=unfolded,
        )

    def values(self, outcome: CellOutcome) -> dict[int, Any]:
        """Return what the last expression of a cell was on each rank that answered (for `-o NAME`)."""
        return self._cells.values(outcome, self._data)

    def result(self, cell: int | None = None, *, all_groups: bool = False) -> CellAnswers:
        """Return the answers to a cell as far as they have come; None is the last cell.

        A cell that this session has not run, or does not keep any more, is that of another one; which, is said.

        Raises:
            UsageError: no such cell is kept.
        """
        if self._cells.has_result(cell):
            return self._cells.result(cell, all_groups=all_groups)
        found = self._history.answers(cell=cell) if cell is not None else self._last_of_all()
        if found is None:
            return self._cells.result(cell, all_groups=all_groups)  # which says what there is
        return self._shown_past(found, all_groups=all_groups)

    def _last_of_all(self) -> PastResult | None:
        last = self._history.last(1)
        return self._history.answers(number=last[0].number) if last else None

    def past_result(self, number: int, *, all_groups: bool = False) -> CellAnswers:
        """Return the answers to a cell of the cluster's history, whoever ran it.

        Raises:
            UsageError: it is not kept.
        """
        found = self._history.answers(number=number)
        if found is None:
            raise UsageError(f"h{number} is not kept; see what there is: %pxresult --list")
        return self._shown_past(found, all_groups=all_groups)

    def _shown_past(self, found: PastResult, *, all_groups: bool) -> CellAnswers:
        """Say which cell it is, show what it printed, and return what was answered."""
        past = found.cell
        when = time.strftime("%H:%M:%S", time.localtime(past.time))
        cut = f"; {past.cut} bytes of output left out, see %pxlog" if past.cut else ""
        whose = "this session" if past.is_own else "another session"
        self._desk.say(f"h{past.number}: cell {past.cell} of {whose}, {when}, on {past.ranks}{cut}")
        for event in found.output:
            self._desk.show(event)
        return replace(found.answers, all_groups=all_groups)

    def history(self, count: int = 20) -> list[PastCell]:
        """Return the last cells that were run in this cluster, by whomever, the newest last."""
        return self._history.last(count)

    def answer_asks(self) -> None:
        """Ask the user what scripts and detached cells have asked with `input()`; call it before each prompt."""
        self._asks.answer_all()

    # The program.

    def pause(
        self, ranks: RankSet | None = None, *, sync: str | None = None, deadline: float | None = None
    ) -> PauseOutcome:
        """Pause what ranks run, and show where they stand.

        Args:
            ranks: None is the focus, with `sync` all ranks of the world.
            sync: An integer or growing float; all stop at the same line of the same step.
            deadline: Seconds; None takes the setting.

        Raises:
            UsageError: nothing runs there.
            DeadlineError: the expression has no value everywhere in time; the program runs on.
        """
        return self._pausing.pause(ranks, sync=sync, deadline=deadline)

    def resume(self, ranks: RankSet | None = None) -> RankSet:
        """Let ranks go on; None is every rank that a pause holds, whatever the focus. Returns those that went on.

        The exception of a failed rank goes on only if the rank is named, or if no pause holds any other.
        """
        self.start_script()
        return self._pausing.resume(ranks)

    def post(self, ranks: RankSet | None = None) -> RankSet:
        """Stop ranks in the frames of what their last failed cell, or their script, raised; show where they stand.

        `resume` ends it. Returns the ranks that stand, those that have failed before included; None is the focus.

        Raises:
            UsageError: none of them has anything to look at.
        """
        return post_mortem(self._desk, self.focus if ranks is None else ranks)

    def stop_on_raise(self, names: Sequence[str], ranks: RankSet | None = None) -> RankSet:
        """Let ranks pause where they raise exceptions of these classes, caught or not, before any frame is left.

        Without names it is ended. Returns the ranks that do it; None are all ranks. Those that start later
        do it too.

        Raises:
            UsageError: none of them can.
        """
        return stop_on_raise(self._desk, names, self.world if ranks is None else ranks)

    def hold(self, *, on: bool) -> None:
        """Say whether ranks whose script fails from now on keep their frames until they are resumed."""
        limit = self.config.control_deadline
        if not self.client.request("px_attend_request", {"hold": on}, self.world).wait(limit):
            raise DeadlineError("hold what fails", limit)
        self.config.hold = on

    def signal(self, what: str, ranks: RankSet | None = None, *, yes: bool = False) -> RankSet:
        """Send a signal (`INT`, `SIGTERM`, `9`), show for each rank whether it was sent, and return those where it was.

        Raises:
            UsageError: no such signal; or it would end an MPI job of which only a part is addressed, without `yes`.
        """
        self.start_script()
        return send_signal(self._desk, what, self.focus if ranks is None else ranks, yes=yes)

    def stacks(
        self,
        ranks: RankSet | None = None,
        *,
        full: bool = False,
        names: Sequence[str] = (),
        every: float = 1.0,
        count: int = 0,
        timeout: float | None = None,
    ) -> StackTree:
        """Show where ranks stand, as one tree of their stacks; its branches become `@a`, `@b`, ...

        Ranks that cannot answer, for they are stopped or hold the GIL, are read from outside by their node.

        Args:
            ranks: None is all of the world: who waits for whom does not end at the focus.
            full: With all frames, also those of libraries.
            names: Names, whose values in the running frames are shown too; an observer may not.
            every: Seconds between two looks.
            count: So many looks, and who has moved between them; 0 looks once.
            timeout: Seconds after which a rank counts as silent; None takes the setting.
        """
        self.start_script()
        who = self.world if ranks is None else ranks
        return self._stacks.show(who, full=full, names=names, every=every, count=count, timeout=timeout)

    def watch(self) -> None:
        """Say it, from now on, when no rank has moved for as long as the setting `watchdog` says."""
        if self._watchdog is None:
            self._watchdog = Watchdog(self._desk)
            self._watchdog.start()

    def escalate(self, ranks: RankSet | None = None, *, seconds: float = 5.0, yes: bool = False) -> RankSet:
        """Send INT, then TERM, then KILL to those that have not ended, each after so many seconds; returns who is done.

        A rank that INT has made idle is left alone.

        Raises:
            UsageError: it would end an MPI job of which only a part is addressed, without `yes`.
        """
        self.start_script()
        return escalate(self._desk, self.focus if ranks is None else ranks, seconds, yes=yes)

    def abort(self, ranks: RankSet | None = None) -> RankSet:
        """Free ranks from the calls of MPI that they wait in, without ending them; show how, and return those freed.

        With interruptible communicators the call raises `CallAbortedError`; with ULFM its communicator is revoked.
        """
        self.start_script()
        return abort_calls(self._desk, self.focus if ranks is None else ranks)

    def restart(self) -> RankSet:
        """Start all ranks anew: same numbers, next epoch; focus, names, breakpoints and `stop_on_raise` stay.

        Watches, which belong to frames, do not; that is said.
        """
        self.debugger.forget()
        self.start_script()
        watches = self.debugger.end_watches()
        restarted = self._looking.restart()
        if watches:
            self._desk.say(f"watches have ended with their frames: {', '.join(watches)}", "warning", restarted)
        return restarted

    # Editors.

    def attach_editor(self, ranks: RankSet | None = None, options: AttachOptions | None = None) -> dict[int, int]:
        """Let an editor's debugger attach to ranks through ports of this machine, and show which.

        No port opens on the ranks' machines: the debugger's bytes go over this client's own connection.

        Args:
            ranks: None is the focus.
            options: Ports, launch.json.

        Returns:
            The port of each rank, on 127.0.0.1, for one connection of our own user at a time.

        Raises:
            UsageError: a rank is gone or has no debugpy, a port is taken, launch.json cannot be read.
            PermissionDeniedError: this client only watches.
        """
        return self._editors.attach(self.focus if ranks is None else ranks, options or AttachOptions())

    def detach_editor(self, ranks: RankSet | None = None) -> RankSet:
        """Close the ports of ranks, all of them for None; ranks that are being debugged are let go.

        Ranks whose editor came another way, by `pxshell debug` or through another front end, are let go when they are
        named; else it is said who holds them.

        Raises:
            UsageError: there is none.
            PermissionDeniedError: this client only watches.
        """
        return self._editors.detach(ranks)

    # Data.

    def push(self, values: Mapping[str, Any], ranks: RankSet | None = None) -> RankSet:
        """Assign values on ranks; returns the ranks that have them.

        Raises:
            UsageError: a value cannot be pickled.
        """
        self.start_script()
        return self._data.push(values, self.focus if ranks is None else ranks)

    def pull(self, expression: str, ranks: RankSet | None = None, *, peek: bool = False) -> dict[int, Any]:
        """Return the value of an expression on each rank; failures are shown."""
        self.start_script()
        return self._data.pull(expression, self.focus if ranks is None else ranks, peek=peek)

    def apply(
        self, function: Callable[..., Any], *args: Any, ranks: RankSet | None = None, **kwargs: Any
    ) -> dict[int, Any]:
        """Call a function on ranks and return what it returned on each; failures are shown."""
        self.start_script()
        return self._data.apply(function, args, kwargs, self.focus if ranks is None else ranks)

    # Looking.

    def complete(self, code: str, position: int, *, timeout: float = 0.1) -> dict[str, Any]:
        """Return Jupyter's complete_reply, merged over those ranks of the focus that answer in time."""
        return self._looking.complete(code, position, timeout)

    def inspect(self, code: str, position: int, *, detail: int = 0, timeout: float = 1.0) -> dict[str, Any]:
        """Return the inspect_reply of the first rank of the focus that finds something."""
        self.start_script()
        return self._looking.inspect(code, position, detail, timeout)

    def log(self, rank: int | None = None, *, size: int = 65536) -> str:
        """Return the end of a rank's log, at most `size` bytes; None is the first rank of the focus."""
        self.start_script()
        return self._looking.log(self.focus.first if rank is None else rank, size)

    def status(self) -> States:
        """Return the states of all ranks, folded."""
        self.start_script()
        return states_of(self.client)

    def whereabouts(self) -> States:
        """Return the same, and of ranks that run something where they are and since when; asks them."""
        self.start_script()
        return whereabouts(self._desk)

    def compare(
        self,
        side: Side,
        other: Side | None = None,
        tolerance: Tolerance = Tolerance(),  # noqa: B008 - an immutable value
        *,
        against: Path | None = None,
        peek: bool = False,
        all_groups: bool = False,
    ) -> Comparison | None:
        """Compare a value between ranks, or with another side's rank by rank, show what differs, and name the groups.

        Returns what was shown; None when nobody answered.

        Args:
            side: What, and on which ranks.
            other: Compare with these, rank by rank, in place of among each other.
            tolerance: When numbers are the same.
            against: Compare with the values in this `.npz` or `.npy` file.
            peek: Look at ranks that run something, from the side.
            all_groups: Show each group however many there are.

        Raises:
            UsageError: no expression, no pairs of ranks, or a file that cannot be read.
        """
        self.start_script()
        return self._comparing.compare(side, other, tolerance, against=against, peek=peek, all_groups=all_groups)

    def plot(
        self,
        expression: str,
        ranks: RankSet | None = None,
        *,
        grid: str = "",
        at: str = "",
        save: Path | None = None,
        peek: bool = False,
        is_text: bool = False,
    ) -> Plot | None:
        """Plot a value over ranks: numbers as bars or a curve, rows as curves, fields as panels or as one field.

        Returns what was shown; None when nobody answered.

        Args:
            expression: A number, or an array of one or two dimensions.
            ranks: None is the focus.
            grid: `2x2`: the ranks' fields are the parts of one, row by row.
            at: An expression that says where each rank's part lies: slices of the whole field, or its coordinates.
            save: Write the figure here (`.png`, `.svg`, `.pdf`) in place of showing it.
            peek: Look at ranks that run something, from the side.
            is_text: Draw it as text where an image could be shown.

        Raises:
            UsageError: no expression, a grid of another size, or a file that cannot be written.
        """
        self.start_script()
        where = self.focus if ranks is None else ranks
        return self._plotting.plot(expression, where, grid=grid, at=at, save=save, peek=peek, is_text=is_text)

    # What the face draws itself.

    def prompt_text(self) -> str:
        """Return the prompt without its `> `: focus and state, as `px[0-3] sim.py:87`."""
        return prompt_text(self.client, self.focus)

    def toolbar_text(self) -> str:
        """Return one line about all ranks."""
        return toolbar_text(self.client)

    @property
    def running(self) -> RankSet:
        """Ranks of the world that run their script at this moment (Ctrl-C pauses them)."""
        return self._desk.running()

    def close(self) -> None:
        """Let go of the client: nothing more is shown."""
        if self._watchdog is not None:
            self._watchdog.close()
        self._editors.close()
        self._notices.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
