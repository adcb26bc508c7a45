"""`%pxdebug attach` and `%pxdebug detach`: editors on ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pxshell.magics.holder import Holder
from pxshell.magics.options import ATTACH, leading

from pxshell.errors import UsageError
from pxshell.session.editors import AttachOptions

__all__ = ["attach", "detach"]

_USAGE = "%pxdebug attach [RANKS] [--port P] [--write [--stdio]] [--together [--lockstep] | --sessions] [--timeout S]"
#: What is of a port, and so of no entry that needs none.
_OF_PORTS = {"port": "--port", "sessions": "--sessions", "idle_s": "--timeout"}


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
    if options.get("stdio"):
        _check_stdio(options)
    session = holder.session
    session.attach_editor(session.ranks(ranks) if ranks.strip() else None, AttachOptions(**options))


def _check_stdio(options: Mapping[str, Any]) -> None:
    if not options.get("write"):
        raise UsageError("--stdio is a kind of entry: %pxdebug attach RANKS --write --stdio")
    if left := [flag for name, flag in _OF_PORTS.items() if name in options]:
        raise UsageError(f"--stdio opens no port, so it goes without {left[0]}")


def detach(holder: Holder, text: str) -> None:
    """Close the ports of ranks, all by default; editors that are connected let them go."""
    session = holder.session
    session.detach_editor(session.ranks(text) if text else None)
