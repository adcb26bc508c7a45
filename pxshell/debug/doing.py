"""What a rank with an editor does, in the one word that its thread's name has."""

from __future__ import annotations

from pxshell.protocol.state import Activity, RankState

__all__ = ["word_of"]


def word_of(state: RankState | None) -> str:
    """Return `idle`, `held` (in C), `failed` or `running`; whether debugpy has stopped it is debugpy's to say."""
    if state is None:
        return "running"
    if state.activity in (Activity.HELD, Activity.FAILED):
        return str(state.activity)
    if state.activity is Activity.DEBUGGING and state.reason == "exception":
        return "failed"
    is_idle = state.activity is Activity.IDLE or (state.activity is Activity.DEBUGGING and not state.cell)
    return "idle" if is_idle else "running"
