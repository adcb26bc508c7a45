"""`%pxdebug attach` and `%pxdebug detach`: editors on ranks."""

from __future__ import annotations

from pxshell.magics.holder import Holder
from pxshell.magics.options import ATTACH, leading

from pxshell.errors import UsageError
from pxshell.session.editors import AttachOptions

__all__ = ["attach", "detach"]

_USAGE = "%pxdebug attach [RANKS] [--port P] [--write] [--together [--lockstep] | --sessions] [--timeout S]"


def attach(holder: Holder, text: str) -> None:
    """Offer ranks to an editor: options may stand before the ranks and behind them."""
    options, rest = leading(text, ATTACH)
    ranks, _, after = rest.partition(" --") if " --" in rest else (rest, "", "")
    more, left = leading(f"--{after}", ATTACH) if after else ({}, "")
    if left.strip() or ranks.startswith("--"):
        raise UsageError(f"what is {left.strip() or ranks!r}? {_USAGE}")
    options |= more
    if options.get("together") and options.get("sessions"):
        raise UsageError("--together is one session for all ranks, --sessions one for each: choose")
    if options.get("lockstep") and not options.get("together"):
        raise UsageError("--lockstep is of one session for all ranks: %pxdebug attach RANKS --together --lockstep")
    session = holder.session
    session.attach_editor(session.ranks(ranks) if ranks.strip() else None, AttachOptions(**options))


def detach(holder: Holder, text: str) -> None:
    """Close the ports of ranks, all by default; editors that are connected let them go."""
    session = holder.session
    session.detach_editor(session.ranks(text) if text else None)
