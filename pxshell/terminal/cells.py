"""What happens to a typed cell: each piece goes to the focus or runs here; a failed piece is the last."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from pxshell.errors import PxshellError
from pxshell.render import Display, Notice
from pxshell.session import Session
from pxshell.session.routing import Piece, split_cell

__all__ = ["CellRunner"]

_INSPECTED = re.compile(r"(\?{0,2})([A-Za-z_][\w.]*)(\?{0,2});?")


class CellRunner:
    """Runs cells of the terminal, and those of `-c`.

    Args:
        session: Where what goes to the focus goes.
        display: Where refusals are shown.
        run_here: Runs code in this process and returns its exit status.
        show_page: Shows a text that may be long.
        waiting: Entered while the ranks work.
    """

    def __init__(
        self,
        session: Session,
        display: Display,
        run_here: Callable[[str], int],
        show_page: Callable[[str], None],
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.session = session
        self.display = display
        #: Whether cells go to the focus; `%autopx` toggles it.
        self.routes = True
        self._run_here = run_here
        self._show_page = show_page
        self._waiting = waiting

    def run(self, text: str) -> int:
        """Run a cell; return 0, or the exit status of the first piece that failed."""
        return next((status for piece in split_cell(text) if (status := self._run_piece(piece))), 0)

    def _run_piece(self, piece: Piece) -> int:
        try:
            if piece.text.strip() == "%autopx":
                return self._toggle()
            if piece.is_here or not self.routes:
                return self._run_here(piece.text)
            found = _INSPECTED.fullmatch(piece.text.strip())
            if found and (marks := found[1] + found[3]):
                return self._inspect(found[2], len(marks) - 1)
            with self._waiting():
                return self.session.run_cell(piece.text).exit_status
        except PxshellError as error:
            self.display.show(Notice("error", " ".join(str(error).split("\n"))))
        except KeyboardInterrupt:
            self.display.show(Notice("warning", "KeyboardInterrupt"))
        return 1

    def _toggle(self) -> int:
        self.routes = not self.routes
        where = f"on the focus, {self.session.focus}" if self.routes else "here, in this process, until %autopx"
        self.display.show(Notice("info", f"what you type runs {where}"))
        return 0

    def _inspect(self, name: str, detail: int) -> int:
        reply = self.session.inspect(name, len(name), detail=detail)
        if not reply.get("found"):
            self.display.show(Notice("warning", f"{name} is not found on {self.session.focus}"))
            return 1
        self._show_page(str(reply["data"].get("text/plain", "")))
        return 0
