"""Cells without a terminal, for `-c`: they go where typed ones would go, and their exit status counts."""

from __future__ import annotations

import io
import shutil
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, Self, TextIO

from pxshell.ranks import EMPTY
from pxshell.render import Event, Notice, Progress, Text, renderer_for, to_json
from pxshell.session import Config, Session
from pxshell.session.ports import ClientPort
from pxshell.session.routing import without_local
from pxshell.terminal.cells import CellRunner
from pxshell.terminal.unfinished import unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["run_cells"]


def run_cells(
    client: ClientPort,
    cells: Sequence[str],
    *,
    json: bool = False,
    keep_going: bool = False,
    out: TextIO | None = None,
    afterwards: Callable[[], int] | None = None,
    starts_script: bool = False,
) -> int:
    """Run cells and return the exit status of the worst rank: 0 is well, 1 an error, a refusal or a missing rank.

    Each cell's answers come once every rank is accounted for. A failed cell is the last.

    Args:
        client: The connection.
        cells: What would be typed; magics too.
        json: One object a line.
        keep_going: Run the next cell although one has failed.
        out: Where answers go; stdout by default.
        afterwards: Called when the cells are done, while what the script says is still shown; its status counts too.
        starts_script: The ranks wait for us with their script. It begins with the first cell that is about more than
            what follows (`%pxfocus`, `%pxconfig`); a pause is armed before its first line.
    """
    display = _Display(client, out or sys.stdout, as_json=json)
    worst = 0
    config = Config(live=False)
    with (
        Session(client, display, config, holds_start=starts_script) as session,
        _Here(session, display) as here,
    ):
        runner = CellRunner(session, display, here.run, display.page)
        failed = 0
        try:
            for number, cell in enumerate(cells, 1):
                worst = max(worst, runner.run(cell))
                if here.has_left:
                    break
                if worst and not keep_going:
                    failed = number
                    break
        finally:
            session.start_script()
        if (left := unfinished(session, failed=failed, cells=len(cells), waits=afterwards is not None)) is not None:
            display.show(left)
        return max(worst, afterwards()) if afterwards is not None else worst


class _Display:
    """Answers on stdout; what pxshell says of itself, and the ranks' stderr, on stderr; JSON all on stdout."""

    #: Text goes to files and pipes.
    shows_images = False

    def __init__(self, client: ClientPort, out: TextIO, *, as_json: bool) -> None:
        self._client = client
        self._out = out
        self.as_json = as_json
        #: What the present pause has been said to wait for.
        self._lasting: set[str] = set()

    def show(self, event: Event) -> None:
        """Write an event."""
        if self.as_json:
            self._write(to_json(event), self._out)
            return
        is_aside = isinstance(event, Notice) or (isinstance(event, Text) and event.name == "stderr")
        stream = sys.stderr if is_aside else self._out
        self._write(renderer_for(stream)(event, self._client.ranks, shutil.get_terminal_size().columns), stream)

    def progress(self, progress: Progress | None) -> None:
        """Say once what a pause waits for; nothing else: there is no line that could be taken back."""
        if progress is None:
            self._lasting.clear()
        elif progress.lasting and progress.lasting not in self._lasting:
            self._lasting.add(progress.lasting)
            self.show(Notice("info", progress.lasting))

    def ask(self, prompt: str, *, password: bool = False) -> str:
        """Answer for nobody: a rank that asks finds the end of its input."""
        raise EOFError(f"nobody answers {prompt!r}")

    def page(self, text: str) -> None:
        """Show a text of this process."""
        self.show(Text(EMPTY, "stdout", text)) if self.as_json else self._write(f"{text}\n", self._out)

    @staticmethod
    def _write(text: str, stream: TextIO) -> None:
        stream.write(text)
        stream.flush()


class _Here:
    """This process: an IPython with the magics, made when the first cell needs it, for it takes a third of a second."""

    def __init__(self, session: Session, display: _Display) -> None:
        self._session = session
        self._display = display
        # IPython has no annotations on most methods.
        self._shell: Any = None
        self._holder: Any = None
        #: Whether a cell said `exit`.
        self.has_left = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._shell is not None:
            self._shell.clear_instance()

    def run(self, text: str) -> int:
        """Run code here and return its exit status."""
        if text.strip(" ;()") in {"exit", "quit"}:
            self.has_left = True
            return 0
        if text.strip() in {"?px", "px?"}:
            from pxshell.terminal.help import help_text

            self._display.page(help_text())
            return 0
        if not text.lstrip().startswith("%px"):
            self._session.start_script()  # a magic of ours starts it itself, when it needs it
        shell = self._shell or self._made()
        self._holder.has_failed = False
        code = without_local(text)
        if not self._display.as_json:
            return self._status(shell.run_cell(code))
        printed = io.StringIO()
        with redirect_stdout(printed):
            status = self._status(shell.run_cell(code))
        if printed.getvalue():
            self._display.page(printed.getvalue())
        return status

    def _status(self, result: Any) -> int:
        return 0 if result.success and not self._holder.has_failed else 1

    def _made(self) -> Any:
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config as Settings

        from pxshell.magics import load

        # What nobody typed is not for the history of what was typed.
        settings = Settings({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}})
        self._shell = InteractiveShell.instance(config=settings)
        self._holder = load(self._shell, self._session, self._display)
        return self._shell
