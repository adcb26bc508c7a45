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


def end_line(status: int | None, sent: str = "") -> str:
    """Return the line that says how a rank ended; `sent` is what may explain it when the status is unknown."""
    if status is not None:
        return f"ended: {status_text(status)}"
    return f"gone, status unknown ({sent})" if sent else "gone, status unknown"
