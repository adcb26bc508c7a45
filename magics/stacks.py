"""`%pxdebug stacks`."""

from __future__ import annotations

from pxshell.magics.holder import Holder
from pxshell.magics.options import STACKS, leading

from pxshell.errors import UsageError

#: Looks of `--every` without `--count`.
_LOOKS = 5

__all__ = ["USAGE", "stacks_verb"]

USAGE = "%pxdebug stacks [-t RANKS] [--full] [--locals NAME,NAME] [--every S] [--count K] [--timeout S]"


def stacks_verb(holder: Holder, text: str) -> None:
    """Show where ranks stand.

    Raises:
        UsageError: the words cannot be read.
    """
    options, rest = leading(text, STACKS)
    if rest.strip():
        raise UsageError(f"what is {rest.strip()!r}? {USAGE}")
    session = holder.session
    if "every" in options and "count" not in options:
        options["count"] = _LOOKS
    targets = options.pop("targets", None)
    session.stacks(None if targets is None else session.ranks(targets), **options)
