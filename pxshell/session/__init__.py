"""A front end without a face: focus, cells, pauses, data."""

from __future__ import annotations

from pxshell.session.cells import CellOutcome
from pxshell.session.comparing import Side
from pxshell.session.config import Config
from pxshell.session.pausing import PauseOutcome
from pxshell.session.session import Session
from pxshell.values.tolerance import Tolerance

__all__ = ["CellOutcome", "Config", "PauseOutcome", "Session", "Side", "Tolerance"]
