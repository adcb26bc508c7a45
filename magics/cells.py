"""`%px`, `%%px`, `%local`, `%autopx` and `%pxresult`."""

from __future__ import annotations

from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand
from pxshell.magics.autopx import AutoPx
from pxshell.magics.help import HELP
from pxshell.magics.holder import Holder, says_errors
from pxshell.magics.options import PX, RESULT, leading

from pxshell.errors import UsageError
from pxshell.render.grouping import unfolded
from pxshell.session import CellOutcome, Session
from pxshell.session.history import history_lines

__all__ = ["CellMagics"]


@magics_class
class CellMagics(Magics):
    """What runs code."""

    def __init__(self, shell: InteractiveShell, holder: Holder) -> None:
        super().__init__(shell)
        # IPython has no annotations on most methods.
        self._ip: Any = shell
        self.holder = holder
        self._autopx = AutoPx(shell)

    @no_var_expand
    @line_cell_magic
    @says_errors
    def px(self, line: str, cell: str | None = None) -> None:  # noqa: D102 - its docstring is HELP, below
        options, rest = leading(line, PX)
        code = rest if cell is None else "\n".join(part for part in (rest, cell) if part)
        session = self.holder.session
        if not code.strip():
            raise UsageError("no code to run: %px CODE, or %%px above a cell")
        if options.get("local"):
            self._run_here(code)
        outcome = self._run(session, code, options)
        self.holder.has_failed = outcome.exit_status != 0 and outcome.status != "running"
        if "out" in options:
            self._ip.user_ns[options["out"]] = session.values(outcome)

    # IPython shows the docstring of %px for `?px`.
    px.__doc__ = HELP

    def _run(self, session: Session, code: str, options: dict[str, Any]) -> CellOutcome:
        if options.get("verbose"):
            self.holder.say(f"runs on {options.get('targets', session.focus)}")
        before = session.config.progress_after
        session.config.progress_after = options.get("progress_after", before)
        try:
            return session.run_cell(
                code,
                session.ranks(options["targets"]) if "targets" in options else None,
                timeout=options.get("timeout"),
                wait=True if "out" in options else options.get("block"),
                peek=options.get("peek", False),
                queue=options.get("queue", False),
                live=options.get("live"),
                unfolded=options.get("group") == "engine",
            )
        finally:
            session.config.progress_after = before

    @no_var_expand
    @line_cell_magic
    def local(self, line: str, cell: str | None = None) -> None:
        """Run code here, in this process: %local CODE, or %%local above a cell."""
        self._run_here(line if cell is None else cell)

    def _run_here(self, code: str) -> None:
        with self._autopx.suspended():
            # Not the run_cell of a shell that sends its cells to the focus.
            InteractiveShell.run_cell(self._ip, code)  # type: ignore[no-untyped-call]  # as above

    @line_magic
    @says_errors
    def autopx(self, line: str) -> None:
        """Send every cell to the focus, or stop doing so."""
        self.holder.session  # noqa: B018 - without a cluster this is refused
        self.holder.say(f"%autopx {'enabled' if self._toggled() else 'disabled'}")

    def _toggled(self) -> bool:
        """Toggle where cells go; a shell of pxshell's own has a switch for it, `routes`."""
        if not hasattr(self._ip, "routes"):
            return self._autopx.toggle()
        self._ip.routes = not self._ip.routes
        return bool(self._ip.routes)

    @line_magic
    @says_errors
    def pxresult(self, line: str) -> None:
        """Show the answers to a cell again: %pxresult [CELL | hNUMBER] [--all] [-o NAME] | --list [COUNT]."""
        options, rest = leading(line, RESULT)
        after, rest = leading(rest.partition(" ")[2], RESULT) if rest else ({}, ""), rest.partition(" ")[0]
        options |= after[0]
        digits = rest.removeprefix("h")
        if rest and not digits.isdecimal():
            raise UsageError(f"{rest!r} is no number of a cell: %pxresult [CELL | h12] [--all] | --list")
        if options.get("list"):
            self._list(int(digits or 20))
            return
        session, shows_all = self.holder.session, bool(options.get("all"))
        if rest.startswith("h"):
            answers = session.past_result(int(digits), all_groups=shows_all)
        else:
            answers = session.result(int(rest) if rest else None, all_groups=shows_all)
        if "out" in options:
            texts = {rank: answer.text for answer in answers.answers for rank in answer.ranks}
            self._ip.user_ns[options["out"]] = dict(sorted(texts.items()))
        else:
            self.holder.display.show(unfolded(answers) if options.get("group") == "engine" else answers)

    def _list(self, count: int) -> None:
        cells = self.holder.session.history(count)
        if not cells:
            raise UsageError("no cell has run in this cluster; run one: %px CODE")
        for line in history_lines(cells):
            self.holder.display.show(line)

    def close(self) -> None:
        """Put IPython back as it was."""
        self._autopx.disable()
