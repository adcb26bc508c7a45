"""`%pxdebug post`: the frames of what was raised last."""

from __future__ import annotations

from pxshell.magics.holder import Holder
from pxshell.magics.options import VERB, leading

from pxshell.errors import UsageError

__all__ = ["post"]


def post(holder: Holder, words: str) -> None:
    """Do `%pxdebug post [-t RANKS]`."""
    options, rest = leading(words, VERB)
    if rest.strip():
        raise UsageError(f"%pxdebug post takes no {rest.strip()!r}; ranks: -t RANKS")
    session = holder.session
    session.post(session.ranks(options["targets"]) if "targets" in options else None)
