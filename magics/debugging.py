"""`%pxdebug VERB`: one table of verbs; each module of verbs parses its own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand
from pxshell.magics.attaching import attach, detach
from pxshell.magics.breakpoints import BREAKPOINTS
from pxshell.magics.holder import Holder, says_errors
from pxshell.magics.postmortem import post
from pxshell.magics.stacks import stacks_verb
from pxshell.magics.stepping import STEPPING

from pxshell.errors import UsageError

__all__ = ["DebugMagics", "Verb"]

#: Does what the words after the verb say; raises `UsageError` when they cannot be read.
Verb = Callable[[Holder, str], None]

_VERBS: Mapping[str, Verb] = {
    "attach": attach,
    "detach": detach,
    "post": post,
    "stacks": stacks_verb,
    **STEPPING,
    **BREAKPOINTS,
}

#: What fingers know from pdb.
_HABITS = {
    "w": "where", "bt": "where", "u": "up", "d": "down", "s": "step", "n": "next", "r": "finish", "unt": "until",
    "c": "continue", "cont": "continue", "l": "list", "b": "break", "cl": "clear",
}  # fmt: skip


@magics_class
class DebugMagics(Magics):
    """What looks into ranks and steps them."""

    def __init__(self, shell: InteractiveShell, holder: Holder) -> None:
        super().__init__(shell)
        self.holder = holder

    @no_var_expand
    @line_magic
    @says_errors
    def pxdebug(self, line: str) -> None:
        """Look into ranks and step them: %pxdebug VERB."""
        word, _, rest = line.strip().partition(" ")
        verb = _VERBS.get(_HABITS.get(word, word))
        if verb is None:
            told = f"there is no verb {word!r}; verbs:" if word else "which?"
            raise UsageError(f"{told} %pxdebug {' | '.join(sorted(_VERBS))}")
        verb(self.holder, rest.strip())
