"""A front end without a face: focus, cells, pauses, data."""

from __future__ import annotations

from pxshell.session.cells import CellOutcome
from pxshell.session.config import Config
from pxshell.session.pausing import PauseOutcome
from pxshell.session.session import Session

__all__ = ["CellOutcome", "Config", "PauseOutcome", "Session"]
