"""How a process ended, in words."""

from __future__ import annotations

import signal

__all__ = ["end_line", "status_text"]


def status_text(status: int | None) -> str:
    """Return `exit 1`, `signal 9 (KILL)` or `status unknown`; a negative status is a signal."""
    if status is None:
        return "status unknown"
    if status < 0:
        return f"signal {-status} ({_signal_name(-status)})"
    return f"exit {status}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return "unknown"


def end_line(status: int | None) -> str:
    """Return the line that says how a rank ended."""
    return "gone, status unknown" if status is None else f"ended: {status_text(status)}"
