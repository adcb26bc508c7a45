"""`%pxpush` and `%pxpull`."""

from __future__ import annotations

from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand
from pxshell.magics.holder import Holder, says_errors
from pxshell.magics.options import PULL, PUSH, trailing

from pxshell.errors import UsageError
from pxshell.session.data import describe

__all__ = ["DataMagics"]


@magics_class
class DataMagics(Magics):
    """What moves values."""

    def __init__(self, shell: InteractiveShell, holder: Holder) -> None:
        super().__init__(shell)
        # IPython has no annotations on most methods.
        self._ip: Any = shell
        self.holder = holder

    @no_var_expand
    @line_magic
    @says_errors
    def pxpush(self, line: str) -> None:
        """Assign a value from here on the ranks: %pxpush NAME[=EXPR] [-t RANKS]."""
        options, rest = trailing(line, PUSH)
        name, equals, expression = (part.strip() for part in rest.partition("="))
        session = self.holder.session
        if not name.isidentifier() or (equals and not expression):
            raise UsageError("what? %pxpush NAME, or %pxpush NAME=EXPR")
        if not equals and name not in self._ip.user_ns:
            raise UsageError(f"there is no {name} here; make it: %local {name} = ..., or %pxpush {name}=EXPR")
        value = self._ip.ev(expression) if equals else self._ip.user_ns[name]
        done = session.push({name: value}, session.ranks(options["targets"]) if "targets" in options else None)
        if done:
            self.holder.say(f"{name}: on {done}")

    @no_var_expand
    @line_magic
    @says_errors
    def pxpull(self, line: str) -> None:
        """Fetch a value from the ranks as a mapping, rank to value: %pxpull EXPR -o NAME [-t RANKS]."""
        options, expression = trailing(line, PULL)
        session = self.holder.session
        if not expression or "out" not in options:
            raise UsageError("what, and where to? %pxpull EXPR -o NAME [-t RANKS]")
        ranks = session.ranks(options["targets"]) if "targets" in options else None
        values = session.pull(expression, ranks, peek=bool(options.get("peek")))
        if values:
            self._ip.user_ns[options["out"]] = values
            self.holder.say(f"{options['out']}: {describe(values)}")
        else:
            self.holder.has_failed = True
