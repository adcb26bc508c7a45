"""The settings of a session, which `%pxconfig` changes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Config"]


@dataclass(slots=True)
class Config:
    """Settings; times are seconds.

    Attributes:
        mute: Do not show the output of the script.
        live: Show what a cell prints as it comes; else its fold once every rank is accounted for.
        block: Wait for the answers to a cell.
        hold: Keep the frames of a rank whose script fails, until it is resumed.
        verbose: Say on which ranks each cell runs.
        timeout: After which the prompt comes back from a cell; None waits.
        progress_after: After which a line shows who is waited for; negative never.
        interrupt_deadline: For the ranks to stop after Ctrl-C.
        control_deadline: For answers to control commands.
        pause_deadline: For a synchronised pause.
        watchdog: After which the prompt says, once, that no rank has moved; 0 never.
    """

    mute: bool = False
    live: bool = True
    block: bool = True
    hold: bool = False
    verbose: bool = False
    timeout: float | None = None
    progress_after: float = 1.0
    interrupt_deadline: float = 5.0
    control_deadline: float = 5.0
    pause_deadline: float = 30.0
    watchdog: float = 10.0
