"""`%pxdiff` and `%pxplot`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand
from pxshell.magics.holder import Holder, says_errors
from pxshell.magics.options import DIFF, PLOT, around, leading

from pxshell.errors import UsageError
from pxshell.ranks import RankSet
from pxshell.session import Side, Tolerance

__all__ = ["CompareMagics"]


@magics_class
class CompareMagics(Magics):
    """What compares and draws values of ranks."""

    def __init__(self, shell: InteractiveShell, holder: Holder) -> None:
        super().__init__(shell)
        self.holder = holder

    @no_var_expand
    @line_magic
    @says_errors
    def pxdiff(self, line: str) -> None:
        """Compare a value between ranks: %pxdiff [-t RANKS] EXPR [-- -t RANKS [EXPR]] [--rtol R] [--against FILE].

        Groups of equal values become @a, @b, ...; those outside the majority @odd. Numbers are equal within --rtol
        (1e-9) or --atol (0). Two sets are compared rank by rank. --peek looks at busy ranks; --all shows every group.
        """
        session = self.holder.session
        mine, theirs = _sides(line)
        options, expression = around(mine, DIFF)
        rtol, atol = (float(options.get(name, default)) for name, default in (("rtol", 1e-9), ("atol", 0.0)))
        try:
            tolerance = Tolerance(rtol, atol)
        except ValueError as error:
            raise UsageError(str(error)) from None
        other = None
        if theirs is not None:
            more, second = around(theirs, DIFF)
            other = Side(second.strip() or expression, self._ranks(more))
        against = Path(options["against"]).expanduser() if "against" in options else None
        told = session.compare(
            Side(expression, self._ranks(options)),
            other,
            tolerance,
            against=against,
            peek=bool(options.get("peek")),
            all_groups=bool(options.get("all")),
        )
        self.holder.has_failed = told is None

    @no_var_expand
    @line_magic
    @says_errors
    def pxplot(self, line: str) -> None:
        """Plot a value over the ranks: %pxplot EXPR [-t RANKS] [--grid 2x2 | --at EXPR] [--save FILE] [--peek]."""
        options, expression = around(line, PLOT)
        save = Path(options["save"]).expanduser() if "save" in options else None
        told = self.holder.session.plot(
            expression,
            self._ranks(options),
            grid=str(options.get("grid", "")),
            at=str(options.get("at", "")),
            save=save,
            peek=bool(options.get("peek")),
            is_text=bool(options.get("text")),
        )
        self.holder.has_failed = told is None

    def _ranks(self, options: dict[str, Any]) -> RankSet:
        session = self.holder.session
        return session.ranks(options["targets"]) if "targets" in options else session.focus


def _sides(line: str) -> tuple[str, str | None]:
    """Part a line at the last word `--`, unless that is its first, which ends the options."""
    _, rest = leading(line, DIFF)
    head = line[: len(line) - len(rest)]
    mine, found, theirs = rest.rpartition(" -- ")
    return (head + mine, theirs) if found else (line.removesuffix(" --"), None)
