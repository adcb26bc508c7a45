"""`%pxdebug break --on-raise`: stops where an exception is raised."""

from __future__ import annotations

from pxshell.magics.holder import Holder
from pxshell.magics.options import VERB, trailing

from pxshell.errors import UsageError

__all__ = ["ON_RAISE", "break_on_raise"]

ON_RAISE = "--on-raise"
_USAGE = "%pxdebug break --on-raise TYPE ... [-t RANKS]; without TYPE no more"


def break_on_raise(holder: Holder, words: str) -> None:
    """Do `%pxdebug break --on-raise TYPE ... [-t RANKS]`."""
    word, _, rest = words.strip().partition(" ")
    if word != ON_RAISE:
        raise UsageError(_USAGE)
    options, names = trailing(rest, VERB)
    found = names.replace(",", " ").split()
    if bad := [name for name in found if not name.replace(".", "_").isidentifier()]:
        raise UsageError(f"{bad[0]!r} is no name of an exception: {_USAGE}")
    session = holder.session
    session.stop_on_raise(found, session.ranks(options["targets"]) if "targets" in options else None)
